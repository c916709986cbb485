"""Who carries out the jobs of a sweep, and where."""
