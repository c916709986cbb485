"""Hydra's composition as a sweep uses it, without a command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from running import CONF

from experiments import schema
from experiments.sweep.composition import Composer


@contextlib.contextmanager
def composer_of(*typed: str) -> Iterator[Composer]:
    """Give the composer of a multirun of these overrides."""
    schema.register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        master = hydra.compose_config("config", list(typed), run_mode=RunMode.MULTIRUN)
        yield Composer(hydra.config_loader, master)
