"""What is said to a user whose input cannot be used."""
