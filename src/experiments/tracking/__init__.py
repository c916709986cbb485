"""W&B: the mirror of what the run folder holds."""
