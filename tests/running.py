"""Configs for tests, and where their runs are."""

from __future__ import annotations

import copy
import functools
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from experiments import schema
from experiments.runs import load_run

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"

QUIET = ["logger=none", "progress=none"]
"""Overrides that cannot change a result, and save time."""


def composed(*overrides: str) -> DictConfig:
    """Return the config that these overrides make.

    Choices of groups are composed once for all tests that make them, which takes 0.15 s; values
    are then set as Hydra sets them.
    """
    choices_made = tuple(o for o in overrides if is_choice(o))
    config = copy.deepcopy(composed_of_choices(choices_made))
    values = OverridesParser.create().parse_overrides([o for o in overrides if not is_choice(o)])
    ConfigLoaderImpl._apply_overrides_to_config(values, config)
    return config


def is_choice(override: str) -> bool:
    """Return whether an override chooses from a group."""
    key = override.lstrip("+~").partition("=")[0]
    return "/" in key or "@" in key or (CONF / key).is_dir() or key == "sweeps"


@functools.cache
def composed_of_choices(overrides: tuple[str, ...]) -> DictConfig:
    """Return the config of these choices."""
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
