"""What draws the pictures of figures."""
