"""Hydra's composition as a sweep uses it, without a command."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from running import CONF

from experiments.config.composer import Composer, composer_at


@contextlib.contextmanager
def composer_of(*typed: str) -> Iterator[Composer]:
    """Give the composer of a multirun of these overrides."""
    GlobalHydra.instance().clear()
    yield composer_at(CONF, "config", typed, RunMode.MULTIRUN)
