"""Choices of a user's own at the door: said, held apart from ours, found by --help and shells."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from experiments.config.arguments import quoted
from experiments.config.config_folders import (
    CONF,
    SWEEPS,
    config_dir,
    own_confs,
    own_files,
    own_folder,
)
from experiments.errors.error_table import TABLE
from experiments.errors.messages import user_error
from experiments.errors.wording import few

MOST_NAMED = 6
SHOWING = re.compile(
    r"(--cfg|-c(job|all|hydra)?|--info|-i|--hydra-help|--version|--shell-completion|-sc)(=|$)"
)
"""Options with which Hydra shows something, and nothing is done."""


def refuse_hidden_files(arguments: Sequence[str], conf: Path) -> None:
    """Raise UserError for a file of a user's own that has the name of one of ours."""
    here = Path.cwd()
    for group, file in own_files(own_confs(arguments), own_folder(SWEEPS)):
        ours = (conf / group / file.name, conf.parent / group / file.name)
        if any(path.is_file() for path in ours):
            path = file.relative_to(here) if file.is_relative_to(here) else file
            raise user_error("hidden_file", path=path, group=group, instead=f"my_{file.stem}")


def tell_own(arguments: Sequence[str], config_name: str) -> None:
    """Say in one line which choices of the folder that one stands in join ours."""
    is_shown_only = any(SHOWING.match(argument) for argument in arguments)
    is_other_rank = os.environ.get("LOCAL_RANK", "0") != "0"
    if is_shown_only or is_other_rank or config_name not in ("config", "figures"):
        return
    here, sweeps = own_folder(CONF), own_folder(SWEEPS)
    # One that was typed needs no telling.
    confs = [folder for folder in own_confs(arguments) if folder == here]
    folders = [f"{folder.name}/" for folder in (*confs, sweeps) if folder is not None]
    own = [f"{group}={file.stem}" for group, file in own_files(confs, sweeps)]
    if own:
        print(TABLE["own"].format(folders=" and ".join(folders), choices=few(own, MOST_NAMED)))


def also_searched(arguments: Sequence[str]) -> list[str]:
    """Return the override by which what --config-dir names is found outside of Hydra's command."""
    typed = config_dir(arguments)
    if typed is None or not typed.is_dir() or any("hydra.searchpath" in a for a in arguments):
        return []
    return [f"hydra.searchpath=[sweeps://,{quoted(f'file://{typed.resolve()}')}]"]


def with_completed_folder(arguments: list[str]) -> list[str]:
    """Return what a shell asks for completions, with the --config-dir of the line to complete."""
    if not any(argument.startswith("query=") for argument in arguments):
        return arguments
    typed = config_dir(os.environ.get("COMP_LINE", "").split())
    is_there = typed is not None and typed.is_dir()
    return [*arguments, f"--config-dir={typed}"] if is_there else arguments
