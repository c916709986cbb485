"""From the config of a figure to its files: drawings, themes, type."""
