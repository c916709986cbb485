"""Figures as pages that one works with: one template, style and script, and a script for each."""
