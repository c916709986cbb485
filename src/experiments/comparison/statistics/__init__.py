"""The tests, intervals and designs behind a verdict."""
