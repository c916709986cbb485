"""What is compared: as the sweep declared it before its runs, and as it was typed now."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from experiments.comparison.blocks import has_folds
from experiments.comparison.declared import FOLLOWS_SEED, folds_in, following_seed, varied_in
from experiments.comparison.declared_looks import DeclaredLooks, looks_of
from experiments.comparison.declared_tests import UNSAID, test_of
from experiments.comparison.levels import level_of
from experiments.comparison.reading import Config, FoundRun, Reading, distinct_configs
from experiments.config.overrides import is_same, is_within
from experiments.config.schema import COMPARISONS, SIGN_FLIP
from experiments.errors.error_table import TABLE
from experiments.errors.likeness import hint
from experiments.errors.messages import check_choice, refuse_unless, user_error
from experiments.errors.wording import listed, spelled
from experiments.record.identity import BLOCKS, flat
from experiments.record.metric import Added, is_higher_better, known_as, numbers_of

Dict = dict[str, Any]
"""A part of the verdict, of plain values as JSON has them."""
DECLARED = ("factor", "control", "metric", "delta", "comparisons", "protocol")
"""What a declaration fixes; that further values or seeds are added later changes no question."""


@dataclass(frozen=True)
class Request:
    """What was typed of a design, see there; None for what was not.

    The keys of `allow` join those that were declared.
    """

    factor: list[str] | None = None
    control: list[str] | None = None
    metric: str | None = None
    delta: float | None = None
    comparisons: str | None = None
    test: str | None = None
    alpha: float = 0.05
    allow: tuple[str, ...] = ()


@dataclass(frozen=True)
class Design:
    """What is compared, all of it known.

    Attributes:
        factor: the keys under comparison, one or two.
        control: a value of each; None: all pairs.
        delta: the smallest difference that matters, in the metric's unit; None: not declared.
        allow: keys in which settings may differ beside the factor.
        alpha: the chance of any false claim in the family.
        order: the declared values of each key, in their order.
        companions: keys that the sweep varies along with the factor, as losses and phi_out.
        tuned: keys whose values tuning chose.
        varied: keys that a declaration gives several values.
        following_seed: keys that a declaration gives the run's seed.
        folds: the numbers of the folds that are declared, none without a cross validation.
        looks: those that were declared before the runs, None where the runs were to be judged once.
        declared_at: when the design was declared, None where it was not.
        source: declared, typed, or default.
        added: what the runs measured beside, by name, with which way is better.
        test: the one that was declared before the runs.
        unheard: what is said of a test that was not, in a sentence; None where there is none.
    """

    factor: list[str]
    control: list[str] | None
    metric: str
    delta: float | None
    comparisons: str
    protocol: str
    allow: list[str]
    alpha: float
    seeds: list[int]
    order: dict[str, list[str]]
    companions: frozenset[str]
    tuned: frozenset[str]
    varied: frozenset[str]
    following_seed: frozenset[str]
    declared_at: str | None
    source: str
    changes: list[str]
    commands: list[str]
    added: Added = field(default_factory=dict)
    test: str = SIGN_FLIP
    unheard: str | None = None
    folds: tuple[int, ...] = ()
    looks: DeclaredLooks | None = None

    @property
    def higher_is_better(self) -> bool:
        return is_higher_better(self.metric, self.added)

    @property
    def is_accuracy(self) -> bool:
        """Whether chance and the binomial standard error are known of the metric."""
        return self.metric.rpartition("/")[2] == "accuracy"

    @property
    def is_share(self) -> bool:
        """Whether the metric is a share of points, shown in percent."""
        return known_as(self.metric).is_share

    @property
    def validation_metric(self) -> str:
        """What tuning selects by, and targets are set in."""
        return f"val/{self.metric.rpartition('/')[2]}"

    def holds(self, key: str) -> bool:
        """Return whether a dotted key is part of what is compared, on purpose."""
        return is_within(key, (*self.factor, *self.companions, *self.tuned))

    def beside(self, config: Config) -> dict[str, Any]:
        """Return what a run was made with beside what is compared, its block, and its data set."""
        seed, name = config.get("seed"), self.metric.rpartition("/")[2]
        # A cut into folds is a block, as a seed is.
        of_blocks = {*BLOCKS, "data.split_seed"} if has_folds(config) else BLOCKS
        # One name may stand for two metrics: averaged by class, or by point.
        meant = {k: v for k, v in (config.get("metrics") or {}).items() if k == name}
        return {f"metrics.{k}": json.dumps(v, sort_keys=True) for k, v in meant.items()} | {
            key: FOLLOWS_SEED if key in self.following_seed and value == seed else value
            for key, value in flat(config).items()
            if key not in ("data.name", "data._target_", *of_blocks) and not self.holds(key)
        }


def design_of(reading: Reading, request: Request) -> Design:
    """Return the design of a comparison: what was typed, else what was declared, else what shows.

    Raises:
        UserError: the sweeps declare different things, or a word is none that the runs know.
    """
    by_sweep = {sweep: entries for sweep, entries in reading.declarations.items() if entries}
    last = {sweep: entries[-1] for sweep, entries in by_sweep.items()}
    asked = vars(request).items()
    typed = {key: value for key, value in asked if key in DECLARED and value is not None}
    declared = {key: agreed(key, last, typed) for key in DECLARED}
    wanted = {**declared, **typed}
    varied = varied_keys(reading.runs)
    # Data sets are tasks, unless nothing else varies: as a sweep declares it by itself.
    factor = wanted["factor"] or [key for key in varied if key != "data"] or varied
    if not wanted["factor"] and len(factor) != 1:
        raise user_error("factor_open", choices=listed(factor) or "nothing")
    check_factor(factor, reading.runs)
    comparisons = wanted["comparisons"] or "control"
    # A sweep varies together with its factor whatever stands in the same rows.
    rows = [row for declaration in last.values() for row in declaration["cases"]]
    together = {name for row in rows if any(key in row for key in factor) for name in row}
    selections = [reading.selections[sweep] for sweep in last if sweep in reading.selections]
    trials = [t for chosen in selections for s in chosen["settings"] for t in s["trials"]]
    check_choice("comparisons", comparisons, COMPARISONS)
    test, unheard = test_of(reading, request.test, factor)
    looks, late = looks_of(reading, factor)
    if looks is not None and test != SIGN_FLIP:
        test, unheard = SIGN_FLIP, TABLE["looks_exact"].format(given=test)
    design = Design(
        factor=factor,
        control=None,
        metric=metric_of(wanted["metric"], reading.runs),
        delta=wanted["delta"],
        comparisons=comparisons,
        protocol=wanted["protocol"] or "fixed",
        allow=[*allowed_by_all(last.values()), *request.allow],
        alpha=request.alpha,
        seeds=sorted({seed for declaration in last.values() for seed in declaration["seeds"]}),
        order={key: order_of(key, last.values()) for key in factor},
        companions=frozenset(together - {*factor, *BLOCKS}),
        tuned=frozenset(key for trial in trials for key in trial["values"]),
        varied=varied_in(last.values()),
        following_seed=following_seed(last.values()),
        declared_at=min((entries[0]["declared_at"] for entries in by_sweep.values()), default=None),
        source="declared" if last and not typed else "typed" if typed else "default",
        changes=changes_of(reading, declared, typed) if last else [],
        commands=list(dict.fromkeys(declaration["command"] for declaration in last.values())),
        added=added_to(reading.runs),
        test=test,
        unheard=" ".join(filter(None, (unheard, late))) or None,
        folds=folds_in(last.values()),
        looks=looks,
    )
    check_numbers(design)
    control = control_of(design, wanted["control"], reading.runs)
    if request.comparisons == "control" and control is None:
        raise user_error("control_open", factor=spelled(factor))
    return replace(design, control=control, comparisons=comparisons if control else "all_pairs")


def agreed(key: str, last: Mapping[str, Mapping[str, Any]], typed: Mapping[str, Any]) -> Any:
    """Return what all sweeps declare alike, or raise UserError where it was not typed either."""
    values = {sweep: declaration.get(key) for sweep, declaration in last.items()}
    different = {repr(value): value for value in values.values()}
    if len(different) > 1 and key not in typed:
        each = "; ".join(f"{sweep}: {spelled(value)}" for sweep, value in values.items())
        name = "protocols_differ" if key == "protocol" else "designs_differ"
        raise user_error(name, key=key, each=each)
    return next(iter(different.values()), None) if key not in typed or len(different) == 1 else None


def allowed_by_all(declarations: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the keys that every declaration allows to differ."""
    each = [declaration.get("allow") or [] for declaration in declarations]
    return [key for key in each[0] if all(key in keys for keys in each)] if each else []


def varied_keys(runs: Sequence[FoundRun]) -> list[str]:
    """Return what differs between runs beside the seed: keys, or the group they belong to."""
    seen: dict[str, set[str]] = {}
    for config in distinct_configs(runs):
        for key, value in flat(config).items():
            seen.setdefault(key, set()).add(repr(value))
    is_cut = any(has_folds(run.config) for run in runs)
    blocks = (*BLOCKS, *["data.split_seed"] * is_cut)
    keys = [key for key, values in seen.items() if len(values) > 1 and key not in blocks]
    groups = {key.removesuffix(".name") for key in keys if key.endswith(".name")}
    # A part that some of the runs lack belongs to a choice of its group.
    return sorted(groups | {key for key in keys if key.partition(".")[0] not in groups})


def check_factor(factor: Sequence[str], runs: Sequence[FoundRun]) -> None:
    """Raise UserError for a factor that is no key of the runs, or that does not vary."""
    if len(factor) > 2 or len(set(factor)) < len(factor):
        raise user_error("too_many_factors", given=spelled(list(factor)))
    for key in factor:
        levels = {level_of(run.config, key) for run in runs}
        if len(levels) > 1:
            continue
        [level] = levels
        varied = listed(varied_keys(runs)) or "nothing"
        if level is None:
            like = hint("factor=", key, varied_keys(runs))
            raise user_error("unknown_factor", given=key, choices=varied, hint=like)
        raise user_error("constant_factor", given=key, value=level.name, choices=varied)


def added_to(runs: Sequence[FoundRun]) -> dict[str, Any]:
    """Return what runs measured beside what is always measured, by name."""
    return {k: node for run in runs for k, node in numbers_of(run.config.get("metrics")).items()}


def metric_of(declared: str | None, runs: Sequence[FoundRun]) -> str:
    """Return the metric: the declared one, else the test's accuracy or loss, else validation's."""
    measured = list(dict.fromkeys(name for run in runs for name in run.record["metrics"]))
    if declared is not None:
        if measured:
            check_choice("metric", declared, sorted(measured))
        return declared
    for name in ("test/accuracy", "test/loss", "val/accuracy", "val/loss"):
        if name in measured:
            return name
    return measured[0] if measured else "test/accuracy"


def order_of(key: str, declarations: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the values of a key in the order in which sweeps declare them."""
    values: dict[str, None] = {}
    for declaration in declarations:
        grids = [declaration["values"], *declaration["cases"], *declaration["when"].values()]
        for grid in grids:
            values |= dict.fromkeys(map(str, grid.get(key, [])))
    return list(values)


def changes_of(
    reading: Reading, declared: Mapping[str, Any], typed: Mapping[str, Any]
) -> list[str]:
    """Return what was changed after it had been declared: declared anew, or typed otherwise."""
    changes = []
    for sweep, declarations in reading.declarations.items():
        for before, after in itertools.pairwise(declarations):
            changes += [
                f"{sweep}: {key} was {spelled(before.get(key))}, and since "
                f"{after['declared_at']} is {spelled(after.get(key))}"
                for key in (*DECLARED, *UNSAID)
                if (before.get(key) or UNSAID.get(key)) != (after.get(key) or UNSAID.get(key))
            ]
    return changes + [
        f"{key} was declared as {spelled(declared[key])}; typed: {spelled(value)}"
        for key, value in typed.items()
        if declared[key] is not None and spelled(declared[key]) != spelled(value)
    ]


def check_numbers(design: Design) -> None:
    """Raise UserError for a delta or an alpha that is none."""
    delta, alpha = design.delta, design.alpha
    above = "a number above 0, in the metric's unit (0.005 is half a point of accuracy)"
    refuse_unless(delta is None or delta > 0, "delta", delta, above, 0.005)
    refuse_unless(0 < alpha < 1, "alpha", alpha, "0 to 1", 0.05)


def control_of(
    design: Design, wanted: Sequence[str] | None, runs: Sequence[FoundRun]
) -> list[str] | None:
    """Return the names of the control's levels, or raise UserError for one that no run has."""
    if not wanted:
        return None
    if len(wanted) != len(design.factor):
        raise user_error("controls", given=listed(wanted), factor=listed(design.factor))
    names = []
    for key, word in zip(design.factor, wanted, strict=True):
        levels = filter(None, (level_of(run.config, key) for run in runs))
        known = list(dict.fromkeys(level.name for level in levels))
        same = [name for name in known if is_same(name, word)]
        if not same:
            check_choice("control", word, known)
        names.append(same[0])
    return names
