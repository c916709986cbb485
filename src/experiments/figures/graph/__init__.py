"""Expressions and their computational graphs."""
