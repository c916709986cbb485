"""Hydra, used amid another program of its kind, or in a notebook, and left as it was found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.version import VersionBase


@contextlib.contextmanager
def hydra_apart() -> Iterator[None]:
    """Begin with a Hydra that carries out nothing, and put back after the block what it did carry.

    Without it a run inside of somebody's own `hydra.main` would write that program's configuration
    as its own, and take its folder for the output.
    """
    known: Any = HydraConfig.instance()
    base: Any = VersionBase.instance()
    config, version, carried = known.cfg, base.version_base, GlobalHydra.instance().hydra
    known.cfg = None
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        known.cfg, base.version_base = config, version
        # Asked for anew: Hydra puts another instance in the place of this one.
        GlobalHydra.instance().hydra = carried
