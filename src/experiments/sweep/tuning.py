"""`protocol=tuned`: every setting first gets its own best values, at equal cost, then fresh seeds.

An optimizer that was tuned looks better than one that was not, whatever it is. So each setting has
the same number of trials over its own search space (`optim.search` of its file), on the same tuning
seeds, without the test set; the best mean validation score wins, a run that diverged counts as the
worst. The winner is then trained on seeds that tuning never saw, and only there is the test set
touched: the selected trial's own score is biased upwards by the selection.

Sivaprasad et al. 2020, "Optimizer benchmarking needs to account for hyperparameter tuning";
Schneider, Balles & Hennig 2019, "DeepOBS", section 2.3.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from experiments.config.overrides import key_of, of_other_keys, override_of
from experiments.errors.error_table import TABLE
from experiments.errors.messages import refuse_unless, user_error
from experiments.errors.wording import listed
from experiments.record.metric import known_as
from experiments.sweep.grid import Cell, Grid
from experiments.sweep.jobs.job import Result
from experiments.sweep.plan import Job, SweepPlan
from experiments.sweep.selection import (
    Selection,
    TriedValues,
    Values,
    selection_of,
    tell_selections,
    write_selection,
)
from experiments.sweep.sweep import Failures, Sweep
from experiments.sweep.until_settled import complete

FOLDER = "tuning"

Config = dict[str, Any]


def tune(sweep: Sweep, grid: Grid, node: Config) -> Failures:
    """Carry out both stages, and return the jobs that came to nothing.

    Whatever is done already, of either stage, is not done again.
    """
    settings = [cell.without("seed") for cell in grid.cells(sweep.composer.value_of)]
    settings = list({cell.swept: cell for cell in settings}.values())
    for cell in settings:
        # Points that one fold tests would be among those that chose the values for another.
        if folds := sweep.composer.config(cell.overrides)["data"]["folds"]:
            raise user_error("tuned_folds", given=folds)
    spaces = [space_of(sweep, cell, node["tuning"]["trials"]) for cell in settings]
    check_equal(settings, spaces)
    tuning_seeds, seeds = seeds_apart(node["tuning"]["seeds"], grid)
    trials = [
        trial_cell(cell, values, seed)
        for seed in tuning_seeds
        for cell, space in zip(settings, spaces, strict=True)
        for values in space
    ]
    plan = sweep.plan(trials, sweep.sweep_dir / FOLDER)
    sweep.settle_metric(plan)
    if sweep.dry_run:
        sweep.tell_plan(plan)
        most = "at most " if sweep.declaration.until else ""
        number = len(settings) * len(sweep.declaration.seeds or seeds)
        print(f"Then {most}{number} runs with what was selected.")
        return []
    sweep.declare({"tuning": node["tuning"]})
    print(f"Tuning {len(settings)} settings, {len(spaces[0])} trials each:")
    metric = validation_metric(sweep.declaration.metric)
    failed = sweep.complete(plan, metric)
    if failed:
        # What they would have come to may have been the best: nothing is chosen without them.
        print("No values are chosen before every tuning run has come to a result.")
        return failed
    selections = select(sweep, settings, spaces, tuning_seeds, plan, metric)
    write_selection(sweep.sweep_dir, selections, metric)
    tell_selections(selections, metric, known_as(metric, sweep.added))
    return complete_with_winners(sweep, settings, selections, seeds)


def complete_with_winners(
    sweep: Sweep, settings: Sequence[Cell], selections: Sequence[Selection], seeds: Sequence[int]
) -> Failures:
    """Train each setting with its chosen values on fresh seeds; one without any is a failure."""
    failed = [
        (selection.name, Result("failed", message=TABLE["no_trial"]))
        for selection in selections
        if selection.chosen is None
    ]
    final = [
        cell_with(cell, selection.values, seed)
        for seed in seeds
        for cell, selection in zip(settings, selections, strict=True)
        if selection.chosen is not None
    ]
    if final:
        print("Fresh seeds:")
        failed += complete(sweep, sweep.plan(final))
    return failed


def space_of(sweep: Sweep, cell: Cell, num_trials: int | None) -> list[Values]:
    """Return the values that a setting is tried with: all combinations of its search space.

    With a number of trials, as many values of a single key, evenly spaced in its logarithm between
    the smallest and the largest.
    """
    optim = sweep.composer.config(cell.overrides)["optim"]
    search = optim.get("search")
    if not search:
        raise user_error("no_search_space", optim=optim["name"])
    keys = [f"optim.{key}" for key in search]
    typed = [o for o in cell.overrides if key_of(o) in keys]
    if typed:
        raise user_error("tuned_key", given=typed[0])
    lists = list(search.values())
    if num_trials is not None and len(keys) == 1 and num_trials != len(lists[0]):
        lists = [evenly_spaced(min(lists[0]), max(lists[0]), num_trials)]
    space = [dict(zip(keys, row, strict=True)) for row in itertools.product(*lists)]
    if num_trials not in (None, len(space)):
        about = {"optim": optim["name"], "keys": listed(keys), "own": len(space)}
        raise user_error("trials_of_grid", given=num_trials, **about)
    return space


def evenly_spaced(low: float, high: float, number: int) -> list[float]:
    """Return numbers from `low` to `high`, evenly spaced in their logarithm, of four digits.

    >>> evenly_spaced(0.001, 10, 5)
    [0.001, 0.01, 0.1, 1.0, 10.0]
    """
    refuse_unless(number >= 2 and low > 0, "sweep.tuning.trials", number, "2 or more", 9)
    step = math.log(high / low) / (number - 1)
    return [float(f"{low * math.exp(step * i):.4g}") for i in range(number)]


def check_equal(settings: Sequence[Cell], spaces: Sequence[list[Values]]) -> None:
    """Raise UserError where settings would get different numbers of trials."""
    sizes = {len(space) for space in spaces}
    if len(sizes) > 1:
        each = (
            f"{', '.join(cell.swept)}: {len(space)}"
            for cell, space in zip(settings, spaces, strict=True)
        )
        raise user_error("unequal_budgets", sizes="; ".join(each), instead=max(sizes))


def seeds_apart(tuning_seeds: Sequence[int], grid: Grid) -> tuple[list[int], list[int]]:
    """Return the seeds of tuning and of the final runs, or raise UserError for a shared one."""
    seeds = [int(seed) for seed in grid.swept.get("seed", ["0"])]
    shared = sorted(set(seeds) & set(tuning_seeds))
    allowed = "at least one seed, and none of the final runs' "
    allowed += f"(shared: {listed(shared)})" if shared else ""
    fits, given = tuning_seeds and not shared, listed(tuning_seeds) or "[]"
    refuse_unless(fits, "sweep.tuning.seeds", given, allowed, "[1000,1001,1002]")
    return list(tuning_seeds), seeds


def cell_with(cell: Cell, values: Values, seed: int, fixed: Sequence[str] = ()) -> Cell:
    """Return the job of a setting; `fixed` stands in place of its overrides of the same keys."""
    others = of_other_keys(cell.fixed, ("seed", *map(key_of, fixed)))
    more = itertools.starmap(override_of, values.items())
    return Cell((*others, *fixed), (*cell.swept, *more, f"seed={seed}"))


def trial_cell(cell: Cell, values: Values, seed: int) -> Cell:
    """Return the job of a trial, which leaves the test set alone."""
    return cell_with(cell, values, seed, ["test=false"])


def validation_metric(metric: str) -> str:
    """Return what a metric is selected by.

    >>> validation_metric("test/accuracy"), validation_metric("val/loss")
    ('val/accuracy', 'val/loss')
    """
    return f"val/{metric.rpartition('/')[2]}"


def select(
    sweep: Sweep,
    settings: Sequence[Cell],
    spaces: Sequence[list[Values]],
    seeds: Sequence[int],
    plan: SweepPlan,
    metric: str,
) -> list[Selection]:
    """Return the best trial of every setting, from the records on disk."""
    plan = sweep.plan([job.cell for job in plan.jobs], sweep.sweep_dir / FOLDER)
    jobs = {frozenset(job.cell.overrides): job for job in plan.jobs}
    known = known_as(metric, sweep.added)
    selections = []
    for cell, space in zip(settings, spaces, strict=True):
        trials = []
        for values in space:
            cells = [trial_cell(cell, values, seed) for seed in seeds]
            scores = [score_of(plan, jobs[frozenset(c.overrides)], metric) for c in cells]
            trials.append(TriedValues(values, scores))
        own = sweep.composer.config(cell.overrides)["optim"]
        selections.append(selection_of(list(cell.swept), trials, own, known))
    return selections


def score_of(plan: SweepPlan, job: Job, metric: str) -> float | None:
    """Return the validation score of a run; None where it has none to show."""
    known = plan.known.get(job.identity)
    if known is None or known.record["status"] != "completed":
        return None
    return known.record["metrics"].get(metric)
