"""`protocol=tuned`: every setting first gets its own best values, at equal cost, then fresh seeds.

An optimizer that was tuned looks better than one that was not, whatever it is. So each setting has
the same number of trials over its own search space (`optim.search` of its file, or the keys of
`sweep.tuning.space`), on the same tuning seeds, without the test set; the best mean validation
score wins, a run that diverged counts as the worst. The winner is then trained on seeds that tuning
never saw, and only there is the test set touched: the selected trial's own score is biased upwards
by the selection.

Sivaprasad et al. 2020, "Optimizer benchmarking needs to account for hyperparameter tuning";
Schneider, Balles & Hennig 2019, "DeepOBS", section 2.3.
"""

from __future__ import annotations

import itertools
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
from experiments.sweep.tuning_space import TuningSpace, space_of, value_at
from experiments.sweep.until_settled import complete

FOLDER = "tuning"
LATER = {"space": None, "space_seed": 0}
"""Keys that `sweep.tuning` has had since a later version: declarations of before lack them."""

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
    spaces = [
        space_of(sweep.composer.config(cell.overrides), cell.overrides, node["tuning"])
        for cell in settings
    ]
    check_equal(settings, spaces)
    check_drawn(spaces, node["tuning"])
    tuning_seeds, seeds = seeds_apart(node["tuning"]["seeds"], grid)
    trials = [
        trial_cell(cell, values, seed)
        for seed in tuning_seeds
        for cell, space in zip(settings, spaces, strict=True)
        for values in space.points
    ]
    plan = sweep.plan(trials, sweep.sweep_dir / FOLDER)
    sweep.settle_metric(plan)
    if sweep.dry_run:
        sweep.tell_plan(plan)
        most = "at most " if sweep.declaration.until else ""
        number = len(settings) * len(seeds)
        print(f"Then {most}{number} runs with what was selected.")
        return []
    asked = {k: v for k, v in node["tuning"].items() if k not in LATER or v != LATER[k]}
    sweep.declare({"tuning": asked})
    print(f"Tuning {len(settings)} settings, {len(spaces[0])} trials each{drawn_words(spaces)}:")
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


def drawn_words(spaces: Sequence[TuningSpace]) -> str:
    """Return what trials are drawn from, where they are."""
    ranges = {d.key: d.words for space in spaces for d in space.dimensions}
    if all(space.drawn_by is None for space in spaces):
        return ""
    own = {
        len({d.words for space in spaces for d in space.dimensions if d.key == k}) for k in ranges
    }
    each = [f"{key} {words}" for key, words in ranges.items()] if own == {1} else list(ranges)
    seed = max(space.drawn_by or 0 for space in spaces)
    return f": its own values, and a Halton sequence (seed {seed}) over {'; '.join(each)}"


def check_drawn(spaces: Sequence[TuningSpace], node: Config) -> None:
    """Raise UserError for a seed of the sequence where nothing is drawn by it."""
    seed = node.get("space_seed")
    if seed and all(space.drawn_by is None for space in spaces):
        given = f"sweep.tuning.space_seed={seed}"
        raise user_error("no_effect", given=given, with_="a grid of values")


def check_equal(settings: Sequence[Cell], spaces: Sequence[TuningSpace]) -> None:
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
    spaces: Sequence[TuningSpace],
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
        for values in space.points:
            cells = [trial_cell(cell, values, seed) for seed in seeds]
            scores = [score_of(plan, jobs[frozenset(c.overrides)], metric) for c in cells]
            trials.append(TriedValues(values, scores))
        config = sweep.composer.config(cell.overrides)
        own = {dimension.key: value_at(config, dimension.key) for dimension in space.dimensions}
        delta = sweep.declaration.delta
        selections.append(selection_of(list(cell.swept), trials, own, known, space, delta))
    return selections


def score_of(plan: SweepPlan, job: Job, metric: str) -> float | None:
    """Return the validation score of a run; None where it has none to show."""
    known = plan.known.get(job.identity)
    if known is None or known.record["status"] != "completed":
        return None
    return known.record["metrics"].get(metric)
