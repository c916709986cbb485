"""What a sweep is about, said before it runs: `sweep.yaml` in its folder.

A comparison whose metric, or whose smallest difference that matters, is chosen after the results
were seen proves little. So each sweep writes down what it compares before its first run, and a
declaration that is changed later stands below the first one, with its time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from experiments.comparison.sweep_files import declarations_in
from experiments.config.allowed import check_values
from experiments.config.overrides import NOT_IN_SWEEP_NAMES, is_within, key_of, meaning
from experiments.config.schema import DUNNETT, SETTLED, SIGN_FLIP, SPENDING, ExperimentConfig
from experiments.errors.error_table import TABLE
from experiments.errors.likeness import hint
from experiments.errors.messages import check_choice, refuse_unless, user_error
from experiments.errors.wording import listed
from experiments.record.claim import writing_in
from experiments.record.folder import BEGINNING, END, check_name, write_atomic
from experiments.record.identity import BLOCKS
from experiments.record.record import now
from experiments.record.strangers_files import text_of
from experiments.sweep.grid import Grid, values_of_key
from experiments.sweep.planned_looks import planned_looks

FILE = "sweep.yaml"
STAGES = ("test", "val", "train")
AUTO = "auto"
OF_LOOKS = ("until", "looks", "spending", "max_seeds")
"""What a declaration says only where the sweep is to stop early."""
BESIDE_CONFIGS = ("environment", "data_checksum")
"""What a comparison looks at in the records of runs, beside the keys of their configs."""


@dataclass(frozen=True)
class Declaration:
    """What a sweep compares.

    Attributes:
        factor: the keys under comparison; one, or two of a matrix.
        control: the value that others are compared with; one for each factor.
        metric: what is compared; auto until it is known what the runs measure: the test's accuracy
            of classes, else its loss.
        delta: the smallest difference that matters, in the metric's unit; None: not declared.
        comparisons: against the control, or all pairs.
        test: by which they are tested.
        allow: keys in which settings may differ beside the factor.
        fixed: overrides that all runs share, but those that cannot change a result.
        values: what each swept key takes.
        cases: rows of values that belong together.
        when: values for some jobs only.
        seeds: those that each setting gets; with looks, at most.
        until: settled, or None for a sweep of all its runs.
        looks: the numbers of seeds at which it is judged.
        spending: how the chance of a false claim is shared among looks.
        max_seeds: the last look.
    """

    factor: list[str]
    control: list[str] | None
    metric: str
    delta: float | None
    comparisons: str
    allow: list[str]
    protocol: str
    fixed: list[str]
    values: dict[str, list[str]]
    cases: list[dict[str, list[str]]]
    when: dict[str, dict[str, list[str]]]
    seeds: list[int]
    test: str = SIGN_FLIP
    until: str | None = None
    looks: list[int] | None = None
    spending: str = SPENDING
    max_seeds: int | None = None

    def with_metric(self, measured: Sequence[Sequence[str]]) -> Declaration:
        """Return the declaration with a metric that is measured on each of its data sets.

        Raises:
            UserError: they do not measure the declared one.
        """
        common = [name for name in measured[0] if all(name in names for names in measured)]
        if self.metric == AUTO:
            name = "accuracy" if "accuracy" in common else "loss"
            return replace(self, metric=f"test/{name}")
        choices = [f"{stage}/{name}" for stage in STAGES for name in common]
        check_choice("sweep.metric", self.metric, choices)
        return self

    @classmethod
    def of(
        cls, node: dict[str, Any], protocol: str, grid: Grid, own: Callable[[str], Any]
    ) -> Declaration:
        """Return the declaration of a sweep, or raise UserError where it contradicts its values.

        Args:
            node: the part `sweep` of its config.
            own: the value that a key has without the sweep.
        """
        check_values({"protocol": protocol, "sweep": node}, ExperimentConfig)
        factor, control = compared_keys(node, grid)
        if control is not None:
            pairs = zip(factor, control, strict=True)
            control = [control_of(key, word, values_of_key(grid, key), own) for key, word in pairs]
        # In what order they were typed changes nothing.
        fixed = sorted(o for o in grid.fixed if not is_within(key_of(o), NOT_IN_SWEEP_NAMES))
        seeds = [int(seed) for seed in grid.swept.get("seed", [])]
        looks = planned_looks(node, factor, control, grid, len(seeds))
        values = {key: list(map(str, words)) for key, words in grid.swept.items() if key != "seed"}
        return cls(
            factor,
            control,
            node["metric"],
            node["delta"],
            node["comparisons"],
            as_list(node.get("allow")),
            protocol,
            fixed,
            values,
            grid.cases,
            grid.when,
            seeds if looks is None else seeds[: looks[-1]],
            test_of(node, factor),
            None if looks is None else SETTLED,
            looks,
            str(node.get("spending") or SPENDING),
            None if looks is None else looks[-1],
        )

    def plain(self) -> dict[str, Any]:
        """Return what is written of it: one without looks says nothing of them."""
        without = () if self.until else OF_LOOKS
        return {key: value for key, value in asdict(self).items() if key not in without}


def compared_keys(node: Mapping[str, Any], grid: Grid) -> tuple[list[str], list[str] | None]:
    """Return the factor of a sweep and the words of its control, or raise UserError where they do
    not fit it.

    What a file compares and a command gives one value is no factor of that command. A choice of
    another package, as `experiment/arms@_global_=a,b`, may vary any key.
    """
    swept = [key for key in grid.keys if key not in BLOCKS]
    varies_others = any("@" in key for key in swept)
    factor = as_list(node["factor"]) or own_factor([key for key in swept if "@" not in key])
    control = as_list(node["control"]) or None
    if control is not None and len(control) != len(factor):
        raise user_error("controls", given=listed(control), factor=listed(factor))
    fixed = {key_of(override): override for override in grid.fixed}
    left_out = [key for key in factor if key not in swept and key in fixed]
    for key in factor:
        if key in left_out and "sweep.factor" not in fixed:
            print(TABLE["no_factor"].format(given=fixed[key], key=key))
        elif key not in swept and not varies_others:
            like = hint("", key, swept)
            raise user_error("factor", given=key, choices=listed(swept) or "nothing", hint=like)
    kept = [index for index, key in enumerate(factor) if key not in left_out]
    return [factor[i] for i in kept], (control and [control[i] for i in kept]) or None


def own_factor(varied: Sequence[str]) -> list[str]:
    """Return what is compared where nobody said it: what varies, the first two keys of it.

    Data sets are tasks, each with an answer of its own, for a score on one is none on another;
    only where nothing else varies are they themselves what is asked about.
    """
    return [key for key in varied if key != "data"][:2] or list(varied[:1])


def test_of(node: Mapping[str, Any], factor: Sequence[str]) -> str:
    """Return the test of a sweep, or raise UserError for one that is not for its factors."""
    test = str(node.get("test") or SIGN_FLIP)
    if test == DUNNETT and len(factor) > 1:
        raise user_error("pooled_two_factors", given=",".join(factor), first=factor[0])
    return test


def check_allowed(keys: Sequence[str], options_of: Callable[[str], list[str] | None]) -> None:
    """Raise UserError for an allowed key that is none of a config, nor what a run was made on."""
    for key in keys:
        if options_of(key) is None and not is_within(key, BESIDE_CONFIGS):
            raise user_error("allowed_key", given=key)


def as_list(value: Any) -> list[str]:
    if value is None:
        return []
    return list(map(str, value)) if isinstance(value, list) else [str(value)]


def control_of(key: str, word: str, values: list[str], own: Callable[[str], Any]) -> str:
    """Return the control as the sweep spells it, or raise UserError where it is not varied.

    Args:
        word: the control as declared; `default` is the value that the key has without the sweep.
        values: those that the sweep gives the key.
        own: gives that value.
    """
    if not values and word != "default":
        return word  # of a key that a choice of another package varies
    wanted = meaning(str(own(key)) if word == "default" else word)
    for value in values:
        if meaning(value) == wanted:
            return value
    if word == "default":
        raise user_error("control_default", own=wanted, key=key, choices=listed(values))
    check_choice("sweep.control", word, values)
    return word


def seeds_of(given: Any) -> list[int] | None:
    """Return the seeds that `sweep.seeds` names: a number of them from 0, or a list."""
    if given is None:
        return None
    is_number = isinstance(given, int) and not isinstance(given, bool)
    seeds = list(range(given)) if is_number else given
    good = isinstance(seeds, list) and all(isinstance(s, int) and s >= 0 for s in seeds)
    allowed = "a number of seeds (0, 1, ...), or a list of different ones"
    fits = good and seeds and len(set(seeds)) == len(seeds)
    refuse_unless(fits, "sweep.seeds", given, allowed, 10)
    return seeds


def declare(
    sweep_dir: Path, declaration: Declaration, command: str, more: Mapping[str, Any] | None = None
) -> None:
    """Write the declaration into the sweep's folder, below those before it where it differs."""
    make_folder(sweep_dir)
    path = sweep_dir / FILE
    declared = {"declared_at": now(), "command": command, **declaration.plain(), **(more or {})}
    said = {"allow": [], "test": SIGN_FLIP}
    text = "# What this sweep compares, as it was declared before its runs; the last one counts.\n"
    with writing_in(sweep_dir):
        before = read_declarations(sweep_dir)
        if not before or without_moment({**said, **before[-1]}) != without_moment(declared):
            declarations = yaml.safe_dump([*before, declared], sort_keys=False)
            write_atomic(path, f"{BEGINNING}{text}{declarations}{END}")


def check_folder(sweep_dir: Path) -> None:
    """Raise UserError for a folder that cannot be made, as far as is known without making it."""
    check_name(sweep_dir)
    nearest = next(path for path in (sweep_dir, *sweep_dir.absolute().parents) if path.exists())
    reason = "" if nearest.is_dir() else f"{nearest} is a file"
    if not reason and not os.access(nearest, os.W_OK | os.X_OK):
        reason = f"no right to write to {nearest}"
    if reason:
        raise user_error("unwritable", path=sweep_dir, reason=reason)


def make_folder(sweep_dir: Path) -> None:
    try:
        sweep_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise user_error("unwritable", path=sweep_dir, reason=error.strerror or error) from error


def read_declarations(sweep_dir: Path) -> list[dict[str, Any]]:
    """Return every declaration of a sweep, the first one first."""
    path = sweep_dir / FILE
    if not path.is_file():
        return []
    try:
        return declarations_in(text_of(path))
    except ValueError as error:
        aside = path.with_name(f"{FILE}.broken")
        os.replace(path, aside)
        reason = " ".join(str(error).split())[:200]
        print(TABLE["broken_declaration"].format(path=path, reason=reason, aside=aside))
        return []


def without_moment(declared: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in declared.items() if key not in ("declared_at", "command")}
