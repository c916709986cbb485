"""How a sweep is started, from its command: its folder, its protocol, and how it ends."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from rich.console import Console

from experiments.config.arguments import at_home, command_line, quoted
from experiments.config.composer import Composer, announced
from experiments.config.overrides import key_of
from experiments.errors.error_table import TABLE
from experiments.errors.messages import RunFailed, Terminated, UserError, user_error
from experiments.sweep.declaration import Declaration, check_allowed, check_folder
from experiments.sweep.grid import Grid
from experiments.sweep.jobs.board import tell_failures
from experiments.sweep.jobs.carrier import Carrier
from experiments.sweep.sweep import Failures, Sweep
from experiments.sweep.tuning import tune
from experiments.sweep.until_settled import check_no_folds, complete, in_force, tell_plan
from experiments.tracking import agent
from experiments.tracking.mirror import following
from experiments.training.slurm_job import CODES, requeue, those_heard

Config = dict[str, Any]
TELLING_SECONDS = 1.0
"""How long W&B's mirror may go on after a Ctrl-C."""


Protocol = Callable[[Sweep, Grid, Config], Failures]
"""Carries out a sweep, given its grid and the part `sweep` of its config."""


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


def tell_answer(sweep: Sweep, grid: Grid) -> None:
    """Print what the sweep says by now."""
    # With numpy and scipy, which take 0.8 s of a processor (measured), and not before.
    from experiments.comparison.report.answer import print_answer
    from experiments.comparison.report.terminal import in_plain_signs

    types_seeds = "seed" in grid.swept and any(key_of(word) == "seed" for word in sys.argv[1:])
    more_seeds = "'seed=range(0,{n})'" if types_seeds else "sweep.seeds={n}"
    shown = Console(file=sys.stdout, highlight=False)
    with in_plain_signs(shown):
        print_answer(sweep.sweep_dir, sweep.declaration.metric, more_seeds, shown)


def finish(failed: Failures, sweep_dir: Path, compares: bool) -> None:
    """Say where the runs are, how they are reported, and which came to nothing."""
    print(f"Runs: {sweep_dir}")
    if compares:
        print(f"Report: {command_line(f'runs={sweep_dir}', door='compare')}")
    if failed:
        tell_failures(failed)
        raise RunFailed(TABLE["sweep_failed"].format(number=len(failed)))


@contextlib.contextmanager
def continuable() -> Iterator[None]:
    """Say after a Ctrl-C how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"To continue: {command_line(*sys.argv[1:])}", file=sys.stderr)
        raise


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM do in the block what Ctrl-C does, and within a SLURM job SIGUSR1.

    A job that SIGUSR1 has ended is put back into SLURM's queue at the block's end, when every run
    has been recorded; the same command goes on there.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = {how: signal.signal(how, interrupt) for how in those_heard()}
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as error:
        if isinstance(error, SystemExit) and error.code in CODES:
            # A job at work in this process hears the signal itself, and exits with its code.
            received.append(int(error.code or 0) - 128)
        if not received:
            raise
        if received[0] == signal.SIGUSR1:
            requeue()
        raise Terminated(received[0]) from error
    finally:
        for how, handler in before.items():
            signal.signal(how, handler)


def start_sweep(
    master: DictConfig,
    loader: ConfigLoader,
    make_grid: Callable[[], Grid],
    make_carrier: Callable[[DictConfig, Composer], contextlib.AbstractContextManager[Carrier]],
    protocol: Protocol | None = None,
) -> None:
    """Carry out the sweep of a command.

    Args:
        master: its config.
        make_grid: gives its values.
        make_carrier: gives who carries out its jobs.
        protocol: carries it out where that is not the protocol of its config.

    Raises:
        UserError: a mistake in the command; nothing was written.
        RunFailed: some jobs came to nothing.
    """
    if agent.run_id():
        raise user_error("sweep_of_an_agent")
    if master.again is not None:
        raise user_error("again_of_sweep", given=master.again)
    grid = make_grid()
    settle_folder(master, grid)
    # What comes next may take ten seconds, and more on a busy machine.
    print(TABLE["sweep_begins"], flush=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(continuable())
        composer = Composer(loader, master)
        carrier = stack.enter_context(make_carrier(master, composer))
        stack.enter_context(ended_by_signals())  # Ray, when it starts, has it end the process
        grid.check_conditions(composer.options_of)
        node: Any = OmegaConf.to_container(master.sweep, resolve=True)
        sweep_dir = Path(composer.sweep_dir)
        if not node["dry_run"]:
            check_folder(sweep_dir)  # before the data are read, or fetched
        declaration = Declaration.of(
            node, master.protocol, grid, lambda key: composer.value_of(grid.fixed, key)
        )
        check_allowed(declaration.allow, composer.options_of)
        declaration = in_force(declaration, sweep_dir)
        if declaration.until is not None:
            grid = grid.with_seeds(declaration.seeds)
        if declaration.protocol != "tuned" and node["tuning"]["space"] is not None:
            print(TABLE["no_effect"].format(given="sweep.tuning.space", with_="protocol=fixed"))
        retry_failed, dry_run = node["retry_failed"], node["dry_run"]
        command = command_line(*sys.argv[1:])
        sweep = Sweep(composer, carrier, declaration, sweep_dir, retry_failed, dry_run, command)
        if not dry_run and (master.logger.name == "wandb" or "logger" in grid.keys):
            stack.enter_context(mirrored(sweep_dir))
        given = tune if declaration.protocol == "tuned" else complete_as_given
        failed = (protocol or given)(sweep, grid, node)
    if not dry_run:
        if protocol is None:
            tell_answer(sweep, grid)
        finish(failed, sweep_dir, compares=protocol is None)


def complete_as_given(sweep: Sweep, grid: Grid, node: Config) -> Failures:
    plan = sweep.plan(grid.cells(sweep.composer.value_of))
    sweep.settle_metric(plan)
    if sweep.declaration.until is not None:
        check_no_folds(plan)
    if sweep.dry_run:
        tell_plan(sweep, plan)
        return []
    sweep.declare()
    return complete(sweep, plan)


def settle_folder(master: DictConfig, grid: Grid) -> None:
    """Fix the sweep's folder, and tell each job of it and of what is swept, whoever launches it."""
    with announced(master):
        sweep_dir = at_home(str(master.hydra.sweep.dir))
    if master.protocol == "tuned":
        # Beside the runs of the values as given, which are another comparison.
        sweep_dir += "-tuned"
    keys = ",".join(grid.keys)
    settled = [
        f"hydra.sweep.dir={quoted(sweep_dir)}",
        "hydra.sweep.subdir=.",
        f"hydra.sweeper.swept=[{keys}]",
    ]
    # As typed: an interpolation among them is resolved where it is composed.
    typed: Any = OmegaConf.to_container(master.hydra.overrides.hydra)
    for override in typed:
        if override.startswith("hydra.sweep.subdir="):
            print(TABLE["subdir"].format(given=override))
    # Hydra 1.4 has its own part read only.
    hydra = master.hydra
    with open_dict(hydra), read_write(hydra.sweep), read_write(hydra.overrides):
        master.hydra.sweep.dir = sweep_dir
        master.hydra.overrides.hydra = [*typed, *settled]
