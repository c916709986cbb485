"""What a setting is tuned over: its own values by key, a grid, or points drawn from ranges.

Every setting gets as many trials as any other. A grid of several keys soon has more points than
that; then the trials are the values of the setting's own files, so that tuning never ends below
them unseen, and points of a randomised Halton sequence, the same for every setting in the unit
cube of its ranges.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.config.overrides import dotted_keys, key_of
from experiments.errors.likeness import nearest_key
from experiments.errors.messages import refuse_unless, user_error
from experiments.errors.wording import listed, spelled
from experiments.record.identity import NOT_IN_IDENTITY
from experiments.sweep.quasi_random import halton
from experiments.sweep.tuning_dimension import Dimension

Values = dict[str, Any]
Config = Mapping[str, Any]

TRIALS_OF_A_KEY = 9
"""Half a decade apart over four decades, as in the optimizers' own `search`."""
OWN_RANGES: dict[str, tuple[float, float]] = {
    "optim.weight_decay": (1e-5, 1.0),
    "optim.momentum": (0.5, 0.999),
    "optim.eps": (1e-10, 1e-2),
    "model.dropout": (0.0, 0.5),
}
"""Ranges of keys that no optimizer's `search` names, by key: wide, since an edge says when one is
too narrow. Weight decay is wide enough for one that is a part of the gradient (1e-5 to 1e-2) and
one that is not (1e-3 to 1; Loshchilov & Hutter 2019)."""
BESIDE_ONE = ("optim.momentum",)
"""Keys of which the distance from 1 counts, on a logarithmic scale: 1 / (1 - momentum) is how many
steps are averaged (Choi et al. 2019, "On empirical comparisons of optimizers", appendix D)."""
NO_VALUES = ("seed", "sweep", "test", "optim.name", "optim.full_batch", "optim.no_decay")
"""Keys that are no part of a recipe; nor is what an identity leaves out, or a `_target_`."""
MISSING = object()


@dataclass(frozen=True)
class TuningSpace:
    """What one setting is tried with.

    Attributes:
        points: the values of each trial.
        drawn_by: the seed of the sequence that they are drawn by; None for a grid.
    """

    dimensions: list[Dimension]
    points: list[Values]
    drawn_by: int | None = None

    def __len__(self) -> int:
        return len(self.points)

    def plain(self) -> dict[str, Any]:
        ranges = {dimension.key: dimension.words for dimension in self.dimensions}
        how = "grid" if self.drawn_by is None else f"Halton sequence, seed {self.drawn_by}"
        return {"ranges": ranges, "by": how}


def space_of(config: Config, typed: Sequence[str], node: Mapping[str, Any]) -> TuningSpace:
    """Return what a setting is tuned over.

    Args:
        config: of the setting.
        typed: its overrides, none of which fixes what is tuned.
        node: `sweep.tuning`: `space` names keys of the optimizer, or others in full, as a list, or
            with a range (two numbers) or values each; None: those of `optim.search`. `trials` is
            how many; None: all combinations where values are given, else nine for each key.

    Raises:
        UserError: no such key, no range, or values that cannot be tuned over.
    """
    num_trials = node["trials"]
    least, given = 2, num_trials
    refuse_unless(given is None or given >= least, "sweep.tuning.trials", given, "2 or more", 9)
    dimensions = dimensions_of(config, node.get("space"))
    keys = {dimension.key for dimension in dimensions}
    if fixing := [override for override in typed if key_of(override) in keys]:
        raise user_error("tuned_key", given=fixing[0])
    # A list of values is one to take as it is; a range beside it makes it one.
    are_lists = all(dimension.choices for dimension in dimensions)
    size = math.prod(len(dimension.choices) for dimension in dimensions)
    if are_lists and num_trials in (None, size):
        return TuningSpace(dimensions, grid_of(dimensions))
    least_ratio = 1 if len(dimensions) == 1 else 10
    ranges = [as_range(dimension, least_ratio) for dimension in dimensions]
    number = num_trials or TRIALS_OF_A_KEY * len(ranges)
    if len(ranges) == 1 and not ranges[0].choices:
        [only] = ranges
        values = dict.fromkeys(only.at(i / (number - 1)) for i in range(number))
        if len(values) == number:
            return TuningSpace(ranges, [{only.key: value} for value in values])
    seed = node.get("space_seed") or 0
    return TuningSpace(ranges, drawn(ranges, config, number, seed), seed)


def grid_of(dimensions: Sequence[Dimension]) -> list[Values]:
    keys = [dimension.key for dimension in dimensions]
    rows = itertools.product(*(dimension.choices for dimension in dimensions))
    return [dict(zip(keys, row, strict=True)) for row in rows]


def drawn(dimensions: Sequence[Dimension], config: Config, number: int, seed: int) -> list[Values]:
    """Return the setting's own values, and further points of the sequence, none of them twice."""
    own = {d.key: value for d in dimensions if (value := value_at(config, d.key)) is not MISSING}
    points = [own] if len(own) == len(dimensions) else []
    seen = {spelled(list(point.values())) for point in points}
    for index in range(1000 * number):
        u = halton(index, len(dimensions), seed)
        point = {d.key: d.at(part) for d, part in zip(dimensions, u, strict=True)}
        if (word := spelled(list(point.values()))) not in seen:
            points.append(point)
            seen.add(word)
        if len(points) >= number:
            return points[:number]
    keys = listed(dimension.key for dimension in dimensions)
    raise user_error("trials_of_values", given=number, keys=keys, own=len(points))


def dimensions_of(config: Config, space: Any) -> list[Dimension]:
    """Return the keys that are tuned, each with its values or its range."""
    search = {f"optim.{key}": v for key, v in (config["optim"].get("search") or {}).items()}
    if space is None:
        if not search:
            raise user_error("no_search_space", optim=config["optim"]["name"])
        return [Dimension(key, tuple(values)) for key, values in search.items()]
    words = [space] if isinstance(space, str) else space
    is_good = isinstance(words, Mapping | list) and words and all(map(is_word, words))
    instead = "[lr,weight_decay]"
    refuse_unless(is_good, "sweep.tuning.space", spelled(space), "a list of keys", instead)
    named = words if isinstance(words, Mapping) else dict.fromkeys(words)
    full = {word if "." in word else f"optim.{word}": given for word, given in named.items()}
    return [dimension_of(config, key, given, search) for key, given in full.items()]


def is_word(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def dimension_of(config: Config, key: str, given: Any, search: Mapping[str, Any]) -> Dimension:
    """Return a key with the values, or the range, that were given, or are its own."""
    check_key(config, key)
    if given is None:
        if key in search:
            return Dimension(key, tuple(search[key]))
        if key not in OWN_RANGES:
            raise user_error("no_own_range", key=key, known=listed([*search, *OWN_RANGES]))
        return range_of(config, key, *OWN_RANGES[key])
    allowed = "the two ends of a range, the lower first, or at least two values"
    fits = isinstance(given, list) and len(given) >= 2
    if fits and len(given) == 2 and all(map(is_number, given)):
        fits = given[0] < given[1]
        if fits:
            return range_of(config, key, *given)
    if not fits:
        raise user_error("tuned_values", key=key, given=spelled(given), allowed=allowed)
    return Dimension(key, tuple(given))


def check_key(config: Config, key: str) -> None:
    """Raise UserError for a key that a setting has not, or that is no part of a recipe."""
    if not may_be_tuned(key):
        raise user_error("no_part_of_recipe", key=key)
    if value_at(config, key) is MISSING:
        group = key.partition(".")[0]
        of_group = config.get(group)
        own = dotted_keys(of_group, f"{group}.") if isinstance(of_group, Mapping) else []
        own = [name for name in own if may_be_tuned(name)] or sorted(config)
        about = {"key": key, "optim": config["optim"]["name"], "own": listed(own)}
        near = nearest_key(key, own)
        raise user_error("tuned_no_key", **about, hint=f" Did you mean {near}?" if near else "")


def may_be_tuned(key: str) -> bool:
    barred = (*NO_VALUES, *NOT_IN_IDENTITY)
    return not key.endswith("_target_") and not any(
        key == word or key.startswith(f"{word}.") for word in barred
    )


def value_at(config: Config, key: str) -> Any:
    """Return a value of a nested config; MISSING where there is no such key."""
    value: Any = config
    for word in key.split("."):
        if not isinstance(value, Mapping) or word not in value:
            return MISSING
        value = value[word]
    return value


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def range_of(config: Config, key: str, low: float, high: float) -> Dimension:
    """Return a range: logarithmic over more than a decade of numbers above 0, else linear."""
    own = value_at(config, key)
    if own is not None and not is_number(own):
        raise user_error("tuned_no_number", key=key, own=spelled(own))
    is_whole = type(own) is int and isinstance(low, int) and isinstance(high, int)
    scale = "log" if low > 0 and high / low > 10 else "linear"
    if key in BESIDE_ONE and low >= 0 and high < 1:
        scale = "beside_one"
    ends = (low, high) if is_whole else (float(low), float(high))
    return Dimension(key, (), *ends, scale, is_whole, 0 in (low, own))


def as_range(dimension: Dimension, least_ratio: float) -> Dimension:
    """Return what a list of values stands for where others than these are tried.

    Numbers stand for all between the least and the largest, evenly on a logarithmic scale, if these
    are further apart than a ratio; all else for itself.
    """
    values = dimension.choices
    if not values or not all(map(is_number, values)) or min(values) <= 0:
        return dimension
    low, high = float(min(values)), float(max(values))
    return Dimension(dimension.key, (), low, high) if high / low > least_ratio else dimension
