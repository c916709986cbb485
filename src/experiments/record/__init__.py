"""What lies on disk: a run folder, its record, its identity, and who holds it."""
