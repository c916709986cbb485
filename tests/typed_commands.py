"""Whether a command that a text tells people to type composes."""

from __future__ import annotations

import functools
import re
import shlex

from composers import composer_of
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from running import CONF, composed

from experiments.config.arguments import readable
from experiments.config.composer import Composer, composer_at
from experiments.figures.graph.command_line import as_hydra_reads
from experiments.sweep.grid import grid_of

JOBS: set[tuple[str, ...]] = set()
"""The jobs of sweeps that composed already: several commands have the same."""

SHELL_VARIABLE = re.compile(r"\$[A-Z_]+")
"""What a shell would put a value for, as `$SLURM_ARRAY_TASK_ID`."""
COMMAND = re.compile(r"python (train|figures|compare)\.py ([^`\n]+)")


def commands_in(text: str) -> list[tuple[str, str]]:
    """Return the commands of a text as (script, what is typed after it), each once."""
    commands = {
        (script, shlex.join(shlex.split(line, comments=True)))
        for script, line in COMMAND.findall(text)
    }
    return sorted(command for command in commands if command[1] not in ("...", "--help"))


def quoted_below(text: str, command: str) -> list[str]:
    """Return the sentences that a page quotes below a command, a line for each."""
    [quote] = re.findall(rf"^{re.escape(command)}\n```\n\n((?:^>.*\n)+)", text, re.MULTILINE)
    return [line.lstrip(">- ") for line in quote.splitlines()]


def compose_command(script: str, line: str) -> None:
    """Raise where a command does not compose, or does not say what it is about."""
    line = SHELL_VARIABLE.sub("0", line)
    typed = get_args_parser().parse_args(shlex.split(line))
    if script == "train" and typed.multirun:
        compose_sweep(typed.overrides)
    elif script == "train":
        composed(*readable(typed.overrides))
    elif script == "figures":
        config = composed_by(script, as_hydra_reads(typed.overrides, CONF))
        assert config.figure.name in line
    else:
        config = composed_by(script, typed.overrides)
        assert config.runs or config.source


def compose_sweep(typed: list[str]) -> None:
    """Compose each job of a sweep; of a search, each of its choices."""
    with composer_of(*typed) as composer:
        sweeper = OmegaConf.to_container(composer.master.hydra.sweeper)
        own = sweeper["params"] or {}, sweeper.get("cases", []), sweeper.get("when", {})
        words = [o for o in typed if not o.startswith("hydra") and "interval(" not in o]
        cells = grid_of(words, *own, seeds=[0]).cells(composer.value_of)
        assert cells
        for job in {tuple(cell.overrides) for cell in cells} - JOBS:
            assert composer.config(job)
            JOBS.add(job)


def composed_by(script: str, words: list[str]) -> DictConfig:
    """Return the config of figures.py or compare.py, as those who derive configs have it."""
    return composer_by(script).task(words)


@functools.cache
def composer_by(script: str) -> Composer:
    GlobalHydra.instance().clear()
    return composer_at(CONF, script)
