"""From what was typed, and what a sweep's file says, to the list of jobs.

A sweep is a product of values (`hydra.sweeper.params` and the command line), to which a file may
add rows of values that belong together (`cases`) and values for some of the jobs only (`when`).
Seeds are the outermost loop: every setting gets its first seed before any gets its second, so
that a sweep which is looked at half-way is one of whole blocks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, RangeSweep

from experiments.door import refuse_secrets
from experiments.errors import check_choice, user_error
from experiments.records import canonical

Choices = dict[str, list[str]]
ValueOf = Callable[[Sequence[str], str], Any]
OptionsOf = Callable[[str], list[str] | None]


@dataclass(frozen=True)
class Cell:
    """One job of a grid, as overrides.

    Attributes:
        fixed: what all jobs share.
        swept: what makes this job another than the others; it names the run's folder.
    """

    fixed: tuple[str, ...]
    swept: tuple[str, ...]

    @property
    def overrides(self) -> list[str]:
        """All that Hydra needs to compose the job; a swept key stands in place of a fixed one."""
        own = {key_of(o) for o in self.swept}
        return [*(o for o in self.fixed if key_of(o) not in own), *self.swept]

    def without(self, key: str) -> Cell:
        """Return the cell without one of its swept keys."""
        return Cell(self.fixed, tuple(o for o in self.swept if key_of(o) != key))


@dataclass(frozen=True)
class Grid:
    """The values of a sweep before they are combined.

    Attributes:
        fixed: overrides that all jobs share.
        swept: the values of every key that has several, in the order of the loops.
        cases: rows of values that belong together; each job takes one.
        when: further values for the jobs where a condition holds, e.g. `optim=sgd`.
    """

    fixed: list[str]
    swept: Choices
    cases: list[Choices] = field(default_factory=list)
    when: dict[str, Choices] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """Every key that is swept, in order, without the signs + and ~."""
        every = [*self.swept, *itertools.chain(*self.cases), *itertools.chain(*self.when.values())]
        return list(dict.fromkeys(key.lstrip("+~") for key in every))

    def cells(self, value_of: ValueOf) -> list[Cell]:
        """Return the jobs.

        Args:
            value_of: gives the value that a key has with some overrides.
        """
        seeds = {k: v for k, v in self.swept.items() if k == "seed"}
        others = {k: v for k, v in self.swept.items() if k != "seed"}
        found: dict[tuple[str, ...], Cell] = {}
        for seed in product(seeds):
            for case in self.cases or [{}]:
                for row in product({**case, **others}):
                    for more in self._further(row, value_of):
                        cell = Cell(tuple(self.fixed), (*row, *more, *seed))
                        found.setdefault(cell.swept, cell)
        return list(found.values())

    def check_conditions(self, options_of: OptionsOf) -> None:
        """Raise UserError for a condition that no job can meet: of a key or a choice that is none.

        Args:
            options_of: gives the choices of a group, nothing for another key, None for no key.
        """
        for condition in self.when:
            for part in condition.split():
                key, _, value = part.partition("=")
                options = options_of(key)
                if options is None:
                    raise user_error("condition_key", given=condition, key=key)
                if options:
                    check_choice(f"hydra.sweeper.when: {key}", value, options)

    def _further(self, row: tuple[str, ...], value_of: ValueOf) -> Iterable[tuple[str, ...]]:
        overrides = Cell(tuple(self.fixed), row).overrides
        holding = [
            further
            for condition, further in self.when.items()
            if all(holds(part, overrides, value_of) for part in condition.split())
        ]
        return product({key: values for part in holding for key, values in part.items()})


def product(choices: Choices) -> Iterable[tuple[str, ...]]:
    """Yield every combination as overrides; the last key varies fastest.

    >>> list(product({"a": ["1", "2"], "b": ["x"]}))
    [('a=1', 'b=x'), ('a=2', 'b=x')]
    """
    each = ([f"{key}={value}" for value in values] for key, values in choices.items())
    return itertools.product(*each)


def key_of(override: str) -> str:
    """Return the key of an override, without signs.

    >>> key_of("+callbacks.mine=3"), key_of("~optim.search")
    ('callbacks.mine', 'optim.search')
    """
    return override.lstrip("+~").partition("=")[0]


def spelled(value: Any) -> str:
    """Return a value of a file as Hydra would be typed it.

    >>> spelled(None), spelled(True), spelled([0.9, 0.99])
    ('null', 'true', '[0.9,0.99]')
    """
    if isinstance(value, list):
        return f"[{','.join(map(spelled, value))}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return str(value)


def holds(condition: str, overrides: Sequence[str], value_of: ValueOf) -> bool:
    """Return whether `key=value` is so with these overrides."""
    key, _, value = condition.partition("=")
    return is_same(value_of(overrides, key), value)


def is_same(value: Any, word: str) -> bool:
    """Return whether a value is what a word means.

    >>> is_same(True, "true"), is_same(0.001, "1e-3"), is_same("sgd", "adam")
    (True, True, False)
    """
    return meaning(spelled(value)) == meaning(word)


def meaning(word: str) -> str:
    """Return the value that a word stands for, as a text that is the same for the same value.

    >>> meaning("1e-3") == meaning("0.001"), meaning("[64,64]") == meaning("[64, 64]")
    (True, True)
    """
    [override] = OverridesParser.create().parse_overrides([f"key={word}"])
    return str(canonical(override.value()))


def grid_of(
    typed: Sequence[str],
    params: Mapping[str, Any],
    cases: Sequence[Mapping[str, Any]] = (),
    when: Mapping[str, Mapping[str, Any]] | None = None,
    seeds: Sequence[int] | None = None,
    loader: ConfigLoader | None = None,
) -> Grid:
    """Return the grid of a command.

    Args:
        typed: the overrides of the command line; one takes the place of the file's own values.
        params: `hydra.sweeper.params` of the file.
        cases: its rows of values that belong together.
        when: its values for some jobs only.
        seeds: `sweep.seeds`, where no seed is swept otherwise.
        loader: knows the choices of groups, for `activation=glob(*)`.

    Raises:
        UserError: a sweep that cannot be enumerated, or a condition that is none.
    """
    read = Reader(loader)
    given = {key_of(o) for o in typed}
    if "sweep.seeds" in given:
        if "seed" in given:
            raise user_error("seeds_twice", given=next(o for o in typed if key_of(o) == "seed"))
        given.add("seed")  # takes the place of the file's
    fixed, swept = separated(read.overrides([*file_overrides(params, given), *typed]))
    if seeds is not None and "seed" not in swept:
        swept["seed"] = [str(seed) for seed in seeds]
    for case in cases:
        if not isinstance(case, Mapping):
            raise user_error("case", given=case)
    rows = [read.choices(without_keys(case, given)) for case in cases]
    further = {text: read.choices(without_keys(then, given)) for text, then in (when or {}).items()}
    for condition in further:
        if not all("=" in part for part in condition.split()):
            raise user_error("condition", given=condition)
    return Grid(fixed, swept, [row for row in rows if row], further)


def separated(overrides: Iterable[Override]) -> tuple[list[str], Choices]:
    """Return what all jobs share, and the values of what is swept.

    Of a key that is set more than once the last value counts, as in Hydra.
    """
    fixed: dict[str, str] = {}
    swept = Choices()
    for override in overrides:
        key = override.get_key_element()
        for before in [one for one in swept if key_of(one) == key_of(key)]:
            del swept[before]
        # A single seed also names the folders.
        if override.is_sweep_override() or key == "seed":
            swept[key] = values_of(override)
        else:
            fixed.pop(key, None)
            fixed[key] = str(override.input_line)
    return list(fixed.values()), swept


def file_overrides(params: Mapping[str, Any], given: set[str]) -> list[str]:
    """Return the file's own values as overrides, but those of keys that were typed."""
    return [f"{key}={choices_of(value)}" for key, value in without_keys(params, given).items()]


def choices_of(value: Any) -> str:
    """Return the values of a key in a file as they are typed: a list is one of choices.

    >>> choices_of("sgd,adam"), choices_of(["sgd", "adam"]), choices_of([[64], [64, 64]])
    ('sgd,adam', 'sgd,adam', '[64],[64,64]')
    """
    return ",".join(map(spelled, value)) if isinstance(value, list) else spelled(value)


def without_keys(values: Mapping[str, Any], given: set[str]) -> dict[str, Any]:
    """Return the values of the keys that are not `given`."""
    return {key: value for key, value in values.items() if key_of(key) not in given}


class Reader:
    """Hydra's grammar of overrides."""

    def __init__(self, loader: ConfigLoader | None = None) -> None:
        self.parser = OverridesParser.create(config_loader=loader)

    def overrides(self, lines: Sequence[str]) -> list[Override]:
        """Return the parsed overrides, or raise UserError for one that holds a secret."""
        refuse_secrets(lines)
        return list(self.parser.parse_overrides(list(lines)))

    def choices(self, values: Mapping[str, Any]) -> Choices:
        """Return every key's values; a single one is a list of one."""
        return {
            override.get_key_element(): values_of(override)
            for override in self.overrides([f"{k}={choices_of(v)}" for k, v in values.items()])
        }


def values_of(override: Override) -> list[str]:
    """Return the values of an override as Hydra spells them."""
    if not override.is_sweep_override():
        return [override.get_value_element_as_str()]
    if not override.is_discrete_sweep():
        raise user_error("not_discrete", given=override.input_line)
    words = list(override.sweep_string_iterator())
    its = override.value()
    if not isinstance(its, RangeSweep) or isinstance(its.range(), range):
        return words
    # Hydra adds the step up in binary: range(0.1,0.4,0.1) would have 0.30000000000000004, and 0.4.
    numbers = [float(f"{float(word):.12g}") for word in words]
    assert its.stop is not None
    return [str(n) for n in numbers if (n < its.stop if its.step > 0 else n > its.stop)]
