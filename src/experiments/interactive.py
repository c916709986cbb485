"""The three commands as functions, for notebooks and a Python prompt.

`train(...)` trains as `python train.py ...` does, `draw(...)` shows a picture of `python figures.py
...`, and `compare(...)` gives the verdict of `python compare.py ...`; each takes the words that one
types after the command.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.comparison.compare import as_words, request_of
from experiments.comparison.reading import read_runs
from experiments.comparison.verdict import compared
from experiments.config import mistakes
from experiments.config.arguments import at_home, readable
from experiments.config.composer import composer_at
from experiments.config.config_folders import CONF, shipped
from experiments.config.overrides import key_of, of_other_keys
from experiments.figures.graph.command_line import as_hydra_reads
from experiments.figures.page.composing import Composition
from experiments.figures.page.drawing import Drawing
from experiments.figures.page.making import compute_drawing, render, themed_figure
from experiments.figures.page.themes import THEMES
from experiments.training.load import Run

QUIET = ["logger=none", "progress=none"]
"""Overrides that cannot change a result: a notebook wants neither W&B nor a line per epoch."""


@dataclass(frozen=True)
class Picture:
    """A picture of a drawing, which notebooks show; its parts are those that `draw` is given."""

    drawing: Drawing
    name: str
    theme: str = "light"
    dpi: int = 110

    @property
    def numbers(self) -> Mapping[str, Any]:
        """Every number that is drawn."""
        return self.drawing.numbers

    def __repr__(self) -> str:
        return self.drawing.description

    def _repr_png_(self) -> bytes:
        theme = THEMES[self.theme]
        with themed_figure(self.drawing.pictures[self.name], theme) as figure:
            return render(figure, "png", self.dpi, self.name, self.drawing.description)


def train(*overrides: str, folder: str | Path = "outputs/interactive") -> Run:
    """Train one network in this process, or find it trained, and return its run.

    Args:
        overrides: as after `python train.py`: "model=mlp", "optim.lr=0.1".
        folder: that the run folder lies in; the same words find the same run.

    Raises:
        UserError: a mistake in the words.
        RunFailed: the run failed.
    """
    quiet = of_other_keys(QUIET, map(key_of, overrides))
    with in_our_words("config"):
        composition = composition_of("config", [*quiet, *overrides])
        composition.runs = Path(folder)
        return composition.run()


def config_of(*overrides: str) -> dict[str, Any]:
    """Return the configuration that `python train.py` would have of these words, in plain values.

    >>> config_of("optim=momentum")["optim"]["momentum"]
    0.9

    Raises:
        UserError: a mistake in the words.
    """
    quiet = of_other_keys(QUIET, map(key_of, overrides))
    with in_our_words("config"):
        return composition_of("config", [*quiet, *overrides]).training()


def draw(*overrides: str, name: str | None = None, theme: str = "light", dpi: int = 110) -> Picture:
    """Return a picture of a figure; what it trains is trained below outputs/figures/runs.

    Args:
        overrides: as after `python figures.py`: "figure=activation_curves".
        name: of the picture, where the figure has several.
        theme: light or dark.
        dpi: dots per inch.

    Raises:
        UserError: a mistake in the words.
    """
    with in_our_words("figures"):
        composition = composition_of("figures", as_hydra_reads(overrides, shipped(CONF)))
        drawing = compute_drawing(composition.config(), composition)
    return Picture(drawing, name or next(iter(drawing.pictures)), theme, dpi)


def compare(*overrides: str) -> list[str]:
    """Return the verdict on runs, as sentences; no report is written.

    Args:
        overrides: as after `python compare.py`: "runs=outputs/interactive", "factor=activation".

    Raises:
        UserError: there is nothing to compare, or a mistake in the words.
    """
    with in_our_words("compare"):
        config = composition_of("compare", overrides).config()
    folders = [Path(folder) for folder in as_words(config["runs"])]
    verdict, _ = compared(
        read_runs(folders), request_of(config), name="interactive", command=" ".join(overrides)
    )
    return [str(sentence) for sentence in verdict["headline"]]


def composition_of(script: str, overrides: Sequence[str]) -> Composition:
    """Return the composition of a script's config with what is typed after the script."""
    composer = composer_at(shipped(CONF), script, readable(overrides))
    return Composition(composer, at_home(str(composer.master.paths.output)))


@contextlib.contextmanager
def in_our_words(script: str) -> Iterator[None]:
    """Raise UserError for a mistake that Hydra finds."""
    try:
        yield
    except Exception as error:
        mistake = mistakes.in_our_words(error, script)
        if mistake is None or mistake is error:
            raise
        raise mistake from error
