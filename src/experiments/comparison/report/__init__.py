"""The verdict as a page, as tables and on a terminal."""
