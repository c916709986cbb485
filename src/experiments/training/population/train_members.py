"""Runs that are trained together and leave the folders, records and checkpoints of single runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from experiments.config.composer import Config
from experiments.config.launch import Launch
from experiments.errors.messages import RunFailed, UserError
from experiments.record.claim import Known
from experiments.training.run import train

Outcome = Known | None | UserError | RunFailed | KeyboardInterrupt | SystemExit
"""What became of a member: what `training.run.train` returns, or what it raises."""


def train_members(
    configs: Sequence[Config],
    launches: Sequence[Launch],
    ended: Callable[[int, Outcome], object] = lambda place, outcome: None,
) -> list[Outcome]:
    """Train, test and record the runs that several configs describe, as `train` does each alone.

    Args:
        configs: in plain values; alike but for their seeds and numbers (`population_key`).
        launches: one for each.
        ended: called with the place of a member and what became of it, as soon as that is known.

    Returns:
        One for each: the run, None where another process is training it, or what `train` raises:
        of a member that was stopped by a signal KeyboardInterrupt or SystemExit.
    """
    outcomes: list[Outcome] = []
    for place, (config, launch) in enumerate(zip(configs, launches, strict=True)):
        stopped = outcomes[-1] if outcomes and is_stop(outcomes[-1]) else None
        outcomes.append(stopped or train_alone(config, launch))
        ended(place, outcomes[-1])
    return outcomes


def is_stop(outcome: Outcome) -> bool:
    return isinstance(outcome, KeyboardInterrupt | SystemExit)


def train_alone(config: Config, launch: Launch) -> Outcome:
    """Return what `train` returns or raises."""
    try:
        return train(config, launch)
    except (UserError, RunFailed, KeyboardInterrupt, SystemExit) as error:
        return error
