"""One run: checked, built, trained, tested and recorded."""
