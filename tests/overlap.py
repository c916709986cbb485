"""Whether texts of a picture lie upon each other, or stick out of it."""

from __future__ import annotations

import math
from itertools import combinations

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from experiments.figures.page.drawing import Draw, Drawing
from experiments.figures.page.themes import LIGHT

LAST_ROW = 24
"""Pixels of 1080: as high as letters of 12 points on a slide of 7.5 inches."""
SLACK = 1.0
"""Pixels that two boxes may share: they are a little larger than the letters in them."""


def texts(figure: Figure) -> list[Text]:
    """Return the texts that are seen, at their places; tick labels only where they are drawn."""
    figure.set_canvas(FigureCanvasAgg(figure))
    figure.draw_without_rendering()
    hidden = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            outside = [t for t in ticks if not low <= t.get_loc() <= high]
            gone = ticks if not axes.axison or not axis.get_visible() else outside
            hidden |= {label for tick in gone for label in (tick.label1, tick.label2)}
    return [
        text
        for text in figure.findobj(Text)
        if text.get_text().strip()
        and text.get_visible()
        and text not in hidden
        and (text.axes is None or text.axes.get_visible())
    ]


def collisions(draw: Draw) -> list[str]:
    """Return which texts of a picture overlap, or leave it."""
    with mpl.rc_context(LIGHT.settings):
        figure = draw(LIGHT)
        shown = texts(figure)
        renderer = FigureCanvasAgg(figure).get_renderer()
        boxes = [(text, text.get_window_extent(renderer)) for text in shown]
    found = []
    width, height = figure.bbox.width, figure.bbox.height
    for text, box in boxes:
        if min(box.x0, box.y0) < -SLACK or box.x1 > width + SLACK or box.y1 > height + SLACK:
            found.append(f"{text.get_text()!r} leaves the picture")
    for (one, a), (other, b) in combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        if across > SLACK and down > SLACK:
            found.append(f"{one.get_text()!r} lies upon {other.get_text()!r}")
    return found


def smallest_letters(drawing: Drawing) -> float:
    """Return the height of the smallest letters of the pictures, on a slide of 1920 x 1080."""
    smallest = math.inf
    for draw in drawing.pictures.values():
        with mpl.rc_context(LIGHT.settings):
            figure = draw(LIGHT)
            width, height = figure.get_size_inches()
            assert width / height == pytest.approx(16 / 9)
            pixels = [1080 * text.get_fontsize() / (72 * height) for text in texts(figure)]
        smallest = min(smallest, *pixels)
    return smallest


def assert_legible(drawing: Drawing) -> None:
    """Raise AssertionError where texts of a drawing's pictures or frames overlap."""
    draws = dict(drawing.pictures)
    for name, animation in drawing.animations.items():
        draws |= {f"{name}, first frame": animation.frames[0]}
        draws |= {f"{name}, last frame": animation.frames[-1]}
    for name, draw in draws.items():
        assert collisions(draw) == [], name
