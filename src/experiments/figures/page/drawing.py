"""What a figure gives back: the numbers first, then the pictures that are drawn of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.figure import Figure

from experiments.figures.page.themes import Theme

Draw = Callable[[Theme], Figure]


@dataclass(frozen=True)
class Animation:
    """Pictures one after the other, all of one size.

    Args:
        frames: each draws one picture.
        seconds: how long each is shown.
    """

    frames: Sequence[Draw]
    seconds: float = 0.5


@dataclass(frozen=True)
class Live:
    """What a page that one works with draws: its heading, and numbers as JSON can hold them."""

    title: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Drawing:
    """A figure, computed and not yet drawn.

    Args:
        numbers: all that is drawn, as JSON can hold it; tests look here, not at pixels.
        pictures: by name; the first is usually named as the figure.
        description: what a reader who cannot see it is told, in a sentence or two.
        animations: by name.
        said: lines for the terminal.
        live: what a page that one works with draws; none where there is no such page.
    """

    numbers: Mapping[str, Any]
    pictures: Mapping[str, Draw]
    description: str
    animations: Mapping[str, Animation] = field(default_factory=dict)
    said: Sequence[str] = ()
    live: Live | None = None
