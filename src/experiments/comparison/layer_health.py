"""How the training of each setting went inside: what `callbacks=diagnostics` measured, by layer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from experiments.comparison.design import Dict
from experiments.comparison.judged import Judged
from experiments.comparison.reading import FoundRun, Row
from experiments.record.metric import finite_of

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

    Of each column the values in each run that has it, and how many runs have measured anything.
    """

    when: str
    values: dict[str, list[float]]
    num_runs: int

    def mean(self, layer: str, measure: str) -> float | None:
        """Return the mean over runs of a layer's value; None where no run has it."""
        values = self.values.get(f"{PREFIX}{layer}/{measure}")
        return fmean(values) if values else None

    def row(self, setting: str, layer: str, measures: Iterable[str]) -> Dict:
        """Return a row of the table: each measure of a layer, spelled as words."""
        own = {} if layer == NETWORK else {"layer": layer}
        means = {name.replace("_", " "): self.mean(layer, name) for name in measures}
        return {"setting": setting, "when": self.when, **own, "runs": self.num_runs, **means}


def health_dict(tasks: Sequence[Judged]) -> Dict | None:
    """Return words and tables on the training of every setting; None where none was looked into.

    Every number is a mean over runs that have it, whose number stands beside it.
    """
    words: list[str] = []
    layers: list[Dict] = []
    network: list[Dict] = []
    for judged in tasks:
        for setting in judged.task.settings:
            name = setting.name if len(tasks) == 1 else f"{judged.task.name}: {setting.name}"
            runs = [scored.run for scored in setting.every]
            for moment in moments_of(runs):
                names = {column.split("/")[1] for column in moment.values} - {NETWORK}
                rows = [moment.row(name, layer, OF_LAYERS) for layer in in_order(names)]
                words += sentences(name, moment, rows, all(map(is_bounded, runs)))
                layers += rows
                if any(moment.mean(NETWORK, measure) is not None for measure in OF_NETWORK):
                    network.append(moment.row(name, NETWORK, OF_NETWORK))
            words += not_learned(name, runs)
    if not words and not layers:
        return None
    health: Dict = {"in words": words or ["Nothing stands out."]}
    if layers:
        health |= {"by layer": layers, "of the whole network": network, "how": list(EXPLAINED)}
    return health


def is_bounded(run: FoundRun) -> bool:
    return (run.config.get("activation") or {}).get("name") in BOUNDED


def moments_of(runs: Sequence[FoundRun]) -> list[Moment]:
    """Return the first and the last moment that the runs of a setting measured."""
    measured = [[row for row in run.history() if columns_of(row)] for run in runs]
    measured = [rows for rows in measured if rows]
    if not measured:
        return []
    moments = [moment_of([rows[0] for rows in measured], "when it was measured first")]
    if any(len(rows) > 1 for rows in measured):
        moments.append(moment_of([rows[-1] for rows in measured], "at the end"))
    return moments


def moment_of(rows: Sequence[Row], otherwise: str) -> Moment:
    """Return the values of one row of each run; `otherwise` says when, where runs differ in it."""
    names = dict.fromkeys(name for row in rows for name in columns_of(row))
    values = {name: finite_of(row.get(name) for row in rows) for name in names}
    is_epoch = all(row.get("train/loss") is not None for row in rows)
    key = "epoch" if is_epoch else "step"
    numbers = {row[key] for row in rows}
    when = f"after {key} {numbers.pop():g}" if len(numbers) == 1 else otherwise
    return Moment(when, values, len(rows))


def columns_of(row: Row) -> list[str]:
    return [name for name, value in row.items() if name.startswith(PREFIX) and value is not None]


def in_order(names: Iterable[str]) -> list[str]:
    """Return layers as they follow each other: convolutions, dense layers, the head.

    >>> in_order(["head", "layers.10", "layers.2", "convs.0"])
    ['convs.0', 'layers.2', 'layers.10', 'head']
    """

    def rank(name: str) -> tuple[int, int, str]:
        kind, _, number = name.partition(".")
        order = ["convs", "layers", "dense"]
        group = order.index(kind) if kind in order else len(order) + (kind == "head")
        return group, int(number) if number.isdigit() else 0, name

    return sorted(names, key=rank)


def sentences(setting: str, moment: Moment, rows: Sequence[Dict], bounded: bool) -> list[str]:
    """Return what stands out at a moment: the layer with most dead units, and most saturated."""
    lines = []
    for key in ("dead", "saturated") if bounded else ("dead",):
        worst = max(rows, key=lambda row: -1.0 if row[key] is None else row[key], default=None)
        if worst is None or worst[key] is None or worst[key] < NOTEWORTHY:
            continue
        count = f"mean of {moment.num_runs} runs" if moment.num_runs > 1 else "one run"
        share = f"{worst[key]:.0%}".replace("%", " %")
        layer = numbered(worst["layer"])
        lines.append(f"{setting}: {share} of the units of {layer} {key} {moment.when} ({count}).")
    return lines


def numbered(layer: str) -> str:
    """Return a layer as a reader counts it.

    >>> numbered("layers.0"), numbered("convs.1"), numbered("head")
    ('layer 1 (layers.0)', 'convolution 2 (convs.1)', 'head')
    """
    kind, _, number = layer.partition(".")
    return f"{KINDS[kind]} {int(number) + 1} ({layer})" if kind in KINDS else layer


def not_learned(setting: str, runs: Sequence[FoundRun]) -> list[str]:
    """Return how many runs ended at chance, with what the first of them says of itself."""
    at_chance = [run for run in runs if run.record.get("health")]
    if not at_chance:
        return []
    first = at_chance[0].record
    number = f"{len(at_chance)} of {len(runs)} runs"
    return [f"{setting}: {number} ended at chance. Seed {first['seed']}: {first['health']}"]
