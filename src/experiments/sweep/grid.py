"""From what was typed, and what a sweep's file says, to the list of jobs.

A sweep is a product of values (`hydra.sweeper.params` and the command line), to which a file may
add rows of values that belong together (`cases`) and values for some of the jobs only (`when`).
Seeds are the outermost loop, and within them folds: every setting gets its first seed before any
gets its second, so that a sweep which is looked at half-way is one of whole blocks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override, RangeSweep

from experiments.config.arguments import PATHS, is_readable, path_word, quoted
from experiments.config.overrides import is_same, key_and_word, key_of, of_other_keys, parsed
from experiments.config.schema import LARGEST_SEED
from experiments.config.secrets import refuse_secrets
from experiments.errors.messages import check_choice, refuse_unless, user_error
from experiments.errors.wording import spelled
from experiments.record.identity import BLOCKS

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
        return [*of_other_keys(self.fixed, map(key_of, self.swept)), *self.swept]

    def without(self, key: str) -> Cell:
        return Cell(self.fixed, tuple(of_other_keys(self.swept, [key])))


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
        return list(dict.fromkeys(key_of(key) for key in every))

    def with_seeds(self, seeds: Sequence[int]) -> Grid:
        return replace(self, swept={**self.swept, "seed": [str(seed) for seed in seeds]})

    def cells(self, value_of: ValueOf) -> list[Cell]:
        """Return the jobs; `value_of` gives the value that a key has with some overrides."""
        blocks = {key: self.swept[key] for key in BLOCKS if key in self.swept}
        others = {k: v for k, v in self.swept.items() if k not in blocks}
        cells: dict[tuple[str, ...], Cell] = {}
        for block in product(blocks):
            for case in self.cases or [{}]:
                for row in product({**case, **others}):
                    for more in self._further(row, value_of):
                        cell = Cell(tuple(self.fixed), (*row, *more, *reversed(block)))
                        cells.setdefault(cell.swept, cell)
        return list(cells.values())

    def check_conditions(self, options_of: OptionsOf) -> None:
        """Raise UserError for a condition that no job can meet: of a key or a choice that is none.

        Args:
            options_of: gives the choices of a group, nothing for another key, None for no key.
        """
        for condition in self.when:
            for part in condition.split():
                key, value = key_and_word(part)
                options = options_of(key)
                if options is None:
                    raise user_error("condition_key", given=condition, key=key)
                if options:
                    check_choice(f"hydra.sweeper.when: {key}", value, options)

    def _further(self, row: tuple[str, ...], value_of: ValueOf) -> Iterable[tuple[str, ...]]:
        overrides = Cell(tuple(self.fixed), row).overrides
        holding = []
        for condition, further in self.when.items():
            wanted = map(key_and_word, condition.split())
            if all(is_same(value_of(overrides, key), word) for key, word in wanted):
                holding.append(further)
        return product({key: values for part in holding for key, values in part.items()})


def product(choices: Choices) -> Iterable[tuple[str, ...]]:
    """Yield every combination as overrides; the last key varies fastest.

    >>> list(product({"a": ["1", "2"], "b": ["x"]}))
    [('a=1', 'b=x'), ('a=2', 'b=x')]
    """
    each = ([f"{key}={value}" for value in values] for key, values in choices.items())
    return itertools.product(*each)


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
    given = {key_of(o) for o in typed}
    if "sweep.seeds" in given:
        if "seed" in given:
            raise user_error("seeds_twice", given=next(o for o in typed if key_of(o) == "seed"))
        given.add("seed")  # takes the place of the file's
    own = file_overrides(params, given)
    fixed, swept = separated(read_overrides([*own, *typed], loader))
    if seeds is not None and "seed" not in swept:
        swept["seed"] = [str(seed) for seed in seeds]
    for case in cases:
        if not isinstance(case, Mapping):
            raise user_error("case", given=case)
    rows = [choices_in(case, given, loader) for case in cases]
    further = {text: choices_in(then, given, loader) for text, then in (when or {}).items()}
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
        for before in [other for other in swept if key_of(other) == key_of(key)]:
            del swept[before]
        # A single seed also names the folders.
        is_swept = override.is_sweep_override() or key == "seed"
        line, values = str(override.input_line), values_of(override) if is_swept else []
        if is_swept:
            check_swept(line, key, values)
        if is_swept and (key == "seed" or len(values) > 1 or not is_one_choice(line)):
            swept[key] = values
        else:
            fixed.pop(key, None)
            fixed[key] = f"{key}={values[0]}" if values else line
    return list(fixed.values()), swept


def is_one_choice(line: str) -> bool:
    """Return whether an override is `choice(...)`, which of one value says what that says."""
    return line.partition("=")[2].startswith("choice(")


def check_swept(given: str, key: str, values: Sequence[str]) -> None:
    """Raise UserError for a sweep over nothing, and for seeds that are none."""
    if not values:
        numbers = f"{key}=0,1 or {key}='range(0,3)'"
        instead = f"{key}='glob(*)'" if "glob(" in given else numbers
        raise user_error("empty_sweep", given=given, instead=instead)
    for value in values if key == "seed" else ():
        is_interpolation = "${" in value
        fits = is_interpolation or (value.isdecimal() and int(value) <= LARGEST_SEED)
        refuse_unless(fits, "seed", value, f"0 to {LARGEST_SEED}", 0)


def file_overrides(params: Mapping[str, Any], given: set[str]) -> list[str]:
    """Return a file's own values as overrides, but those of keys that are `given` otherwise."""
    return [f"{k}={choices_of(v, k)}" for k, v in params.items() if key_of(k) not in given]


def choices_of(value: Any, key: str = "") -> str:
    """Return the values of a key in a file as they are typed: a list is one of choices.

    A text may hold what has a meaning to Hydra where it cannot have that: commas in an item of a
    list, or parentheses in a name.

    >>> choices_of("sgd,adam"), choices_of(["sgd", "adam"]), choices_of([[64], [64, 64]])
    ('sgd,adam', 'sgd,adam', '[64],[64,64]')
    >>> choices_of(["a,b", "c (1)"]), choices_of("c (1)")
    ("'a,b','c (1)'", "'c (1)'")
    """
    if isinstance(value, list):
        return ",".join(item_of(part) for part in value)
    if not isinstance(value, str):
        return item_of(value)
    if key_of(key) in PATHS:
        return path_word(value, is_sweep=True)
    return value if is_readable(f"key={value}") else quoted(value)


def item_of(value: Any) -> str:
    """Return one value as it is typed among others."""
    if isinstance(value, list):
        return f"[{','.join(map(item_of, value))}]"
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{key}:{item_of(part)}' for key, part in value.items())}}}"
    if not isinstance(value, str):
        return spelled(value)
    is_one = is_readable(f"key={value}") and not parsed([f"key={value}"])[0].is_sweep_override()
    return value if value and is_one else quoted(value)


def read_overrides(lines: Sequence[str], loader: ConfigLoader | None = None) -> list[Override]:
    """Return the parsed overrides, or raise UserError for one that holds a secret."""
    refuse_secrets(lines)
    return parsed(lines, loader)


def choices_in(values: Mapping[str, Any], given: set[str], loader: ConfigLoader | None) -> Choices:
    """Return the values of every key that is not `given`; a single one is a list of one."""
    overrides = read_overrides(file_overrides(values, given), loader)
    return {override.get_key_element(): values_of(override) for override in overrides}


def values_of(override: Override) -> list[str]:
    """Return the values of an override as Hydra spells them."""
    if not override.is_sweep_override():
        return [override.get_value_element_as_str()]
    if not override.is_discrete_sweep():
        raise user_error("not_discrete", given=override.input_line)
    try:
        words = list(override.sweep_string_iterator())
    except ValueError as error:  # a step of 0
        raise user_error("empty_range", given=override.input_line) from error
    its = override.value()
    if not isinstance(its, RangeSweep) or isinstance(its.range(), range):
        return words
    # Hydra adds the step up in binary: range(0.1,0.4,0.1) would have 0.30000000000000004, and 0.4.
    numbers = [float(f"{float(word):.12g}") for word in words]
    assert its.stop is not None
    return [str(n) for n in numbers if (n < its.stop if its.step > 0 else n > its.stop)]


def values_of_key(grid: Grid, key: str) -> list[str]:
    """Return every value that a sweep gives a key."""
    rows = [grid.swept, *grid.cases, *grid.when.values()]
    return list(dict.fromkeys(value for row in rows for value in row.get(key, [])))
