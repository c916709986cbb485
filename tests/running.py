"""Configs for tests, and where their runs are."""

from __future__ import annotations

from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from experiments import schema
from experiments.runs import load_run

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"

QUIET = ["logger=none", "progress=none"]
"""Overrides that cannot change a result, and save time."""


def composed(*overrides: str) -> DictConfig:
    """Return the config that these overrides make."""
    schema.register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("config", overrides=list(overrides))


def plain(*overrides: str) -> dict:
    """Return the same as nested plain values."""
    return OmegaConf.to_container(composed(*overrides), resolve=True)


def run_folders(root: Path = Path("outputs")) -> list[Path]:
    """Return the run folders below a folder, oldest first."""
    found = [path.parent for path in root.glob("**/record.json")]
    return sorted(found, key=lambda folder: load_run(folder).record["started_at"])


def choices(group: str) -> list[str]:
    """Return the choices of a group, from its files."""
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))
