"""The space of a search: from Hydra's overrides, and the optimizers' own files, to distributions.

What is typed as a sweep is searched: values `a,b,c` are a choice, `range(a,b,step)` whole numbers
or steps, `interval(a,b)` an interval, with `tag(log,...)` on a logarithmic scale. An optimizer's
own `search` is searched too where its key is not typed; if several optimizers are among the
choices, each trial draws from the space of its own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from experiments.config.overrides import key_of
from experiments.errors.messages import user_error
from experiments.errors.wording import spelled
from experiments.sweep.grid import values_of

Values = dict[str, Any]


@dataclass(frozen=True)
class Parameter:
    """One dimension of a space.

    Attributes:
        key: of its override, with its sign where one was typed.
        distribution: what it is drawn from; choices are texts, as Hydra spells them.
        when: the choice of a group that it belongs to, e.g. ("optim", "sgd"); None for all.
    """

    key: str
    distribution: BaseDistribution
    when: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """How the study calls it.

        >>> Parameter("optim.lr", FloatDistribution(0, 1), ("optim", "sgd")).name
        'optim.lr[sgd]'
        """
        return key_of(self.key) + (f"[{self.when[1]}]" if self.when else "")

    @property
    def is_choice(self) -> bool:
        return isinstance(self.distribution, CategoricalDistribution)

    def applies(self, values: Mapping[str, Any]) -> bool:
        return self.when is None or values.get(self.when[0]) == self.when[1]

    def draw(self, trial: Trial) -> Any:
        its = self.distribution
        if isinstance(its, CategoricalDistribution):
            return trial.suggest_categorical(self.name, its.choices)
        if isinstance(its, IntDistribution):
            return trial.suggest_int(self.name, its.low, its.high, step=its.step, log=its.log)
        assert isinstance(its, FloatDistribution)
        return trial.suggest_float(self.name, its.low, its.high, step=its.step, log=its.log)

    def override(self, value: Any) -> str:
        """Return a value as an override; six digits of a number are enough, and can be read.

        >>> Parameter("optim.lr", FloatDistribution(0, 1)).override(0.1234567891)
        'optim.lr=0.123457'
        """
        its = self.distribution
        if isinstance(its, FloatDistribution):
            value = min(max(float(f"{value:.6g}"), its.low), its.high)
        return f"{self.key}={value}"

    def grid(self) -> list[Any]:
        """Return every value of it, or raise UserError for an interval."""
        its = self.distribution
        if isinstance(its, CategoricalDistribution):
            return list(its.choices)
        if isinstance(its, IntDistribution):
            return list(range(its.low, its.high + 1, its.step))
        assert isinstance(its, FloatDistribution)
        if its.step is None:
            raise user_error("grid_interval", key=self.key)
        number = round((its.high - its.low) / its.step)
        return [float(f"{its.low + its.step * i:.12g}") for i in range(number + 1)]

    def texts(self) -> list[str]:
        """Return its values in words, for the declaration."""
        its = self.distribution
        if isinstance(its, CategoricalDistribution):
            return [str(choice) for choice in its.choices]
        assert isinstance(its, FloatDistribution | IntDistribution)
        text = f"{its.low} to {its.high}"
        text += f", step {its.step}" if its.step not in (None, 1) else ""
        text += ", log" if its.log else ""
        return [f"{text} ({self.when[0]}={self.when[1]})" if self.when else text]


@dataclass(frozen=True)
class Space:
    """All parameters of a search; those that depend on a choice come after it."""

    parameters: list[Parameter]

    @property
    def is_conditional(self) -> bool:
        """Whether some trials have parameters that others have not."""
        return any(parameter.when for parameter in self.parameters)

    def draw(self, trial: Trial, all_of_them: bool) -> Values:
        """Have a trial draw its values, and return them by name; what it has drawn before stays.

        With `all_of_them` also those that its choices have no use for.
        """
        values: Values = {}
        for parameter in self.parameters:
            if all_of_them or parameter.applies(values):
                values[parameter.name] = parameter.draw(trial)
        return values

    def used(self, values: Mapping[str, Any]) -> Iterator[tuple[Parameter, Any]]:
        """Yield the parameters that a trial with these values makes use of."""
        for parameter in self.parameters:
            if parameter.applies(values) and parameter.name in values:
                yield parameter, values[parameter.name]

    def overrides(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(parameter.override(value) for parameter, value in self.used(values))

    def example(self) -> Values:
        """Return the values of some trial, by which a space can be tried."""
        values: Values = {}
        for parameter in self.parameters:
            if parameter.applies(values):
                its: Any = parameter.distribution
                values[parameter.name] = its.choices[0] if parameter.is_choice else its.low
        return values

    def grid(self) -> list[Values]:
        """Return the values of every possible trial, once; UserError for an interval."""
        own = [parameter for parameter in self.parameters if parameter.when is None]
        rows: list[Values] = []
        for values in product(own):
            further = [
                parameter
                for parameter in self.parameters
                if parameter.when and parameter.applies(values)
            ]
            rows += [{**values, **more} for more in product(further)]
        return rows

    def declared(self) -> dict[str, list[str]]:
        words: dict[str, list[str]] = {}
        for parameter in self.parameters:
            words[parameter.key] = words.get(parameter.key, []) + parameter.texts()
        return words


def product(parameters: Sequence[Parameter]) -> Iterable[Values]:
    """Yield every combination of the values of some parameters."""
    names = [parameter.name for parameter in parameters]
    for row in itertools.product(*(parameter.grid() for parameter in parameters)):
        yield dict(zip(names, row, strict=True))


def space_of(
    swept: Sequence[Override],
    fixed: Sequence[str],
    search_of: Callable[[str | None], Mapping[str, list[Any]]],
    as_grid: bool = False,
) -> Space:
    """Return the space of a search.

    Args:
        swept: the overrides that are searched.
        fixed: those that are not.
        search_of: gives the `search` of an optimizer, by its name; of None that of the only one.
        as_grid: the values of `search` are taken as they are, not what lies between them.

    Raises:
        UserError: nothing to search, or something that cannot be.
    """
    own = [Parameter(o.get_key_element(), distribution_of(o)) for o in swept]
    typed = {parameter.name for parameter in own} | {key_of(o) for o in fixed}
    optimizers: Sequence[str | None] = [None]
    for parameter in own:
        optimizers = parameter.texts() if parameter.name == "optim" else optimizers
    for optim in optimizers:
        when = ("optim", optim) if optim is not None else None
        for key, values in search_of(optim).items():
            if f"optim.{key}" not in typed:
                own.append(Parameter(f"optim.{key}", distribution_among(values, as_grid), when))
    if not own:
        raise user_error("nothing_to_search")
    return Space(own)


def distribution_of(override: Override) -> BaseDistribution:
    """Return what a swept override is drawn from, or raise UserError where that cannot be."""
    value: Any = override.value()
    unknown = value.tags - {"log"}
    if unknown or (value.tags and not isinstance(value, IntervalSweep | RangeSweep)):
        raise user_error("tag", given=override.input_line)
    is_log = "log" in value.tags
    if isinstance(value, IntervalSweep):
        return interval(override, value.start, value.end, None, is_log)
    if isinstance(value, RangeSweep):
        each = sorted(value.range())
        if not each:
            raise user_error("empty_range", given=override.input_line)
        return interval(override, each[0], each[-1], abs(value.step), is_log)
    return CategoricalDistribution(list(dict.fromkeys(values_of(override))))


def interval(
    override: Override, low: Any, high: Any, step: float | None, is_log: bool
) -> BaseDistribution:
    """Return the distribution over an interval, of whole numbers where its ends are."""
    is_whole = isinstance(low, int) and isinstance(high, int) and isinstance(step or 1, int)
    has_steps = step is not None and not (is_whole and step == 1)
    if not low <= high or (is_log and (low <= 0 or has_steps)):
        raise user_error("interval", given=override.input_line)
    if is_whole:
        return IntDistribution(low, high, log=is_log, step=int(step or 1))
    low, high = float(f"{low:.12g}"), float(f"{high:.12g}")
    return FloatDistribution(low, high, log=is_log, step=None if step is None else float(step))


def distribution_among(values: Sequence[Any], as_grid: bool) -> BaseDistribution:
    """Return what an optimizer's `search` asks for.

    Numbers over more than a decade stand for all between the least and the largest, evenly on a
    logarithmic scale; others for themselves.

    >>> distribution_among([0.01, 0.1, 1.0], as_grid=False)
    FloatDistribution(high=1.0, log=True, low=0.01, step=None)
    >>> distribution_among([0.8, 0.9], as_grid=False)
    CategoricalDistribution(choices=('0.8', '0.9'))
    """
    are_numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if are_numbers and not as_grid and min(values) > 0:
        low, high = float(min(values)), float(max(values))
        if math.log10(high / low) > 1:
            return FloatDistribution(low, high, log=True)
    return CategoricalDistribution([spelled(value) for value in values])
