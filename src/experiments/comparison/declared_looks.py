"""At which numbers of seeds a sweep was to be looked at: what stood in its file before its runs.

Looks that are chosen when runs are there share out nothing: the file's first word counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.comparison.declared import before_the_runs, first_starts
from experiments.comparison.reading import Reading
from experiments.comparison.statistics.spending import Looks
from experiments.config.schema import SETTLED, SPENDING
from experiments.errors.error_table import TABLE
from experiments.errors.messages import user_error
from experiments.errors.wording import spelled


@dataclass(frozen=True)
class DeclaredLooks:
    """Looks, and the seeds that they are at, in their order: the first look is at the first ones.

    >>> DeclaredLooks(Looks((2, 3)), (5, 6, 7)).seeds_at(2)
    (5, 6)
    """

    looks: Looks
    seeds: tuple[int, ...]

    def seeds_at(self, number: int) -> tuple[int, ...]:
        return self.seeds[:number]


def looks_of(reading: Reading, factor: Sequence[str]) -> tuple[DeclaredLooks | None, str | None]:
    """Return the looks that sweeps declared before their runs, and what is said of others.

    Runs of further sweeps, and of none, are judged at the same looks: that keeps the level.

    Raises:
        UserError: two sweeps declared different looks.
    """
    began = first_starts(reading.runs)
    said = {sweep: entries for sweep, entries in reading.declarations.items() if entries}
    declared = {s: looks_in(before_the_runs(entries, began.get(s))) for s, entries in said.items()}
    planned = {sweep: looks for sweep, looks in declared.items() if looks is not None}
    last = {sweep: looks_in(entries[-1]) for sweep, entries in said.items()}
    if len(set(planned.values())) > 1:
        each = "; ".join(f"{s}: {spelled(list(own.seeds))}" for s, own in planned.items())
        raise user_error("several_looks", each=each)
    if planned and len(factor) > 1:
        return None, TABLE["looks_factors"]
    late = [sweep for sweep, looks in last.items() if looks not in (None, declared[sweep])]
    unheard = TABLE["unheard_looks"].format(path=late[0]) if late else None
    return next(iter(planned.values()), None), unheard


def looks_in(declared: Mapping[str, Any]) -> DeclaredLooks | None:
    """Return the looks of a declaration, None for one without.

    >>> looks_in({"until": "settled", "looks": [2, 3], "seeds": [0, 1, 2]}).looks.sizes
    (2, 3)
    """
    seeds = tuple(declared.get("seeds") or ())
    if declared.get("until") != SETTLED or not seeds:
        return None
    sizes = tuple(n for n in declared.get("looks") or () if n <= len(seeds)) or (len(seeds),)
    spending = str(declared.get("spending") or SPENDING)
    return DeclaredLooks(Looks(sizes, spending), seeds[: sizes[-1]])
