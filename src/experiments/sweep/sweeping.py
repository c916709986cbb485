"""A sweep from its command to its end, under whatever launcher Hydra was given."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.errors import TABLE, RunFailed, Terminated, UserError, user_error
from experiments.sweep.board import Board, summary, tell_failures, tell_plan
from experiments.sweep.composition import Composer
from experiments.sweep.declaration import Declaration, check_place, declare
from experiments.sweep.grid import Cell, Grid
from experiments.sweep.job import Result
from experiments.sweep.plan import Examiner, Plan, data_key, make_plan
from experiments.sweep.source import Listed, Source
from experiments.sweep.tuning import tune
from experiments.tracking import agent
from experiments.tracking.mirror import following

Config = dict[str, Any]
WAIT_SECONDS = 1.0
TELLING_SECONDS = 1.0
"""How long W&B's mirror may go on after a Ctrl-C."""


class Carrier(Examiner, Protocol):
    """Who carries out the jobs of plans: this machine's workers, a cluster, Hydra's launchers."""

    def measures(self, config: Config) -> list[str]:
        """Return the names of what is measured on the data of a config."""

    @property
    def at_once(self) -> int:
        """How many jobs work side by side."""

    def carry_out(
        self, source: Source, board: Board, composer: Composer, retry_failed: bool
    ) -> None:
        """Carry out all jobs that a source gives."""


@dataclass
class Sweep:
    """A sweep that is being carried out.

    Attributes:
        composer: makes the configs of its jobs.
        carrier: carries them out.
        declaration: what the sweep is about.
        sweep_dir: where its runs are.
        retry_failed: runs that have failed before are tried again.
        dry_run: nothing is carried out; what would be is told.
        command: what was typed.
    """

    composer: Composer
    carrier: Carrier
    declaration: Declaration
    sweep_dir: Path
    retry_failed: bool
    dry_run: bool
    command: str

    def plan(self, cells: Sequence[Cell], sweep_dir: Path | None = None) -> Plan:
        """Return the plan of these cells."""
        place = sweep_dir or self.sweep_dir
        return make_plan(cells, self.composer, self.carrier, place, self.retry_failed)

    def settle_metric(self, plan: Plan) -> None:
        """Have the declaration name a metric that all runs measure, or raise UserError."""
        by_data = {data_key(job.config): job.config for job in plan.jobs}
        names = [self.carrier.measures(config) for config in by_data.values()]
        self.declaration = self.declaration.with_metric(names)

    def carry_out(self, plan: Plan, metric: str | None = None) -> list[tuple[str, Result]]:
        """Carry out what is missing, and return the jobs that came to nothing.

        Runs that another launcher is at are waited for, and taken up where that one is gone.
        """
        print(summary(plan, self.carrier.at_once), flush=True)
        results: dict[str, Result] = {}
        while True:
            to_do = [job for job in plan.to_do if was_left(results.get(job.identity))]
            if to_do:
                source = Listed(to_do)
                at_once = self.carrier.at_once
                with Board(plan, metric or self.declaration.metric, at_once) as board:
                    self.carrier.carry_out(source, board, self.composer, self.retry_failed)
                results |= source.results
            elif plan.counts()["running"]:
                time.sleep(WAIT_SECONDS)
            else:
                break
            plan = plan.anew()
        return failures(plan, results)


def was_left(result: Result | None) -> bool:
    """Return whether a job is still to be carried out, for all that is known here."""
    return result is None or result.outcome == "taken"


@contextlib.contextmanager
def mirrored(sweep_dir: Path) -> Iterator[None]:
    """Have the runs of a sweep written to W&B while they grow.

    From before the plan is made, so that W&B is imported while the jobs' server imports torch.
    """
    with following(sweep_dir) as process:
        try:
            yield
        except KeyboardInterrupt:
            # What is not told by then is told with the next launch.
            threading.Timer(TELLING_SECONDS, process.kill).start()
            raise
        except UserError:
            process.kill()  # nothing to wait for; what is not told yet is told later
            raise


def wants_mirror(master: DictConfig, grid: Grid) -> bool:
    """Return whether some run of a sweep may be one that W&B is told of."""
    is_told = master.logger.name == "wandb" or "logger" in grid.keys
    return is_told and not master.sweep.dry_run


def failures(plan: Plan, results: dict[str, Result]) -> list[tuple[str, Result]]:
    """Return the jobs of a plan that came to nothing, now or before."""
    found = []
    for job in plan.jobs:
        result = results.get(job.identity)
        known = plan.known.get(job.identity)
        if result is None and known is not None and known.record["status"] == "failed":
            message = f"{known.record['error']} (before; sweep.retry_failed=true tries it again)"
            result = Result("failed", str(known.folder), message)
        if result is not None and result.outcome in ("failed", "refused", "interrupted"):
            found.append((job.name, result))
    return found


def finish(failed: list[tuple[str, Result]], sweep_dir: Path) -> None:
    """Say where the runs are, and raise RunFailed where some came to nothing."""
    print(f"Runs: {sweep_dir}")
    if failed:
        tell_failures(failed)
        raise RunFailed(TABLE["sweep_failed"].format(number=len(failed)))


def command() -> str:
    """Return the command that this process was started with, as one types it."""
    return shlex.join(["python", *sys.argv])


@contextlib.contextmanager
def continuable() -> Iterator[None]:
    """Say after a Ctrl-C how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"To continue: {command()}", file=sys.stderr)
        raise


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM do in the block what Ctrl-C does."""
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    except KeyboardInterrupt as error:
        if received:  # Lightning, where a job is at work in this process, makes another of it
            raise Terminated from error
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def sweep(
    master: DictConfig,
    loader: ConfigLoader,
    make_grid: Callable[[], Grid],
    make_carrier: Callable[[DictConfig], contextlib.AbstractContextManager[Carrier]],
    protocol: Callable[[Sweep, Grid, Config], list[tuple[str, Result]]] | None = None,
) -> None:
    """Carry out the sweep of a command.

    Args:
        master: its config.
        loader: Hydra's.
        make_grid: gives its values.
        make_carrier: gives who carries out its jobs.
        protocol: carries it out where that is not the protocol of its config.

    Raises:
        UserError: a mistake in the command; nothing was written.
        RunFailed: some jobs came to nothing.
    """
    if agent.run_id():
        raise user_error("sweep_of_an_agent")
    grid = make_grid()
    settle_folder(master, grid)
    with contextlib.ExitStack() as stack:
        stack.enter_context(continuable())
        carrier = stack.enter_context(make_carrier(master))
        stack.enter_context(ended_by_sigterm())  # Ray, when it starts, has it end the process
        composer = Composer(loader, master)
        grid.check_conditions(composer.options_of)
        node: Any = OmegaConf.to_container(master.sweep, resolve=True)
        sweep_dir = Path(composer.sweep_dir)
        if not node["dry_run"]:
            check_place(sweep_dir)  # before the data are read, or fetched
        declaration = Declaration.of(
            node, master.protocol, grid, lambda key: composer.value_of(grid.fixed, key)
        )
        this = Sweep(
            composer,
            carrier,
            declaration,
            sweep_dir,
            node["retry_failed"],
            node["dry_run"],
            command(),
        )
        protocol = protocol or (tune if declaration.protocol == "tuned" else fixed)
        if wants_mirror(master, grid):
            stack.enter_context(mirrored(sweep_dir))
        failed = protocol(this, grid, node)
    if not this.dry_run:
        finish(failed, sweep_dir)


def fixed(this: Sweep, grid: Grid, node: Config) -> list[tuple[str, Result]]:
    """Carry out every setting as given, and return the jobs that came to nothing."""
    plan = this.plan(grid.cells(this.composer.value_of))
    this.settle_metric(plan)
    if this.dry_run:
        tell_plan(plan, this.carrier.at_once)
        return []
    declare(this.sweep_dir, this.declaration, this.command)
    return this.carry_out(plan)


def settle_folder(master: DictConfig, grid: Grid) -> None:
    """Fix the sweep's folder, and tell each job of it and of what is swept, whoever launches it."""
    sweep_dir = str(master.hydra.sweep.dir)
    if master.protocol == "tuned":
        # Beside the runs of the values as given, which are another comparison.
        sweep_dir += "-tuned"
    keys = ",".join(grid.keys)
    quoted = QuotedString(sweep_dir, Quote.single).with_quotes()
    told = [f"hydra.sweep.dir={quoted}", f"hydra.sweeper.swept=[{keys}]"]
    with open_dict(master.hydra):
        master.hydra.sweep.dir = sweep_dir
        master.hydra.overrides.hydra = [*master.hydra.overrides.hydra, *told]
