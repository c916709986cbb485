"""Configs for tests, and where their runs are."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from experiments.config.composer import Composer, composer_at
from experiments.record.record import read_record

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"

QUIET = ["logger=none", "progress=none"]
"""Overrides that cannot change a result, and save time."""


def composed(*overrides: str) -> DictConfig:
    """Return the config that these overrides make.

    Choices of groups are composed once for all tests that make them; values are then set as Hydra
    sets them.
    """
    return copy.deepcopy(composer().task(overrides))


@functools.cache
def composer() -> Composer:
    """Return the composer of a single run."""
    GlobalHydra.instance().clear()
    return composer_at(CONF, "config")


def plain(*overrides: str) -> dict:
    """Return the same as nested plain values."""
    return OmegaConf.to_container(composer().task(overrides), resolve=True)


def run_folders(root: Path = Path("outputs")) -> list[Path]:
    """Return the run folders below a folder, oldest first."""
    found = [path.parent for path in root.glob("**/record.json")]
    return sorted(found, key=lambda folder: read_record(folder)["started_at"])


def choices(group: str) -> list[str]:
    """Return the choices of a group, from its files."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))
