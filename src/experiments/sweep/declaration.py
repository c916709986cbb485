"""What a sweep is about, said before it runs: `sweep.yaml` in its folder.

A comparison whose metric, or whose smallest difference that matters, is chosen after the results
were seen proves little. So each sweep writes down what it compares before its first run, and a
declaration that is changed later stands below the first one, with its time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from experiments.errors import check_choice, hint, listed, user_error
from experiments.records import now, write_atomic
from experiments.schema import NO_PART_OF_A_NAME, is_within
from experiments.sweep.grid import Grid, key_of, meaning

FILE = "sweep.yaml"
PROTOCOLS = ("fixed", "tuned")
COMPARISONS = ("control", "all_pairs")
STAGES = ("test", "val", "train")
AUTO = "auto"


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
        protocol: fixed, or tuned.
        fixed: overrides that all runs share, but those that cannot change a result.
        values: what each swept key takes.
        cases: rows of values that belong together.
        when: values for some jobs only.
        seeds: those of the sweep.
    """

    factor: list[str]
    control: list[str] | None
    metric: str
    delta: float | None
    comparisons: str
    protocol: str
    fixed: list[str]
    values: dict[str, list[str]]
    cases: list[dict[str, list[str]]]
    when: dict[str, dict[str, list[str]]]
    seeds: list[int]

    def with_metric(self, measured: Sequence[Sequence[str]]) -> Declaration:
        """Return the declaration with a metric that all of its runs measure.

        Args:
            measured: the names of what is measured on each of its data sets.

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
            protocol: fixed, or tuned.
            grid: its values.
            own: the value that a key has without the sweep.
        """
        check_choice("protocol", protocol, PROTOCOLS)
        check_choice("sweep.comparisons", node["comparisons"], COMPARISONS)
        swept = [key for key in grid.keys if key != "seed"]
        factor = as_list(node["factor"]) or swept[:2]
        for key in factor:
            if key not in swept:
                raise user_error(
                    "factor",
                    given=key,
                    choices=listed(swept) or "nothing",
                    hint=hint("", key, swept),
                )
        control = as_list(node["control"]) or None
        if control is not None:
            if len(control) != len(factor):
                raise user_error("controls", given=listed(control), factor=listed(factor))
            pairs = zip(factor, control, strict=True)
            control = [control_of(key, word, values_of_key(grid, key), own) for key, word in pairs]
        delta = node["delta"]
        if delta is not None and not delta > 0:
            raise user_error(
                "not_allowed",
                key="sweep.delta",
                given=delta,
                allowed="a number above 0, in the metric's unit",
                instead=0.0025,
            )

        # In what order they were typed changes nothing.
        fixed = sorted(o for o in grid.fixed if not is_within(key_of(o), NO_PART_OF_A_NAME))
        seeds = [int(seed) for seed in grid.swept.get("seed", [])]
        values = {key: list(map(str, those)) for key, those in grid.swept.items() if key != "seed"}
        return cls(
            factor,
            control,
            node["metric"],
            delta,
            node["comparisons"],
            protocol,
            fixed,
            values,
            grid.cases,
            grid.when,
            seeds,
        )


def as_list(value: Any) -> list[str]:
    """Return one value, or several, as a list of words."""
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def values_of_key(grid: Grid, key: str) -> list[str]:
    """Return every value that a key takes in a sweep."""
    there = [*grid.swept.get(key, [])]
    for row in [*grid.cases, *grid.when.values()]:
        there += row.get(key, [])
    return list(dict.fromkeys(there))


def control_of(key: str, word: str, there: list[str], own: Callable[[str], Any]) -> str:
    """Return the control as the sweep spells it, or raise UserError where it is not varied.

    Args:
        key: the factor.
        word: the control as declared; `default` is the value that the key has without the sweep.
        there: the values that the sweep gives the key.
        own: gives that value.
    """
    wanted = meaning(str(own(key)) if word == "default" else word)
    for value in there:
        if meaning(value) == wanted:
            return value
    if word == "default":
        raise user_error("control_default", own=wanted, key=key, choices=listed(there))
    check_choice("sweep.control", word, there)
    return word


def seeds_of(given: Any) -> list[int] | None:
    """Return the seeds that `sweep.seeds` names: a number of them from 0, or a list."""
    if given is None:
        return None
    is_number = isinstance(given, int) and not isinstance(given, bool)
    seeds = list(range(given)) if is_number else given
    good = isinstance(seeds, list) and all(isinstance(s, int) and s >= 0 for s in seeds)
    if not good or not seeds or len(set(seeds)) < len(seeds):
        raise user_error(
            "not_allowed",
            key="sweep.seeds",
            given=given,
            allowed="a number of seeds (0, 1, ...), or a list of different ones",
            instead=10,
        )
    return seeds


def declare(
    sweep_dir: Path, declaration: Declaration, command: str, more: dict[str, Any] | None = None
) -> None:
    """Write the declaration into the sweep's folder, below those before it where it differs."""
    make_folder(sweep_dir)
    path = sweep_dir / FILE
    said = {"declared_at": now(), "command": command, **asdict(declaration), **(more or {})}
    before = read_declarations(sweep_dir)
    if before and without_moment(before[-1]) == without_moment(said):
        return
    text = "# What this sweep compares, as it was declared before its runs; the last one counts.\n"
    write_atomic(path, text + yaml.safe_dump([*before, said], sort_keys=False))


def check_place(sweep_dir: Path) -> None:
    """Raise UserError for a folder that cannot be made, as far as is known without making it."""
    nearest = next(path for path in (sweep_dir, *sweep_dir.absolute().parents) if path.exists())
    reason = "" if nearest.is_dir() else f"{nearest} is a file"
    if not reason and not os.access(nearest, os.W_OK | os.X_OK):
        reason = f"no right to write to {nearest}"
    if reason:
        raise user_error("unwritable", path=sweep_dir, reason=reason)


def make_folder(sweep_dir: Path) -> None:
    """Make the folder of a sweep, or raise UserError where that cannot be."""
    try:
        sweep_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise user_error("unwritable", path=sweep_dir, reason=error.strerror or error) from error


def read_declarations(sweep_dir: Path) -> list[dict[str, Any]]:
    """Return every declaration of a sweep, the first one first."""
    path = sweep_dir / FILE
    if not path.is_file():
        return []
    said = yaml.safe_load(path.read_text(encoding="utf-8"))
    return list(said)


def without_moment(said: dict[str, Any]) -> dict[str, Any]:
    """Return a declaration without when and how it was typed."""
    return {key: value for key, value in said.items() if key not in ("declared_at", "command")}
