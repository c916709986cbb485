"""Figures as `python figures.py figure=NAME ...` composes and computes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from running import CONF

from experiments import schema
from experiments.figures.composing import Composition
from experiments.figures.drawing import Drawing
from experiments.figures.making import computed


def drawing_of(folder: Path, *overrides: str) -> Drawing:
    """Return the drawing of a figure; what it trains is trained below `folder`."""
    schema.register()
    typed = [*overrides, f"paths.output={folder}"]
    with initialize_config_dir(str(CONF), version_base="1.3", job_name="figures"):
        config: Any = compose("figures", typed, return_hydra_config=True)
        loader = GlobalHydra.instance().config_loader()
        composition = Composition(loader, config.hydra, str(folder))
        return computed(composition.config(), composition)
