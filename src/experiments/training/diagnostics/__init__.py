"""What a network and its training look like from within: pure measuring functions."""
