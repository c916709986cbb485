"""A sheet without margins, and words and numbers on it, whose width is known before they are drawn.

Every place on it is computed, in points: an inch has 72.
"""

from __future__ import annotations

from functools import cache

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from experiments.figures.page.slide import HEIGHT, WIDTH

FONT = "DejaVu Sans"
"""It comes with matplotlib: the same on every machine."""
MARGIN = 16.0
SIZE = 10.0
FINE = 10
"""Widths are measured so many times as large, where hinting moves no letter by much."""
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@cache
def text_width(text: str, is_bold: bool = False, size: float = SIZE) -> float:
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


def number_text(value: float, form: str = ".4g") -> str:
    """Return a number, to four digits, with a minus sign of its own.

    >>> number_text(-0.73105857), number_text(-12.0), number_text(-0.0)
    ('−0.7311', '−12', '0')
    """
    return f"{value + 0.0:{form}}".replace("-", "−")


def constant_text(value: float) -> str:
    """Return a number within a formula, a negative one between parentheses."""
    text = number_text(value)
    return f"({text})" if value < 0 else text


def blank_sheet(width: float, height: float, below: float = 0.0) -> tuple[Figure, Axes]:
    """Return an empty sheet whose heights begin at -below, with margins until it is a slide."""
    wide = max(width, height * WIDTH / HEIGHT)
    high = wide * HEIGHT / WIDTH
    left, bottom = (wide - width) / 2, below + (high - height) / 2
    figure = Figure(figsize=(wide / 72, high / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-left, wide - left)
    axes.set_ylim(-bottom, high - bottom)
    return figure, axes
