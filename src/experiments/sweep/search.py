"""A search from its command to its end: `hydra/sweeper=optuna5`.

A trial is a setting; its value is the mean over the seeds of the validation metric. The test set
is never touched: what a search has selected is biased upwards by the selection, and deserves
fresh seeds and one test afterwards.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf, open_dict
from optuna.distributions import distribution_to_json

from experiments import door
from experiments.derived import is_higher_better
from experiments.errors import TABLE, UserError, check_choice, listed, user_error
from experiments.records import canonical, identity_of, setting_of
from experiments.schema import NO_PART_OF_A_NAME, is_within
from experiments.sweep.asked import Asked
from experiments.sweep.board import Board
from experiments.sweep.carriers import ForeignCarrier
from experiments.sweep.composition import Composer
from experiments.sweep.declaration import declare, seeds_of
from experiments.sweep.grid import Cell, Grid, Reader, file_overrides, key_of
from experiments.sweep.options import Options
from experiments.sweep.plan import Job, Plan, data_key
from experiments.sweep.search_report import Report, tell_search
from experiments.sweep.space import Space, space_of
from experiments.sweep.study import FILE, name_of, open_study, pruner_of
from experiments.sweep.sweeping import Carrier, Sweep, sweep
from experiments.sweep.trials import Trials

METRICS = ("val/loss", "val/accuracy", "val/mae", "val/r2")


@dataclass(frozen=True)
class Search:
    """A search as it was typed.

    Attributes:
        asked: its space, options and metric.
        fixed: the overrides of all of its runs.
        seeds: of every trial.
    """

    asked: Asked
    fixed: tuple[str, ...]
    seeds: list[int]

    @property
    def name(self) -> str:
        """What the study is called: whatever is typed otherwise makes another study."""
        parameters = [
            [one.name, one.when, distribution_to_json(one.distribution)]
            for one in self.asked.space.parameters
        ]
        fixed = [
            f"{override.key_or_group}={canonical(override.value())}"
            for override in Reader().overrides(self.fixed)
            if not is_within(key_of(override.get_key_element()), NO_PART_OF_A_NAME)
        ]
        return name_of(
            {
                "space": parameters,
                "fixed": sorted(fixed),
                "metric": self.asked.metric,
                "seeds": self.seeds,
                **self.asked.options.what_is_asked,
            }
        )

    @property
    def grid(self) -> Grid:
        """What a sweep declares of its values."""
        seeds = {"seed": [str(seed) for seed in self.seeds]}
        return Grid(list(self.fixed), {**self.asked.space.declared(), **seeds})

    def cells(self, overrides: Sequence[str]) -> list[Cell]:
        """Return the jobs of a trial, which leave the test set alone."""
        fixed = (*self.fixed, "test=false")
        return [Cell(fixed, (*overrides, f"seed={seed}")) for seed in self.seeds]

    def carry_out(self, this: Sweep, grid: Grid, node: Mapping[str, Any]) -> list[Any]:
        """Carry out the search, and return the jobs that came to nothing."""
        options, metric = self.asked.options, self.asked.metric
        # A key or a choice that is none is told before there is anything on disk.
        some = self.cells(self.asked.space.overrides(self.asked.space.example()))[0]
        config = this.composer.config(some.overrides)
        this.carrier.check(config, some.overrides)
        has_study = (this.sweep_dir / FILE).is_file()
        if this.dry_run and not has_study:
            tell_search(self.asked, None, len(self.seeds))
            return []
        pruner = pruner_of(options, config["trainer"]["max_epochs"])
        study = open_study(this.sweep_dir, self.name, self.asked.higher, pruner)
        tell_search(self.asked, study, len(self.seeds), in_full=this.dry_run)
        if this.dry_run:
            return []
        said = {"search": {**asdict(options), "study": self.name}}
        declare(this.sweep_dir, replace(this.declaration, metric=metric), this.command, said)
        board = Board(Plan([], {}), metric, this.carrier.at_once)
        source = Trials(
            replace(self.asked, retry_failed=this.retry_failed),
            study,
            this.sweep_dir,
            Jobs(this, self),
            this.carrier.at_once,
            lambda text: board.console.print(text, markup=False, soft_wrap=True),
        )
        board.to_do = max(0, self.asked.num_missing(source.of_study())) * len(self.seeds)
        if options.pruner != "none" and isinstance(this.carrier, ForeignCarrier):
            print(TABLE["pruner_waits"].format(pruner=options.pruner))
        report = Report(self.asked, study, this, lambda o: self.cells(o)[0].overrides, self.seeds)
        try:
            with source, board:
                this.carrier.carry_out(source, board, this.composer, this.retry_failed)
        finally:
            report.write()
        return source.failed


class Jobs:
    """Makes the jobs of trials, each with a number of its own."""

    def __init__(self, this: Sweep, search: Search) -> None:
        self.this = this
        self.search = search
        self.numbers = itertools.count()
        self.checksums: dict[str, str] = {}

    def __call__(self, overrides: tuple[str, ...], is_busy: bool) -> list[Job] | None:
        """Return the jobs of a trial; None where the data's checksum has to wait for others.

        Raises:
            UserError: these values do not go together.
        """
        cells = self.search.cells(overrides)
        try:
            configs = [self.this.composer.config(cell.overrides) for cell in cells]
        except Exception as error:
            told = door.in_our_words(error)
            if told is None:
                raise
            raise UserError(str(told)) from error
        key = data_key(configs[0])
        if key not in self.checksums:
            if is_busy:
                return None  # who is asked for it would be heard in the midst of other answers
            self.checksums[key] = self.this.carrier.checksum(configs[0])
        return [
            Job(
                cell,
                config,
                identity_of(config, self.checksums[key]),
                setting_of(config, self.checksums[key]),
                self.this.sweep_dir,
                next(self.numbers),
            )
            for cell, config in zip(cells, configs, strict=True)
        ]


def search(
    master: DictConfig,
    loader: ConfigLoader,
    typed: Sequence[str],
    params: Mapping[str, Any],
    options: Options,
    make_carrier: Callable[[DictConfig], AbstractContextManager[Carrier]],
) -> None:
    """Carry out the search of a command.

    Args:
        master: its config.
        loader: Hydra's.
        typed: the overrides of the command line.
        params: `hydra.sweeper.params`; what is typed takes the place of a file's values.
        options: how to search.
        make_carrier: gives who carries out its jobs.

    Raises:
        UserError: a mistake in the command; nothing was written.
        RunFailed: some jobs came to nothing.
    """
    if master.protocol != "fixed":
        raise user_error("search_protocol", given=master.protocol)
    this = search_of(master, loader, typed, params, options)
    tell_limits(this.asked.space, options)
    if not any(o.startswith("hydra.sweep.dir=") for o in master.hydra.overrides.hydra):
        # Beside the runs of a grid over the same keys, which are another question.
        with open_dict(master.hydra):
            master.hydra.sweep.dir = f"{master.hydra.sweep.dir}-{options.name}"
    sweep(master, loader, lambda: this.grid, make_carrier, this.carry_out)


def search_of(
    master: DictConfig,
    loader: ConfigLoader,
    typed: Sequence[str],
    params: Mapping[str, Any],
    options: Options,
) -> Search:
    """Return the search that a command means, or raise UserError where it means none."""
    every = Reader(loader).overrides([*file_overrides(params, {key_of(o) for o in typed}), *typed])
    swept = [o for o in every if o.is_sweep_override()]
    fixed = {key_of(o.get_key_element()): o for o in every if not o.is_sweep_override()}
    if any(key_of(o.get_key_element()) == "seed" for o in swept):
        raise user_error("searched_seed")
    if "test" in fixed and fixed["test"].value() is True:
        raise user_error("searched_test")
    lines = [str(o.input_line) for key, o in fixed.items() if key not in ("seed", "test")]
    typed_seeds: Any = OmegaConf.to_container(master.sweep, resolve=True)
    typed_seeds = typed_seeds["seeds"]
    seeds = None if "seed" in fixed else seeds_of(typed_seeds)
    composer = Composer(loader, master)

    def search_of_optimizer(name: str | None) -> Mapping[str, list[Any]]:
        chosen = [] if name is None else [f"optim={name}"]
        found: Any = composer.config([*lines, *chosen])["optim"].get("search")
        return found or {}

    space = space_of(swept, lines, search_of_optimizer, options.sampler == "grid")
    metric = master.sweep.metric
    metric = "val/loss" if metric == "auto" else f"val/{metric.rpartition('/')[2]}"
    check_choice("sweep.metric", metric, METRICS)
    check_sampler(space, options)
    asked = Asked(space, options, metric, is_higher_better(metric))
    return Search(asked, tuple(lines), seeds or [master.seed])


def check_sampler(space: Space, options: Options) -> None:
    """Raise UserError for a space that a sampler can do nothing with."""
    numbers = [one for one in space.parameters if not one.is_choice]
    if options.sampler == "cmaes" and len(numbers) < 2:
        raise user_error("cmaes", given=listed(one.name for one in numbers) or "no number")
    if options.sampler == "grid":
        space.grid()


def tell_limits(space: Space, options: Options) -> None:
    """Say what a sampler does not do."""
    if options.sampler == "cmaes":
        if choices := [one.name for one in space.parameters if one.is_choice]:
            print(f"sampler=cmaes moves numbers; drawn at random: {listed(choices)}.")
    elif options.sampler == "grid" and options.n_trials != len(space.grid()):
        size = len(space.grid())
        told = "all of them" if options.n_trials > size else f"{options.n_trials}, in random order"
        print(f"sampler=grid: the space has {size} points; a trial for {told}.")
