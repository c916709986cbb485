"""A search from its command to its end: `hydra/sweeper=optuna5`.

A trial is a setting; its value is the mean over the seeds of the validation metric. The test set
is never touched: what a search has selected is biased upwards by the selection, and deserves
fresh seeds and one test afterwards.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from optuna.distributions import distribution_to_json

from experiments.config.composer import Composer, added_by, announced
from experiments.config.mistakes import in_our_words
from experiments.config.overrides import NOT_IN_SWEEP_NAMES, is_within, key_of
from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError, check_choice, user_error
from experiments.errors.wording import listed
from experiments.record.claim import forget_dead_owners
from experiments.record.identity import canonical, identity_of
from experiments.record.metric import is_higher_better, names_in_stages
from experiments.sweep.changed_code import check_code_of_search
from experiments.sweep.changed_data import check_same_data
from experiments.sweep.declaration import seeds_of
from experiments.sweep.grid import Cell, Grid, file_overrides, read_overrides
from experiments.sweep.jobs.board import Board
from experiments.sweep.jobs.carrier import Carrier
from experiments.sweep.jobs.hydra_launchers import HydraCarrier
from experiments.sweep.plan import Codes, Job, SweepPlan, data_key
from experiments.sweep.search.options import WILCOXON, Options
from experiments.sweep.search.samplers import pruner_of
from experiments.sweep.search.search_report import SearchReport, tell_search
from experiments.sweep.search.space import Space, space_of
from experiments.sweep.search.study import FILE, SearchSpec, open_study
from experiments.sweep.search.trial_source import TrialSource
from experiments.sweep.start import start_sweep
from experiments.sweep.sweep import Failures, Sweep


@dataclass(frozen=True)
class Search:
    """A search as it was typed.

    Attributes:
        fixed: the overrides of all of its runs.
        seeds: of every trial.
    """

    spec: SearchSpec
    fixed: tuple[str, ...]
    seeds: list[int]

    @property
    def name(self) -> str:
        """What the study is called: a hash, so that whatever is typed otherwise is another one."""
        parameters = [
            [parameter.name, parameter.when, distribution_to_json(parameter.distribution)]
            for parameter in self.spec.space.parameters
        ]
        fixed = [
            f"{override.key_or_group}={canonical(override.value())}"
            for override in read_overrides(self.fixed)
            if not is_within(key_of(override.get_key_element()), NOT_IN_SWEEP_NAMES)
        ]
        content = {
            "space": parameters,
            "fixed": sorted(fixed),
            "metric": self.spec.metric,
            "seeds": self.seeds,
            **self.spec.options.plain(),
        }
        del content["n_trials"]
        text = json.dumps(content, sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()

    @property
    def grid(self) -> Grid:
        """What a sweep declares of its values."""
        seeds = {"seed": [str(seed) for seed in self.seeds]}
        return Grid(list(self.fixed), {**self.spec.space.declared(), **seeds})

    def cells(self, overrides: Sequence[str]) -> list[Cell]:
        """Return the jobs of a trial, which leave the test set alone."""
        fixed = (*self.fixed, "test=false")
        return [Cell(fixed, (*overrides, f"seed={seed}")) for seed in self.seeds]

    def run_trials(self, sweep: Sweep, grid: Grid, node: Mapping[str, Any]) -> Failures:
        spec = replace(self.spec, retry_failed=sweep.retry_failed)
        # A key or a choice that is none is told before there is anything on disk.
        some = self.cells(spec.space.overrides(spec.space.example()))[0]
        config = sweep.composer.config(some.overrides)
        sweep.carrier.examiner.check(config, some.overrides)
        if sweep.dry_run and not (sweep.sweep_dir / FILE).is_file():
            tell_search(spec, None, len(self.seeds))
            return []
        pruner = pruner_of(spec.options, config["trainer"]["max_epochs"])
        jobs_of = TrialJobs(sweep, self)
        name = self.name
        if jobs_of.check_data(config):
            # What was best on other data is nothing to go on from.
            name += f"-{jobs_of.checksums[data_key(config)][:8]}"
        code = jobs_of.codes.of(config)
        if check_code_of_search(code, config["sweep"]["changed_code"], sweep.sweep_dir):
            name += f"-{identity_of({}, '', code)[:8]}"
        sweep.code |= code
        study = open_study(sweep.sweep_dir, name, spec.higher, pruner)
        tell_search(spec, study, len(self.seeds), in_full=sweep.dry_run)
        if sweep.dry_run:
            return []
        sweep.declaration = replace(sweep.declaration, metric=spec.metric)
        sweep.declare({"search": {**spec.options.plain(), "study": name}})
        if spec.options.pruner not in ("none", WILCOXON) and isinstance(
            sweep.carrier, HydraCarrier
        ):
            print(TABLE["pruner_waits"].format(pruner=spec.options.pruner))
        # Who prunes wants runs one after the other: the next one learns from those before it.
        together = sweep.carrier.most_together if spec.options.pruner == "none" else 1
        at_once = sweep.carrier.at_once
        board = Board(
            SweepPlan([], {}),
            spec.metric,
            at_once,
            is_higher_better=spec.higher,
        )
        source = TrialSource(
            spec,
            study,
            sweep.sweep_dir,
            jobs_of,
            at_once * min(together, len(self.seeds)),
            board.tell,
            at_once * together,
        )
        board.to_do = max(0, spec.num_missing(source.of_study())) * len(self.seeds)
        report = SearchReport(spec, study, sweep, self.cells, self.seeds)
        try:
            with source, board:
                sweep.carrier.run_jobs(source, board)
        finally:
            report.write()
            forget_dead_owners(sweep.sweep_dir)
        return source.failed


@dataclass
class TrialJobs:
    """Makes the jobs of trials, each with a number of its own."""

    sweep: Sweep
    search: Search
    numbers: Iterator[int] = field(default_factory=itertools.count, init=False)
    checksums: dict[str, str] = field(default_factory=dict, init=False)
    codes: Codes = field(init=False)

    def __post_init__(self) -> None:
        self.codes = Codes(self.sweep.carrier.examiner)

    def __call__(self, overrides: tuple[str, ...], is_busy: bool) -> list[Job] | None:
        """Return the jobs of a trial; None where the data's checksum has to wait for others.

        Raises:
            UserError: these values do not go together.
        """
        cells = self.search.cells(overrides)
        try:
            configs = [self.sweep.composer.config(cell.overrides) for cell in cells]
        except Exception as error:
            mistake = in_our_words(error)
            if mistake is None:
                raise
            raise UserError(str(mistake)) from error
        key = data_key(configs[0])
        if is_busy and not (key in self.checksums and self.codes.knows(configs[0])):
            return None  # who is asked for it would be heard in the midst of other answers
        if key not in self.checksums:
            self.check_data(configs[0])
        checksum, sweep_dir = self.checksums[key], self.sweep.sweep_dir
        return [
            Job.of(cell, config, checksum, sweep_dir, next(self.numbers), self.codes.of(config))
            for cell, config in zip(cells, configs, strict=True)
        ]

    def check_data(self, config: dict[str, Any]) -> bool:
        """Raise UserError where trials before were on other content of a config's data, unless
        that is allowed; return whether they were.
        """
        key, examiner = data_key(config), self.sweep.carrier.examiner
        self.checksums[key] = examiner.checksum(config)
        checksum = {key: self.checksums[key]}
        return check_same_data(checksum, {key: config}, self.sweep.sweep_dir, examiner)


def start_search(
    master: DictConfig,
    loader: ConfigLoader,
    typed: Sequence[str],
    params: Mapping[str, Any],
    options: Options,
    make_carrier: Callable[[DictConfig, Composer], AbstractContextManager[Carrier]],
) -> None:
    """Carry out the search of a command, as `start_sweep` does a sweep.

    What is typed takes the place of the values of a file, `params`.
    """
    if master.protocol != "fixed":
        raise user_error("search_protocol", given=master.protocol)
    if master.sweep.until is not None:
        raise user_error("search_until")
    search = search_of(master, loader, typed, params, options)
    tell_limits(search.spec.space, options)
    if not any(o.startswith("hydra.sweep.dir=") for o in master.hydra.overrides.hydra):
        # Beside the runs of a grid over the same keys, which are another question.
        with open_dict(master.hydra), read_write(master.hydra.sweep):
            with announced(master):
                sweep_dir = str(master.hydra.sweep.dir)
            master.hydra.sweep.dir = f"{sweep_dir}-{options.name}"
    start_sweep(master, loader, lambda: search.grid, make_carrier, search.run_trials)


def search_of(
    master: DictConfig,
    loader: ConfigLoader,
    typed: Sequence[str],
    params: Mapping[str, Any],
    options: Options,
) -> Search:
    """Return the search that a command means, or raise UserError where it means none."""
    own = file_overrides(params, set(map(key_of, typed)))
    every = read_overrides([*own, *typed], loader)
    swept = [o for o in every if o.is_sweep_override()]
    fixed = {key_of(o.get_key_element()): o for o in every if not o.is_sweep_override()}
    if any(key_of(o.get_key_element()) == "seed" for o in swept):
        raise user_error("searched_seed")
    if folds := [o for o in swept if key_of(o.get_key_element()) == "data.fold"]:
        raise user_error("searched_fold", given=folds[0].input_line)
    if "test" in fixed and fixed["test"].value() is True:
        raise user_error("searched_test")
    lines = [str(o.input_line) for key, o in fixed.items() if key not in ("seed", "test")]
    node: Any = OmegaConf.to_container(master.sweep, resolve=True)
    seeds = None if "seed" in fixed else seeds_of(node["seeds"])
    composer = Composer(loader, master)

    def search_of_optimizer(name: str | None) -> Mapping[str, list[Any]]:
        chosen = [] if name is None else [f"optim={name}"]
        space: Any = composer.config([*lines, *chosen])["optim"].get("search")
        return space or {}

    space = space_of(swept, lines, search_of_optimizer, options.sampler == "grid")
    metric = master.sweep.metric
    metric = "val/loss" if metric == "auto" else f"val/{metric.rpartition('/')[2]}"
    added = added_by(master)
    check_choice("sweep.metric", metric, names_in_stages("val", added=added))
    check_sampler(space, options)
    options.check_seeds(seeds or [master.seed])
    spec = SearchSpec(space, options, metric, is_higher_better(metric, added))
    return Search(spec, tuple(lines), seeds or [master.seed])


def check_sampler(space: Space, options: Options) -> None:
    """Raise UserError for a space that a sampler can do nothing with."""
    numbers = [parameter.name for parameter in space.parameters if not parameter.is_choice]
    if options.sampler == "cmaes" and len(numbers) < 2:
        raise user_error("cmaes", given=listed(numbers) or "no number")
    if options.sampler == "grid":
        space.grid()


def tell_limits(space: Space, options: Options) -> None:
    """Say what a sampler does not do."""
    if options.sampler == "cmaes":
        if choices := [p.name for p in space.parameters if p.is_choice]:
            print(f"sampler=cmaes moves numbers; drawn at random: {listed(choices)}.")
    elif options.sampler == "grid" and options.n_trials != len(space.grid()):
        size = len(space.grid())
        trials = (
            "all of them" if options.n_trials > size else f"{options.n_trials}, in random order"
        )
        print(f"sampler=grid: the space has {size} points; a trial for {trials}.")
