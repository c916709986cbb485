"""What a declaration says of its runs before there are any: keys that vary, and levels to come."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from experiments.comparison.reading import FoundRun
from experiments.config.overrides import is_same, key_and_word, key_of, meaning

Declared = Mapping[str, Any]
Words = Mapping[str, Sequence[str]]

FOLLOWS_SEED = "${seed}"


def varied_in(declarations: Iterable[Declared]) -> frozenset[str]:
    """Return the keys that take several values on purpose."""
    return frozenset(
        key_of(key)
        for declared in declarations
        for grid in (declared["values"], *declared["cases"], *declared["when"].values())
        for key in grid
    )


def before_the_runs(declarations: Sequence[Declared], began: str | None) -> Declared:
    """Return the last declaration of a sweep that is no later than the start of its first run.

    The first one where all are later, as in a folder into which runs were copied.

    >>> said = [{"declared_at": "2026-01-01", "test": "a"}, {"declared_at": "2026-01-03"}]
    >>> before_the_runs(said, "2026-01-02")["test"]
    'a'
    """
    before = [d for d in declarations if began is None or str(d.get("declared_at", "")) <= began]
    return before[-1] if before else declarations[0]


def first_starts(runs: Iterable[FoundRun]) -> dict[str | None, str]:
    """Return when the first run of each sweep began, by its folder; None for those of no sweep."""
    began: dict[str | None, str] = {}
    for run in runs:
        moment = run.record["started_at"]
        began[run.sweep] = min(moment, began.get(run.sweep, moment))
    return began


def following_seed(declarations: Iterable[Declared]) -> frozenset[str]:
    """Return the keys that take the run's seed as their value, as `data.split_seed=${seed}`.

    >>> following_seed([{"fixed": ["data.split_seed=${seed}", "optim.lr=0.1"]}])
    frozenset({'data.split_seed'})
    """
    every = [key_and_word(o) for declared in declarations for o in declared.get("fixed", ())]
    return frozenset(key for key, word in every if word.strip("'\"") == FOLLOWS_SEED)


def folds_in(declarations: Iterable[Declared]) -> tuple[int, ...]:
    """Return the folds that a cross validation is declared to have, as `data.fold=0,1,2`."""
    every = {word for declared in declarations for word in declared["values"].get("data.fold", ())}
    return tuple(sorted(int(word) for word in every if str(word).isdecimal()))


def combinations(
    declared: Declared, factor: Sequence[str], task: str, own: Words
) -> Iterator[tuple[str, ...]]:
    """Yield the values of the factor, one of each key, that a declaration has runs of.

    Args:
        task: the name of the data set; rows of other ones have no part in it.
        own: what the sweep's runs have of the keys that it does not vary.

    >>> said = {"values": {"optim": ["sgd", "adam"]}, "cases": [], "when": {}}
    >>> list(combinations(said, ["optim", "loss"], "digits", {"loss": ["mse"]}))
    [('sgd', 'mse'), ('adam', 'mse')]
    """
    for row in declared["cases"] or [{}]:
        grid = {key_of(key): words for key, words in {**row, **declared["values"]}.items()}
        is_elsewhere = "data" not in factor and not any(
            is_same(task, word) for word in row.get("data", [task])
        )
        if is_elsewhere:
            continue
        known = {key: grid[key] for key in factor if key in grid}
        for chosen in itertools.product(*known.values()):
            values = dict(zip(known, ([word] for word in chosen), strict=True))
            more = further(declared["when"], {**grid, **values})
            each = [values.get(key) or more.get(key) or own.get(key, []) for key in factor]
            yield from itertools.product(*each)


def further(conditions: Mapping[str, Words], grid: Words) -> dict[str, Sequence[str]]:
    """Return the values that a sweep has for some jobs only, where it is certain that these are
    among them.
    """
    values: dict[str, Sequence[str]] = {}
    for condition, then in conditions.items():
        wanted = [key_and_word(part) for part in condition.split()]
        is_met = [len(grid.get(key, ())) == 1 and is_same(grid[key][0], w) for key, w in wanted]
        if all(is_met):
            values |= {key_of(key): words for key, words in then.items()}
    return values


def is_known(word: str) -> bool:
    """Return whether it can be told whether a run has this value; null is no level."""
    return "${" not in word and meaning(word) != "None"
