"""Colours, shapes and dashes of the pictures, and how each setting looks in all of them.

Pictures are drawn in light colours. The page swaps each colour for a CSS variable of its name, so
that one specification serves a light screen, a dark one and paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

# After Okabe & Ito 2008, "Color universal design", darkened where they were faint on white.
COLOURS = {
    "ink": ("#1c2733", "#e7ecf1"),
    "quiet": ("#5a6875", "#a3b0bc"),
    "faint": ("#c3ccd4", "#4a5763"),
    "grid": ("#e8ecf0", "#27313b"),
    "paper": ("#ffffff", "#141a20"),
    "margin": ("#e3eaf1", "#26323e"),
    "blue": ("#0072b2", "#5aa9ee"),
    "vermilion": ("#d55e00", "#ff8b52"),
    "green": ("#00875f", "#3fc99b"),
    "purple": ("#b14a8b", "#e48fc4"),
    "orange": ("#b97a00", "#f0b545"),
    "sky": ("#3d96d1", "#a6dbff"),
    "unsettled": ("#6f7b87", "#98a4af"),
    "ramp0": ("#eff5fb", "#17293a"),
    "ramp1": ("#d3e4f3", "#1b3b57"),
    "ramp2": ("#aacde8", "#225077"),
    "ramp3": ("#7ab2db", "#2c6799"),
    "ramp4": ("#4088bf", "#5b9bd0"),
    "ramp5": ("#2069a8", "#86b9e2"),
    "ramp6": ("#0b4a86", "#b9d9f4"),
    "on-low": ("#13202d", "#f2f7fb"),
    "on-high": ("#fdfeff", "#0c1620"),
}
"""Each colour of the page by its name: on a light screen, and on a dark one."""
LIGHT = {name: light for name, (light, _) in COLOURS.items()}
DARK = {name: dark for name, (_, dark) in COLOURS.items()}
RAMP = [LIGHT[f"ramp{step}"] for step in range(7)]
FIRST_ON_HIGH = 4
"""From this step of the ramp on, numbers are written in the colour `on-high`."""

OF_SETTINGS = ("blue", "vermilion", "green", "purple", "orange", "sky")
SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "cross",
    "triangle-down",
    "triangle-right",
    "triangle-left",
)
CROSS = "M0,-.3L.6,-.9L.9,-.6L.3,0L.9,.6L.6,.9L0,.3L-.6,.9L-.9,.6L-.3,0L-.9,-.6L-.6,-.9Z"
"""A diagonal cross: a failed run, or a verdict that was withheld."""
DASHES = ([1, 0], [6, 3], [2, 2], [9, 3, 2, 3], [4, 2])

OF_VERDICTS = {
    "better": ("blue", "triangle-up"),
    "worse": ("vermilion", "triangle-down"),
    "equivalent": ("green", "square"),
    "inconclusive": ("unsettled", "circle"),
    "withheld": ("purple", CROSS),
}
"""Colour and shape of each verdict."""


@dataclass(frozen=True)
class Look:
    """How a setting is drawn in every picture."""

    name: str
    colour: str
    shape: str
    dash: Sequence[int]
    width: float = 1.75


def looks_of(names: Sequence[str], control: str | None) -> dict[str, Look]:
    """Return a look for each name: the control in ink, solid and thick, with a diamond.

    Colours, shapes and dashes go round in cycles of 6, 7 and 5, so 210 settings look different.

    >>> [look.colour for look in looks_of(["relu", "elu"], "relu").values()]
    ['ink', 'blue']
    """
    others = [name for name in names if name != control]
    cycles = zip(cycle(OF_SETTINGS), cycle(SHAPES), cycle(DASHES), strict=False)
    plain = {name: Look(name, *look) for name, look in zip(others, cycles, strict=False)}
    return {name: plain.get(name) or Look(name, "ink", "diamond", DASHES[0], 3) for name in names}


def looks_of_levels(levels: Mapping[str, Sequence[str]], control: str | None) -> dict[str, Look]:
    """Return a look for each setting; of two factors by the first's colour, the second's shape.

    Levels of the control look as the control does. With more levels than there are colours, or
    shapes, combinations look as any other settings.

    Args:
        levels: the level of each factor, by the setting's name.

    >>> both = [["relu", "sgd"], ["elu", "sgd"], ["elu", "adam"]]
    >>> looks = looks_of_levels({", ".join(levels): levels for levels in both}, "relu, sgd")
    >>> [(look.colour, look.shape) for look in looks.values()]
    [('ink', 'diamond'), ('blue', 'diamond'), ('blue', 'circle')]
    """
    if not levels or any(len(own) != 2 for own in levels.values()):
        return looks_of(list(levels), control)
    firsts, seconds = (list(dict.fromkeys(own)) for own in zip(*levels.values(), strict=True))
    if len(firsts) > len(OF_SETTINGS) or len(seconds) > len(SHAPES):
        return looks_of(list(levels), control)
    own = levels.get(control or "", [None, None])
    colours, shapes = looks_of(firsts, own[0]), looks_of(seconds, own[1])
    return {
        name: Look(
            name,
            colours[first].colour,
            shapes[second].shape,
            shapes[second].dash,
            3 if name == control else 1.75,
        )
        for name, (first, second) in levels.items()
    }
