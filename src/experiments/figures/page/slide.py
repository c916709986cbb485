"""The slide that every picture fills: 16 to 9, with letters that are read from the last row."""

from __future__ import annotations

from matplotlib.figure import Figure

WIDTH, HEIGHT = 8.0, 4.5
"""In inches. Letters of 9 points are 30 pixels high on a slide of 1920 x 1080."""


def slide() -> Figure:
    """Return an empty slide, which lays its axes out by itself."""
    return Figure(figsize=(WIDTH, HEIGHT), layout="constrained")


def dots_per_inch(figure: Figure, dpi: float) -> float:
    """Return the resolution in which a figure is as many pixels wide as a slide at `dpi`.

    A sheet is as large as what is on it (sheet.py).
    """
    # A little more than exactly: a width of 1919.99 pixels would be cut to 1919.
    return (WIDTH * dpi + 0.01) / float(figure.get_figwidth())
