"""Whether a command that a text tells people to type composes."""

from __future__ import annotations

import re
import shlex

from composers import composer_of
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig
from running import CONF, composed

from experiments import schema
from experiments.figures.typed import understood
from experiments.sweep.grid import grid_of

COMMAND = re.compile(r"python (train|figures|compare)\.py ([^`\n]+)")


def commands_in(text: str) -> list[tuple[str, str]]:
    """Return the commands of a text as (script, what is typed after it), each once."""
    found = {(script, line.strip()) for script, line in COMMAND.findall(text)}
    return sorted(one for one in found if one[1] not in ("...", "--help"))


def check(script: str, line: str) -> None:
    """Raise where a command does not compose."""
    words = shlex.split(line, comments=True)
    if script == "train" and "-m" in words:
        check_sweep([word for word in words if word != "-m"])
    elif script == "train":
        composed(*words)
    elif script == "figures":
        composed_by(script, understood(words, CONF))
    else:
        composed_by(script, words)


def check_sweep(typed: list[str]) -> None:
    """Compose each job of a sweep."""
    with composer_of(*typed) as composer:
        cells = grid_of(typed, {}, seeds=[0]).cells(composer.value_of)
        assert cells
        assert all(composer.config(cell.overrides) for cell in cells)


def composed_by(script: str, words: list[str]) -> DictConfig:
    """Return the config of figures.py or compare.py."""
    schema.register()
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(script, words)
