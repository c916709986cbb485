"""Runs that are trained together and leave the folders, records and checkpoints of single runs.

What a run alone does from its config to its record (training/run.py) each member does here, up to
the fit and from its end on; the fit is one of the Trainer for all of them.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from experiments.config.composer import Config, apply_full_batch
from experiments.config.launch import Launch
from experiments.errors.error_table import TABLE
from experiments.errors.memory import is_out_of_memory
from experiments.errors.messages import RunFailed, UserError
from experiments.record.claim import Known
from experiments.record.disk import DiskRefused, refusal
from experiments.training import console, devices
from experiments.training.check import check_config, check_launch
from experiments.training.claimed_folder import check_planned_code
from experiments.training.interruption import Interruption, interruptible
from experiments.training.out_of_memory import let_go_of
from experiments.training.population.member_callbacks import MemberCallbacks
from experiments.training.population.member_checkpoints import CapturedCheckpoint
from experiments.training.population.member_life import (
    Claimed,
    GoesOnAlone,
    Life,
    Position,
    Started,
    life_of,
)
from experiments.training.population.member_logs import MemberLogs
from experiments.training.population.member_parts import build_member
from experiments.training.population.membership import why_alone
from experiments.training.population.population_module import PopulationModule
from experiments.training.population.stacked_batches import PopulationData
from experiments.training.run import train
from experiments.training.run_parts import RunParts
from experiments.training.trainer import trainer_with
from experiments.training.whole_checkpoint import LAST

log = logging.getLogger(__name__)

Outcome = Known | None | UserError | RunFailed | KeyboardInterrupt | SystemExit
"""What became of a member: what `training.run.train` returns, or what it raises."""


def train_members(
    configs: Sequence[Config],
    launches: Sequence[Launch],
    ended: Callable[[int, Outcome], object] = lambda place, outcome: None,
) -> list[Outcome]:
    """Train, test and record the runs that several configs describe, as `train` does each alone.

    Those that can be no members, or go on from a checkpoint, are trained alone after the others.
    So are all where the population breaks off with an error: it may be that of one of them.

    Args:
        configs: in plain values; alike but for their seeds and numbers (`population_key`).
        launches: one for each.
        ended: called with the place of a member and what became of it, as soon as that is known.

    Returns:
        One for each: the run, None where another process is training it, or what `train` raises:
        of a member that was stopped by a signal KeyboardInterrupt or SystemExit.
    """
    console.quiet_lightning()
    population = Population(configs, launches, ended)
    together = [i for i, config in enumerate(configs) if not is_alone(config, launches[i])]
    stop: Outcome = None
    if len(together) > 1:
        with console.logging_by(population.logs), population.interruption.heeded(is_of_sweep=True):
            stop = population.train(together)
    for place in range(len(configs)):
        if place not in population.outcomes:
            stop = stop or population.train_alone(place)
            population.outcomes.setdefault(place, stop)
    return [population.outcomes[place] for place in range(len(configs))]


def is_alone(config: Config, launch: Launch) -> bool:
    """Return whether a run can be no member, or not of a process that others are trained in."""
    is_live_at_wandb = config["logger"]["name"] == "wandb" and not launch.is_mirrored
    has_own_call = launch.in_folder or is_live_at_wandb or config["resume"] not in (None, "auto")
    return has_own_call or why_alone(config) is not None


@dataclass
class Population:
    """Members on their ways, each at its own place.

    Attributes:
        outcomes: of those whose way is over.
        lives: of the others, as far as they have begun.
        interruption: what a signal asks of all of them.
        num_claimed: how many are trained together.
    """

    configs: Sequence[Config]
    launches: Sequence[Launch]
    ended: Callable[[int, Outcome], object]
    logs: MemberLogs = field(default_factory=MemberLogs, init=False)
    outcomes: dict[int, Outcome] = field(default_factory=dict, init=False)
    lives: dict[int, Life] = field(default_factory=dict, init=False)
    interruption: Interruption = field(default_factory=Interruption, init=False)
    num_claimed: int = field(default=0, init=False)
    thrown: BaseException | None = field(default=None, init=False)

    def train(self, places: list[int]) -> Outcome:
        """Train some together, and return what has stopped all of them; None for nothing.

        Those that go on from checkpoints of the same step are a population of their own.
        """
        members: list[Started] = []
        try:
            for group in self.claimed(places):
                self.num_claimed = len(group)
                started = [self.proceed(place, next) for place in group]
                members = [member for member in started if isinstance(member, Started)]
                if members:
                    self.fit(members)
        except (KeyboardInterrupt, SystemExit) as stop:
            self.break_off(members, stop)
            return stop
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            log.warning(TABLE["population_broken"].format(error=reason), exc_info=error)
            self.break_off(members, None)
            if is_out_of_memory(error):
                members.clear()
                let_go_of(error)
        return None

    def claimed(self, places: list[int]) -> list[list[int]]:
        """Build the members and claim the folder of each; return who can be trained together.

        One that no other stands beside is given free, to be trained alone.
        """
        first: RunParts | None = None
        groups: dict[Position | None, list[int]] = {}
        for place in places:
            try:
                parts = self.built(place, first)
            except UserError as error:
                self.settle(place, error)
                continue
            if parts.num_ranks > 1 or not parts.datamodule.fits_in_memory:
                continue  # alone
            first = first or parts
            self.lives[place] = life_of(
                place, parts, self.launches[place], self.logs.keeping, lambda: self.num_claimed
            )
            claimed = self.proceed(place, next)
            if isinstance(claimed, Claimed):
                groups.setdefault(claimed.position, []).append(place)
        for group in groups.values():
            if len(group) == 1:
                self.proceed(group[0], lambda life: life.throw(GoesOnAlone()))
        return [group for group in groups.values() if len(group) > 1]

    def built(self, place: int, first: RunParts | None) -> RunParts:
        """Return the parts of a member, checked as those of a run alone."""
        config, launch = self.configs[place], self.launches[place]
        apply_full_batch(config, launch.overrides)
        config = launch.settled(config)
        check_config(config)
        check_launch(config, launch, is_resumed=False)
        parts = build_member(config, first)
        check_planned_code(launch, parts)
        return parts

    def proceed(
        self, place: int, how: Callable[[Life], Claimed | Started]
    ) -> Claimed | Started | None:
        """Go a part of a member's way, and settle it where that is its end."""
        try:
            with self.logs.about(place):
                return how(self.lives[place])
        except StopIteration as end:
            self.settle(place, end.value)
        except GoesOnAlone:
            del self.lives[place]
        except (UserError, RunFailed) as error:
            self.settle(place, error)
        except OSError as error:  # of a disk elsewhere than `paths.output`
            where = Path(error.filename or ".")
            self.settle(place, DiskRefused(refusal(error, where)))
        except (KeyboardInterrupt, SystemExit) as stop:
            self.settle(place, stop)
            if stop is not self.thrown:
                raise
        return None

    def settle(self, place: int, outcome: Outcome) -> None:
        self.lives.pop(place, None)
        self.outcomes[place] = outcome
        self.ended(place, outcome)

    def fit(self, members: list[Started]) -> None:
        """Train the members together; each is ended as soon as its training is over."""
        first, captured = members[0].parts, CapturedCheckpoint()
        module = PopulationModule(members, captured)
        telling = MemberCallbacks(
            module, self.finish, self.fail, self.logs.about, self.interruption
        )
        config = first.config
        trainer = trainer_with(
            config,
            [telling],
            first.accelerator,
            first.num_devices,
            has_validation=first.trainer.checkpointing[0].monitor is not None,
            checkpoint_io=captured,
        )
        checkpoint = module.checkpoint()
        if checkpoint is not None:
            captured.loaded = checkpoint
        devices.keep_freed_memory()
        with (
            interruptible(trainer),
            devices.without_asking_for_gpus(),
            devices.computing_with(first.num_threads, config["trainer"]["matmul_precision"]),
        ):
            data = PopulationData([member.parts.datamodule for member in members])
            path = None if checkpoint is None else LAST
            trainer.fit(module, data, ckpt_path=path, weights_only=True)
            for member in module.active:
                member.saving.unstack()
                self.finish(member)

    def finish(self, member: Started) -> None:
        self.proceed(member.place, next)

    def fail(self, member: Started, error: Exception) -> None:
        self.proceed(member.place, lambda life: life.throw(error))

    def break_off(self, members: list[Started], stop: BaseException | None) -> None:
        """End all members that are on their way, such that each can go on from where it stood.

        Args:
            stop: the signal, which is what became of them; None where they go on alone at once.
        """
        for member in members:
            if member.place in self.lives and member.trainer.saving is not None:
                with contextlib.suppress(OSError), self.logs.about(member.place):
                    member.saving.write()
        self.thrown = stop or KeyboardInterrupt()
        for place in list(self.lives):
            if stop is not None:
                self.proceed(place, lambda life: life.throw(stop))
                continue
            with contextlib.suppress(KeyboardInterrupt), self.logs.about(place):
                self.lives.pop(place).throw(self.thrown)

    def train_alone(self, place: int) -> Outcome:
        """Train a run by itself; return the signal that has stopped it, None for none."""
        outcome: Outcome
        try:
            outcome = train(self.configs[place], self.launches[place])
        except (UserError, RunFailed, KeyboardInterrupt, SystemExit) as error:
            outcome = error
        self.settle(place, outcome)
        return outcome if isinstance(outcome, KeyboardInterrupt | SystemExit) else None
