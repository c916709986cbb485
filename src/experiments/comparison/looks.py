"""What a sweep asks at each of its looks: which settings it has to go on with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from experiments.comparison.at_looks import PairAtLook
from experiments.comparison.declared_looks import looks_of
from experiments.comparison.design import Request
from experiments.comparison.judged import Judged
from experiments.comparison.pairs import pair_dicts
from experiments.comparison.reading import Reading, read_runs
from experiments.comparison.verdict import judged_runs
from experiments.errors.messages import user_error


@dataclass(frozen=True)
class Opened:
    """What is open when a sweep has been looked at.

    Attributes:
        settings: what the records of runs have as `setting`, of all that a sweep goes on with:
            those of open comparisons that reached this look, and what they are compared with. Empty
            where all is settled.
        settled: a sentence for each comparison that is settled, at this look or before it.
        still_open: a sentence for each that is not.
        incomplete: how many of them the look could not judge, as seeds are missing; those with a
            crashed run, that is, where the sweep has ended all others.
    """

    settings: frozenset[str]
    settled: list[str]
    still_open: list[str]
    incomplete: int


def open_settings(runs_folder: Path, seeds: int | None = None) -> Opened:
    """Return which settings of a sweep are still open once it has been looked at.

    What is settled is found from the records alone, look by look, and so is the same whenever it
    is asked, and by whomever: runs of later seeds change nothing.

    Args:
        runs_folder: of the sweep.
        seeds: the number of seeds of the look, one that was declared; later seeds are left out.
            None: all that are complete.

    Raises:
        UserError: no look was declared before the first run, or there is nothing to compare.
    """
    reading = read_runs([runs_folder])
    reading = reading if seeds is None else up_to(reading, seeds)
    design, tasks, _ = judged_runs(reading, Request())
    if design.looks is None:
        raise user_error("no_looks", path=runs_folder)
    looks = design.looks.looks.sizes if seeds is None else (seeds,)
    settled: list[str] = []
    still_open: list[str] = []
    incomplete = 0
    for judged in tasks:
        prefix = f"{judged.task.name}: " if len(tasks) > 1 else ""
        for pair in pair_dicts(judged, design):
            sentence = prefix + pair["sentence"]
            (settled if pair["look"]["settled"] else still_open).append(sentence)
            incomplete += not pair["look"]["settled"] and pair["look"]["seeds"] != looks[-1]
    going_on = frozenset(name for judged in tasks for name in open_in(judged, seeds))
    return Opened(going_on, settled, still_open, incomplete)


def up_to(reading: Reading, seeds: int) -> Reading:
    """Return what was read without the runs of seeds that come after a look."""
    declared, _ = looks_of(reading, ())
    if declared is None:
        return reading
    known = {*declared.seeds_at(seeds)}
    return replace(reading, runs=[run for run in reading.runs if run.record["seed"] in known])


def open_in(judged: Judged, seeds: int | None) -> set[str]:
    """Return what the records of a task call the settings that its open pairs are of, but of those
    that did not reach the look at so many seeds: no later one can judge them.
    """
    return {
        scored.run.record["setting"]
        for indices, at in judged.at_looks.items()
        if not at.standing.is_settled and (seeds is None or reached(at, judged, seeds))
        for index in indices
        for scored in judged.task.settings[index].every
    }


def reached(at: PairAtLook, judged: Judged, seeds: int) -> bool:
    look = at.standing.look
    return look is not None and judged.looks is not None and judged.looks.looks.sizes[look] == seeds
