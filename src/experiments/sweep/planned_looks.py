"""At which numbers of seeds a sweep is looked at, said before it runs: `sweep.until=settled`.

What is looked at several times, and stopped at what pleases, claims too much; looks that were
planned share one chance of a false claim among them. So they are declared with all else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from experiments.config.schema import DUNNETT, SPENDING, are_looks
from experiments.errors.messages import user_error
from experiments.errors.wording import spelled
from experiments.record.identity import BLOCKS
from experiments.sweep.grid import Grid, values_of_key

MOST_SEEDS = 20
"""Up to so many seeds all signs of the exact test are enumerated."""
NUM_LOOKS = 5
ALPHA = 0.05

Node = Mapping[str, Any]


def seeds_to_plan(node: Node, seeds: list[int] | None) -> list[int] | None:
    """Return the seeds of a sweep that says no list of them: with looks, as many as may be needed.

    Args:
        node: the part `sweep` of its config.
        seeds: those that `sweep.seeds` names.
    """
    is_list = isinstance(node["seeds"], list)
    if node["until"] is None or is_list:
        return seeds
    last = node["looks"][-1] if are_looks(node["looks"]) else MOST_SEEDS
    number = node["max_seeds"] or (last if seeds is None else len(seeds))
    return list(range(number))


def planned_looks(
    node: Node, factor: Sequence[str], control: Sequence[str] | None, grid: Grid, num_seeds: int
) -> list[int] | None:
    """Return the looks of a sweep, None for one without; UserError where it can have none.

    Args:
        node: the part `sweep` of its config.
        num_seeds: of each setting, at most.
    """
    if node.get("until") is None:
        check_nothing_is_planned(node)
        return None
    if node.get("test") == DUNNETT:
        raise user_error("looks_dunnett")
    if len(factor) > 1:
        raise user_error("looks_two_factors", given=",".join(factor), first=factor[0])
    number = num_settings(factor, grid)
    if number < 2:
        raise user_error("looks_of_nothing")
    is_control = control is not None and node["comparisons"] == "control"
    family = number - 1 if is_control else number * (number - 1) // 2
    looks, most = node.get("looks"), node.get("max_seeds")
    if looks is not None and most is not None and most != looks[-1]:
        longer = [*(look for look in looks if look < most), most]
        words = {"most": most, "looks": spelled(looks), "longer": spelled(longer)}
        raise user_error("looks_end", **words)
    last = looks[-1] if looks is not None else most or num_seeds
    if last > num_seeds:
        raise user_error("looks_beyond", last=last, number=num_seeds)
    return looks or default_looks(family, last, str(node.get("spending") or SPENDING))


def check_nothing_is_planned(node: Node) -> None:
    """Raise UserError for a key of looks in a sweep that has none."""
    first = {"looks": None, "max_seeds": None, "spending": SPENDING}
    for key, value in first.items():
        given = node.get(key, value)
        if given != value:
            words = {"given": f"sweep.{key}={spelled(given)}", "key": f"sweep.{key}"}
            raise user_error("looks_without_until", **words, first=spelled(value))


def num_settings(factor: Sequence[str], grid: Grid) -> int:
    """Return how many settings are compared with each other, as far as the grid tells."""
    keys = [key for key in grid.keys if key not in (*BLOCKS, "data")]
    counts = [len(values_of_key(grid, key)) for key in (factor or keys)]
    if not all(counts):  # a choice of another package varies them
        counts = [len(values_of_key(grid, key)) for key in keys]
    return prod(counts)


def default_looks(family: int, last: int, spending: str) -> list[int]:
    """Return looks from the first that can show a difference, evenly to the last.

    Args:
        family: how many comparisons share the chance of a false claim.

    Raises:
        UserError: that one is no earlier than the last.
    """
    # With numpy and scipy, which no other sweep waits for.
    from experiments.comparison.statistics.planning import fewest_seeds
    from experiments.comparison.statistics.spending import Looks

    level = ALPHA / family
    numbers = range(2, last)
    first = next((n for n in numbers if Looks((n, last), spending).first_claim(level) == n), None)
    if first is None:
        counted = f"{family} comparison{'s' if family > 1 else ''}"
        more = max(MOST_SEEDS, 2 * fewest_seeds(family, ALPHA))
        raise user_error("looks_too_few", family=counted, last=last, more=more)
    steps = range(NUM_LOOKS)
    return list(dict.fromkeys(first + (last - first) * i // (NUM_LOOKS - 1) for i in steps))
