"""Figures as `python figures.py figure=NAME ...` composes and computes them."""

from __future__ import annotations

from pathlib import Path

from running import CONF

from experiments.config.composer import composer_at
from experiments.figures.page.composing import Composition
from experiments.figures.page.drawing import Drawing
from experiments.figures.page.making import compute_drawing


def composition_of(folder: Path, *overrides: str) -> Composition:
    """Return what a figure composes its configs with; what it trains is trained below `folder`."""
    typed = [*overrides, f"paths.output={folder}"]
    return Composition(composer_at(CONF, "figures", typed), str(folder))


def drawing_of(folder: Path, *overrides: str) -> Drawing:
    """Return the drawing of a figure; what it trains is trained below `folder`."""
    composition = composition_of(folder, *overrides)
    return compute_drawing(composition.config(), composition)
