"""What is compared: as the sweep declared it before its runs, and as it was typed now."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from experiments.comparison.levels import flat, is_same, values_of
from experiments.comparison.reading import FoundRun, Reading
from experiments.derived import is_higher_better
from experiments.errors import check_choice, hint, listed, user_error

COMPARISONS = ("control", "all_pairs")
DECLARED = ("factor", "control", "metric", "delta", "comparisons", "protocol")
"""What a declaration fixes; that further values or seeds are added later changes no question."""


@dataclass(frozen=True)
class Request:
    """What was typed; None for what was not.

    Attributes:
        factor: the keys under comparison.
        control: a value of each.
        metric: what is compared.
        delta: the smallest difference that matters, in the metric's unit.
        comparisons: control, or all_pairs.
        alpha: the chance of any false claim.
        allow: keys in which settings may differ beside the factor.
    """

    factor: list[str] | None = None
    control: list[str] | None = None
    metric: str | None = None
    delta: float | None = None
    comparisons: str | None = None
    alpha: float = 0.05
    allow: tuple[str, ...] = ()


@dataclass(frozen=True)
class Design:
    """What is compared, all of it known.

    Attributes:
        factor: the keys under comparison, one or two.
        control: a value of each; None: all pairs.
        metric: what is compared.
        delta: the smallest difference that matters; None: not declared.
        comparisons: control, or all_pairs.
        protocol: fixed, or tuned.
        alpha: the chance of any false claim in the family.
        seeds: those that were declared.
        order: the declared values of each key, in their order.
        companions: keys that the sweep varies along with the factor, as losses and phi_out.
        tuned: keys whose values tuning chose.
        declared_at: when the design was declared, None where it was not.
        source: declared, typed, or default.
        changes: what was changed after it had been declared.
        commands: what was typed to make the runs.
    """

    factor: list[str]
    control: list[str] | None
    metric: str
    delta: float | None
    comparisons: str
    protocol: str
    alpha: float
    seeds: list[int]
    order: dict[str, list[str]]
    companions: frozenset[str]
    tuned: frozenset[str]
    declared_at: str | None
    source: str
    changes: list[str]
    commands: list[str]

    @property
    def higher_is_better(self) -> bool:
        """Whether the larger of two values is the better one."""
        return is_higher_better(self.metric)

    @property
    def is_accuracy(self) -> bool:
        """Whether the metric is a share of points, shown in percent."""
        return self.metric.rpartition("/")[2] == "accuracy"

    @property
    def validation_metric(self) -> str:
        """What tuning selects by, and targets are set in."""
        return f"val/{self.metric.rpartition('/')[2]}"

    def holds(self, key: str) -> bool:
        """Return whether a dotted key is part of what is compared, on purpose."""
        own = (*self.factor, *self.companions, *self.tuned)
        return any(key == one or key.startswith(f"{one}.") for one in own)


def design_of(reading: Reading, request: Request) -> Design:
    """Return the design of a comparison: what was typed, else what was declared, else what shows.

    Raises:
        UserError: the sweeps declare different things, or a word is none that the runs know.
    """
    last = {sweep: said[-1] for sweep, said in reading.declarations.items() if said}
    typed = {
        field.name: getattr(request, field.name)
        for field in fields(request)
        if field.name in DECLARED and getattr(request, field.name) is not None
    }
    declared = {key: agreed(key, last, typed) for key in DECLARED}
    said = {**declared, **typed}
    factor = said["factor"] or default_factor(reading.runs)
    check_factor(factor, reading.runs)
    tuned = frozenset(key for sweep in last for key in tuned_keys(reading.selections.get(sweep)))
    comparisons = said["comparisons"] or "control"
    check_choice("comparisons", comparisons, COMPARISONS)
    design = Design(
        factor=factor,
        control=None,
        metric=metric_of(said["metric"], reading.runs),
        delta=said["delta"],
        comparisons=comparisons,
        protocol=said["protocol"] or "fixed",
        alpha=request.alpha,
        seeds=sorted({seed for one in last.values() for seed in one["seeds"]}),
        order={key: order_of(key, last.values()) for key in factor},
        companions=frozenset(companions_of(factor, last.values())),
        tuned=tuned,
        declared_at=min((said[0]["declared_at"] for said in declarations(reading)), default=None),
        source="declared" if last and not typed else "typed" if typed else "default",
        changes=changes_of(reading, declared, typed) if last else [],
        commands=list(dict.fromkeys(one["command"] for one in last.values())),
    )
    check_numbers(design)
    control = control_of(design, said["control"], reading.runs)
    if request.comparisons == "control" and control is None:
        raise user_error("control_open", factor=said_of(factor))
    return replace(design, control=control, comparisons=comparisons if control else "all_pairs")


def declarations(reading: Reading) -> Iterable[list[dict[str, Any]]]:
    """Return the declarations of each sweep that has some."""
    return (said for said in reading.declarations.values() if said)


def agreed(key: str, last: Mapping[str, Mapping[str, Any]], typed: Mapping[str, Any]) -> Any:
    """Return what all sweeps declare alike, or raise UserError where it was not typed either."""
    values = {sweep: one.get(key) for sweep, one in last.items()}
    different = {repr(value): value for value in values.values()}
    if len(different) > 1 and key not in typed:
        each = "; ".join(f"{sweep}: {said_of(value)}" for sweep, value in values.items())
        name = "protocols_differ" if key == "protocol" else "designs_differ"
        raise user_error(name, key=key, each=each)
    return next(iter(different.values()), None) if key not in typed or len(different) == 1 else None


def said_of(value: Any) -> str:
    """Return a declared value as it is typed."""
    return f"[{','.join(map(str, value))}]" if isinstance(value, list) else str(value)


def tuned_keys(selection: Mapping[str, Any] | None) -> set[str]:
    """Return the keys that tuning chose values of."""
    settings = selection["settings"] if selection else []
    return {key for one in settings for trial in one["trials"] for key in trial["values"]}


def default_factor(runs: Sequence[FoundRun]) -> list[str]:
    """Return the one key that varies, groups by their names, or raise UserError."""
    varied = varied_keys(runs)
    if len(varied) != 1:
        raise user_error("factor_open", choices=listed(varied) or "nothing")
    return varied


def varied_keys(runs: Sequence[FoundRun]) -> list[str]:
    """Return what differs between runs beside the seed: keys, or the group they belong to."""
    seen: dict[str, set[str]] = {}
    for run in {id(run.config["model"]): run for run in runs}.values():
        for key, value in flat(run.config).items():
            seen.setdefault(key, set()).add(repr(value))
    keys = [key for key, values in seen.items() if len(values) > 1 and key != "seed"]
    groups = {key.removesuffix(".name") for key in keys if key.endswith(".name")}
    # A part that some of the runs lack belongs to a choice of its group.
    return sorted(groups | {key for key in keys if key.partition(".")[0] not in groups})


def check_factor(factor: Sequence[str], runs: Sequence[FoundRun]) -> None:
    """Raise UserError for a factor that is no key of the runs, or that does not vary."""
    if len(factor) > 2 or len(set(factor)) < len(factor):
        raise user_error("too_many_factors", given=said_of(list(factor)))
    for key in factor:
        if not any(values_of(run.config, key) for run in runs):
            every = dict.fromkeys(
                name
                for run in runs
                for one in flat(run.config)
                for name in (one, one.partition(".")[0])
            )
            varied = listed(varied_keys(runs)) or "nothing"
            raise user_error(
                "unknown_factor", given=key, choices=varied, hint=hint("factor=", key, every)
            )
        found = {values_of(run.config, key) for run in runs}
        if len(found) < 2:
            only = next(iter(found))
            raise user_error(
                "constant_factor",
                given=key,
                value=only[1] if only else "none",
                choices=listed(varied_keys(runs)) or "nothing",
            )


def metric_of(said: str | None, runs: Sequence[FoundRun]) -> str:
    """Return the metric: the declared one, else the test's accuracy or loss, else validation's."""
    there = list(dict.fromkeys(name for run in runs for name in run.record["metrics"]))
    if said is not None:
        if there:
            check_choice("metric", said, sorted(there))
        return said
    for name in ("test/accuracy", "test/loss", "val/accuracy", "val/loss"):
        if name in there:
            return name
    return there[0] if there else "test/accuracy"


def order_of(key: str, said: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the values of a key in the order in which sweeps declare them."""
    found: dict[str, None] = {}
    for one in said:
        places = [one["values"], *one["cases"], *one["when"].values()]
        for place in places:
            found |= dict.fromkeys(map(str, place.get(key, [])))
    return list(found)


def companions_of(factor: Sequence[str], said: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return keys that a sweep varies together with its factor: those of the same rows."""
    found: set[str] = set()
    for one in said:
        for row in one["cases"]:
            if any(key in row for key in factor):
                found |= set(row)
    return found - set(factor) - {"seed"}


def changes_of(
    reading: Reading, declared: Mapping[str, Any], typed: Mapping[str, Any]
) -> list[str]:
    """Return what was changed after it had been declared: declared anew, or typed otherwise."""
    found = []
    for sweep, said in reading.declarations.items():
        for before, after in itertools.pairwise(said):
            found += [
                f"{sweep}: {key} was {said_of(before.get(key))}, and since "
                f"{after['declared_at']} is {said_of(after.get(key))}"
                for key in DECLARED
                if before.get(key) != after.get(key)
            ]
    for key, value in typed.items():
        if declared[key] is not None and said_of(declared[key]) != said_of(value):
            found.append(f"{key} was declared as {said_of(declared[key])}; typed: {said_of(value)}")
    return found


def check_numbers(design: Design) -> None:
    """Raise UserError for a delta or an alpha that is none."""
    if design.delta is not None and not design.delta > 0:
        raise user_error(
            "not_allowed",
            key="delta",
            given=design.delta,
            allowed="a number above 0, in the metric's unit (0.005 is half a point of accuracy)",
            instead=0.005,
        )
    if not 0 < design.alpha < 1:
        raise user_error(
            "not_allowed", key="alpha", given=design.alpha, allowed="0 to 1", instead=0.05
        )


def control_of(
    design: Design, said: Sequence[str] | None, runs: Sequence[FoundRun]
) -> list[str] | None:
    """Return the names of the control's levels, or raise UserError for one that no run has."""
    if not said:
        return None
    if len(said) != len(design.factor):
        raise user_error("controls", given=listed(said), factor=listed(design.factor))
    names = []
    for key, word in zip(design.factor, said, strict=True):
        values = filter(None, (values_of(run.config, key) for run in runs))
        there = list(dict.fromkeys(name for _, name in values))
        same = [name for name in there if is_same(name, word)]
        if not same:
            check_choice("control", word, there)
        names.append(same[0])
    return names
