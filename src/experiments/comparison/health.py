"""How the training of each setting went inside: what `callbacks=diagnostics` measured, by layer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from experiments.comparison.judged import Judged
from experiments.comparison.reading import FoundRun, Row

PREFIX = "diagnostics/"
NETWORK = "network"
BOUNDED = ("sigmoid", "tanh", "hardsigmoid", "hardtanh", "softsign", "relu6")
"""Activations with two bounds; of any other, `saturated` counts outputs where it is flat, which
half of those of a ReLU are in a network that is well."""
NOTEWORTHY = 0.1
"""The part of a layer's units from which on dead and saturated ones are said in words."""
KINDS = {"layers": "layer", "convs": "convolution", "dense": "dense layer"}
OF_LAYERS = ("dead", "saturated", "mean", "variance", "gradient_norm", "update_ratio")
OF_NETWORK = ("gradient_norm", "gradient_cosine", "noise_scale")
EXPLAINED = (
    "dead: the part of the units that are 0 at every probed point.",
    "saturated: the part of the outputs within a hundredth of a bound of the activation; of one "
    "without two bounds, the part at which its derivative is below 0.001 (a ReLU that is off).",
    "update ratio: the size of one step against that of the weights; 0.001 is usual.",
    "noise scale: the points above which a larger batch gains little.",
)


@dataclass(frozen=True)
class Moment:
    """What one setting's runs measured at one moment.

    Attributes:
        when: in words, such as `after epoch 1`.
        values: each column's value in each run that has it.
        num_runs: that have measured anything.
    """

    when: str
    values: dict[str, list[float]]
    num_runs: int


def health_dict(judged: Sequence[Judged]) -> dict[str, Any] | None:
    """Return words and tables on the training of every setting; None where none was looked into.

    Every number is a mean over runs that have it, whose number stands beside it.
    """
    words: list[str] = []
    layers: list[dict[str, Any]] = []
    network: list[dict[str, Any]] = []
    for one in judged:
        for index, setting in enumerate(one.task.settings):
            name = one.name(index) if len(judged) == 1 else f"{one.task.name}: {one.name(index)}"
            runs = [scored.run for scored in setting.every]
            for moment in moments_of(runs):
                rows = layer_rows(name, moment)
                words += sentences(name, moment, rows, is_bounded(runs))
                layers += rows
                network += network_rows(name, moment)
            words += not_learned(name, runs)
    if not words and not layers:
        return None
    found: dict[str, Any] = {"in words": words or ["Nothing stands out."]}
    if layers:
        found |= {"by layer": layers, "of the whole network": network, "how": list(EXPLAINED)}
    return found


def is_bounded(runs: Sequence[FoundRun]) -> bool:
    """Return whether the activation of these runs has two bounds."""
    return all((run.config.get("activation") or {}).get("name") in BOUNDED for run in runs)


def moments_of(runs: Sequence[FoundRun]) -> list[Moment]:
    """Return the first and the last moment that the runs of a setting measured."""
    measured = [[row for row in run.history() if columns_of(row)] for run in runs]
    measured = [rows for rows in measured if rows]
    if not measured:
        return []
    first, last = [rows[0] for rows in measured], [rows[-1] for rows in measured]
    found = [moment(first, when_of(first) or "when it was measured first")]
    if any(len(rows) > 1 for rows in measured):
        found.append(moment(last, when_of(last) or "at the end"))
    return found


def columns_of(row: Row) -> list[str]:
    """Return the names of the values of diagnostics in a row."""
    return [name for name, value in row.items() if name.startswith(PREFIX) and value is not None]


def when_of(rows: Sequence[Row]) -> str | None:
    """Return which moment rows of several runs share, or None."""
    is_epoch = all(row.get("train/loss") is not None for row in rows)
    key = "epoch" if is_epoch else "step"
    numbers = {row[key] for row in rows}
    return f"after {key} {numbers.pop():g}" if len(numbers) == 1 else None


def moment(rows: Sequence[Row], when: str) -> Moment:
    """Return the values of one row of each run."""
    names = dict.fromkeys(name for row in rows for name in columns_of(row))
    values = {name: list(finite(row.get(name) for row in rows)) for name in names}
    return Moment(when, values, len(rows))


def finite(values: Iterable[float | None]) -> Iterable[float]:
    """Yield the values that are numbers."""
    return (value for value in values if value is not None and math.isfinite(value))


def mean(found: Moment, layer: str, measure: str) -> float | None:
    """Return the mean over runs of a layer's value; None where no run has it."""
    values = found.values.get(f"{PREFIX}{layer}/{measure}")
    return fmean(values) if values else None


def layer_rows(setting: str, found: Moment) -> list[dict[str, Any]]:
    """Return a row of the table for each layer, in the order in which they were measured."""
    names = dict.fromkeys(name.split("/")[1] for name in found.values)
    head = {"setting": setting, "when": found.when}
    return [
        {
            **head,
            "layer": name,
            "runs": found.num_runs,
            **{spaced(key): mean(found, name, key) for key in OF_LAYERS},
        }
        for name in in_order(names)
        if name != NETWORK
    ]


def in_order(names: Iterable[str]) -> list[str]:
    """Return layers as they follow each other: convolutions, dense layers, the head.

    >>> in_order(["head", "layers.10", "layers.2", "convs.0"])
    ['convs.0', 'layers.2', 'layers.10', 'head']
    """

    def place(name: str) -> tuple[int, int, str]:
        kind, _, number = name.partition(".")
        order = ["convs", "layers", "dense"]
        rank = order.index(kind) if kind in order else len(order) + (kind == "head")
        return rank, int(number) if number.isdigit() else 0, name

    return sorted(names, key=place)


def network_rows(setting: str, found: Moment) -> list[dict[str, Any]]:
    """Return the row of the whole network, where anything of it was measured."""
    values = {spaced(key): mean(found, NETWORK, key) for key in OF_NETWORK}
    if all(value is None for value in values.values()):
        return []
    return [{"setting": setting, "when": found.when, "runs": found.num_runs, **values}]


def spaced(name: str) -> str:
    """Return a name as words."""
    return name.replace("_", " ")


def sentences(
    setting: str, found: Moment, rows: Sequence[Mapping[str, Any]], bounded: bool
) -> list[str]:
    """Return what stands out at a moment: the layer with most dead units, and most saturated."""
    said = []
    kinds = [("dead", "dead"), *([("saturated", "saturated")] if bounded else [])]
    for key, word in kinds:
        having = [row for row in rows if row[key] is not None]
        if not having:
            continue
        worst = max(having, key=lambda row: row[key])
        if worst[key] >= NOTEWORTHY:
            count = f"mean of {found.num_runs} runs" if found.num_runs > 1 else "one run"
            said.append(
                f"{setting}: {worst[key]:.0%} of the units of {told_layer(worst['layer'])} "
                f"{word} {found.when} ({count}).".replace("%", " %")
            )
    return said


def told_layer(name: str) -> str:
    """Return a layer as a reader counts it.

    >>> told_layer("layers.0"), told_layer("convs.1"), told_layer("head")
    ('layer 1 (layers.0)', 'convolution 2 (convs.1)', 'head')
    """
    kind, _, number = name.partition(".")
    return f"{KINDS[kind]} {int(number) + 1} ({name})" if kind in KINDS else name


def not_learned(setting: str, runs: Sequence[FoundRun]) -> list[str]:
    """Return how many runs ended at chance, with what the first of them says of itself."""
    those = [run for run in runs if run.record.get("health")]
    if not those:
        return []
    first = those[0].record
    number = f"{len(those)} of {len(runs)} runs"
    return [f"{setting}: {number} ended at chance. Seed {first['seed']}: {first['health']}"]
