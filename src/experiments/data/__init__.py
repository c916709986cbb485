"""Data: sources of tensors, splits, normalisation and in-memory batches."""
