"""How wide words are, before anything is drawn. Lengths are in points: an inch has 72."""

from __future__ import annotations

from functools import cache

from matplotlib.font_manager import FontProperties, findfont, get_font

FONT = "DejaVu Sans"
SIZE = 10.0
FINE = 10
"""Widths are measured so many times as large, where hinting moves no letter by much."""
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@cache
def text_width(text: str, is_bold: bool = False, size: float = SIZE) -> float:
    """Return how wide a line of text is."""
    properties = FontProperties(family=FONT, weight="bold" if is_bold else "normal")
    font = get_font(findfont(properties))
    font.set_size(size, 72 * FINE)
    font.set_text(text, 0.0)
    return float(font.get_width_height()[0]) / 64 / FINE


def subscript(number: int | str) -> str:
    """Return a number, or its digits, below the line.

    >>> subscript(12)
    '₁₂'
    """
    return str(number).translate(SUBSCRIPTS)


def sizes(shape: tuple[int, ...]) -> str:
    """Return a shape as it is read.

    >>> sizes((32, 8, 8))
    '32 × 8 × 8'
    """
    return " × ".join(str(size) for size in shape)
