"""The pictures of a verdict."""
