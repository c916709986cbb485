"""Callbacks of the Trainer that every run has."""
