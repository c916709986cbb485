"""MLP and CNN at equal numbers of parameters: points as they are, moved, and shuffled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from experiments.config.entries import call_or_refuse, entry
from experiments.config.overrides import override_of
from experiments.data.datamodule import check_shift, moved
from experiments.data.sources import DataSet, DataSpec
from experiments.errors.messages import refuse_unless
from experiments.errors.wording import spelled
from experiments.figures.drawn.accuracy_panels import draw_accuracies, mean_percent
from experiments.figures.page.composing import Composition
from experiments.figures.page.drawing import Drawing
from experiments.figures.page.limits import is_whole
from experiments.training.build import activation_of, load_data
from experiments.training.load import Run

TOLERANCE = 0.02
"""How much the parameters of the two networks may differ."""
WIDTHS_KEY = {"mlp": "hidden", "cnn": "channels"}
"""The key of each model that holds its widths."""

Numbers = dict[str, Any]
Widths = list[int]


@dataclass(frozen=True)
class Contender:
    """A model that is scaled to a budget: relative widths of its layers, and its other keys."""

    name: str
    pattern: Sequence[float]
    keys: Mapping[str, Any]

    def overrides(self, widths: Widths) -> list[str]:
        """Return what is typed for it.

        >>> Contender("cnn", [1, 2], {"pool": "none"}).overrides([8, 16])
        ['model=cnn', 'model.channels=[8,16]', 'model.pool=none']
        """
        values = {WIDTHS_KEY[self.name]: widths, **self.keys}
        typed = [override_of(f"model.{key}", value) for key, value in values.items()]
        return [f"model={self.name}", *typed]


def why_cnn(
    composition: Composition,
    budgets: Sequence[int] = (1200, 2500, 5000),
    shifts: Sequence[int] = (0, 1, 2, 4),
    seeds: Sequence[int] = (0, 1, 2),
    channels: Sequence[float] = (1, 1, 1),
    hidden: Sequence[float] = (1,),
    cnn: Mapping[str, Any] | None = None,
    mlp: Mapping[str, Any] | None = None,
    shuffled: bool = True,
) -> Drawing:
    """Draw test accuracy against parameters; and of one size on moved and on shuffled points.

    A network is trained once on points where they stand, and tested on them moved by up to each
    shift: the same points that `data.test_shift` moves, by the same offsets. Shuffled, every
    point has its positions in one other order (`data.pixel_shuffle`), in training and in testing:
    an MLP learns as before, a convolution finds no neighbours any more. Greydanus & Kobak 2024,
    "Scaling down deep learning with MNIST-1D".

    Args:
        budgets: parameters; the two networks of a budget differ by at most 2 %.
        shifts: positions, each 0 or more.
        seeds: of initial weights and batches.
        channels: relative widths of the convolutions.
        hidden: relative widths of the hidden layers.
        cnn: other keys of the CNN.
        mlp: other keys of the MLP.
        shuffled: also train the pair in the middle on shuffled points.

    Raises:
        UserError: budgets that the two cannot share, or shifts that the data cannot make.
    """
    config = composition.training()
    data = load_data(config)
    models = {
        "mlp": Contender("mlp", hidden, mlp or {}),
        "cnn": Contender("cnn", channels, cnn or {}),
    }
    lists = {"budgets": budgets, "shifts": shifts, "seeds": seeds}
    check_values(config, data, lists, {"channels": channels, "hidden": hidden})
    pairs = [equal_pair(composition, data, budget, models) for budget in sorted(budgets)]
    numbers: Numbers = {
        "data": config["data"]["name"],
        "chance": chance(data),
        "shifts": list(shifts),
        "seeds": list(seeds),
    }
    for name, model in models.items():
        numbers[name] = [
            measure(composition, data, model, pair[name], shifts, seeds) for pair in pairs
        ]
    middle = (len(pairs) - 1) // 2
    for name, model in models.items() if shuffled else ():
        typed = [*model.overrides(pairs[middle][name]), "data.pixel_shuffle=true"]
        runs = runs_of(composition, typed, seeds)
        numbers[name][middle]["shuffled"] = [
            accuracy(run, load_data(run.config), 0) for run in runs
        ]
    return Drawing(
        numbers=numbers,
        pictures={"why_cnn": partial(draw_accuracies, numbers, middle)},
        description="Test accuracy of an MLP and a CNN: against their parameters, which are "
        "equally many, on test points that are moved, and on points whose positions are shuffled.",
        said=results_in_words(numbers),
    )


def check_values(
    config: dict[str, Any],
    data: DataSet,
    lists: Mapping[str, Sequence[int]],
    patterns: Mapping[str, Sequence[float]],
) -> None:
    """Raise UserError for lists with nothing to draw, and for shifts that the data cannot make."""
    name = config["data"]["name"]
    allowed = "a set of classes, as accuracy is drawn"
    refuse_unless(data.task == "classification", "data", name, allowed, "digits")
    for key, values in lists.items():
        least, instead = (1, "[5000]") if key == "budgets" else (0, "[0,1,2]")
        are_whole = all(is_whole(value, least) for value in values)
        fits = values and are_whole and len(set(values)) == len(values)
        allowed = f"a list of different whole numbers of at least {least}"
        refuse_unless(fits, key, spelled(list(values)), allowed, instead)
    for key, pattern in patterns.items():
        are_widths = all(isinstance(part, int | float) and part > 0 for part in pattern)
        allowed = "a list of relative widths above 0"
        refuse_unless(pattern and are_widths, key, spelled(list(pattern)), allowed, "[1,2]")
    for shift in filter(None, lists["shifts"]):
        check_shift(shift, data.spec.shape, name)


def equal_pair(
    composition: Composition, data: DataSet, budget: int, models: Mapping[str, Contender]
) -> dict[str, Widths]:
    """Return the widths of the CNN nearest to a budget, and of the MLP nearest to that CNN."""
    cnn, theirs = nearest_widths(composition, data, budget, models["cnn"])
    mlp, ours = nearest_widths(composition, data, theirs, models["mlp"])
    nearest = f"(nearest: {ours:,} and {theirs:,})"
    refuse_unless(
        abs(ours - theirs) <= TOLERANCE * theirs,
        "budgets",
        f"[{budget}]",
        f"what an MLP and a CNN can share to {TOLERANCE:.0%} {nearest}",
        f"[{4 * budget}]",
    )
    return {"cnn": cnn, "mlp": mlp}


def nearest_widths(
    composition: Composition, data: DataSet, budget: int, model: Contender
) -> tuple[Widths, int]:
    """Return the widths of a model whose parameters are nearest to a budget, and their number."""
    config = composition.training(*model.overrides([1]))

    def count(widths: Widths) -> int:
        changed = config["model"] | {WIDTHS_KEY[model.name]: widths}
        return num_parameters(config | {"model": changed}, data.spec)

    return widths_for(budget, model.pattern, count)


def num_parameters(config: dict[str, Any], spec: DataSpec) -> int:
    """Return how many weights the model of a config has on data of `spec`."""
    model, activation = entry(config, "model"), activation_of(config)
    with torch.device("meta"):  # shapes alone: no memory, no random numbers
        network = call_or_refuse(
            "model",
            lambda: model(spec.shape, spec.num_outputs, activation),
            config["model"]["_target_"],
        )
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def scaled(pattern: Sequence[float], scale: int) -> Widths:
    """Return relative widths times `scale`, each at least 1.

    >>> scaled([1, 2], 3), scaled([0.1, 1], 3)
    ([3, 6], [1, 3])
    """
    return [max(1, round(part * scale)) for part in pattern]


def widths_for(
    budget: int, pattern: Sequence[float], count: Callable[[Widths], int]
) -> tuple[Widths, int]:
    """Return the scaled widths whose number of parameters is nearest to `budget`, and that number.

    `count` gives the parameters at some widths, which grow with them.

    >>> widths_for(5210, [1], lambda widths: 51 * widths[0] + 10)
    ([102], 5212)
    """
    low, high = 1, 2
    while count(scaled(pattern, high)) < budget:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(scaled(pattern, middle)) < budget else (low, middle)
    counts = {scale: count(scaled(pattern, scale)) for scale in (low, high)}
    nearest = min(counts, key=lambda scale: abs(counts[scale] - budget))
    return scaled(pattern, nearest), counts[nearest]


def measure(
    composition: Composition,
    data: DataSet,
    model: Contender,
    widths: Widths,
    shifts: Sequence[int],
    seeds: Sequence[int],
) -> Numbers:
    """Return a network's parameters, and its test accuracy for each shift and seed."""
    runs = runs_of(composition, model.overrides(widths), seeds)
    return {
        "widths": widths,
        "parameters": runs[0].record["num_parameters"],
        "accuracy": {str(shift): [accuracy(run, data, shift) for run in runs] for shift in shifts},
    }


def runs_of(composition: Composition, typed: Sequence[str], seeds: Sequence[int]) -> list[Run]:
    return [composition.run(*typed, f"seed={seed}", "data.test_shift=0") for seed in seeds]


@torch.no_grad()
def accuracy(run: Run, data: DataSet, shift: int) -> float:
    """Return the share of test points that a run is right on, moved by up to `shift` positions."""
    test = data.test
    if shift:
        test = moved(test, shift, run.config["data"]["split_seed"])
    classes = torch.cat([run.module().predict(x) for x in test.inputs.split(1024)])
    return float((classes == test.targets).double().mean())


def chance(data: DataSet) -> float:
    """Return the accuracy of always naming the most frequent class of the test points."""
    return float(torch.bincount(data.test.targets).max() / len(data.test))


def results_in_words(numbers: Numbers) -> list[str]:
    """Return mean accuracies in words."""
    lines = []
    for mlp, cnn in zip(numbers["mlp"], numbers["cnn"], strict=True):
        for shift in map(str, numbers["shifts"]):
            ours, theirs = (mean_percent(m["accuracy"][shift]) for m in (cnn, mlp))
            lines.append(
                f"moved by up to {shift}: cnn of {cnn['parameters']:,} parameters {ours:.1f} %, "
                f"mlp of {mlp['parameters']:,} {theirs:.1f} %"
            )
        if "shuffled" in cnn:
            ours, theirs = (mean_percent(m["shuffled"]) for m in (cnn, mlp))
            lines.append(
                f"positions shuffled: cnn of {cnn['parameters']:,} parameters {ours:.1f} %, "
                f"mlp of {mlp['parameters']:,} {theirs:.1f} %"
            )
    return lines
