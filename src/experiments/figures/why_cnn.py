"""MLP and CNN at equal numbers of parameters, where points stand and where they are moved."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.building import load_data
from experiments.data.datamodule import check_shift, moved
from experiments.data.sources import DataSet
from experiments.errors import user_error
from experiments.figures.budgets import Widths, num_parameters, widths_for
from experiments.figures.composing import Composition
from experiments.figures.drawing import Drawing
from experiments.figures.themes import Theme
from experiments.runs import Run

TOLERANCE = 0.02
"""How much the parameters of the two networks may differ."""
KEYS = {"mlp": "hidden", "cnn": "channels"}
"""The key of each model that holds its widths."""

Numbers = dict[str, Any]


def why_cnn(
    composition: Composition,
    budgets: Sequence[int] = (1200, 2500, 5000),
    shifts: Sequence[int] = (0, 1, 2, 4),
    seeds: Sequence[int] = (0, 1, 2),
    channels: Sequence[float] = (1, 1, 1),
    hidden: Sequence[float] = (1,),
    cnn: Mapping[str, Any] | None = None,
    mlp: Mapping[str, Any] | None = None,
) -> Drawing:
    """Draw test accuracy against parameters, and against shifts of the test points.

    A network is trained once on points where they stand, and tested on them moved by up to each
    shift: the same points that `data.test_shift` moves, by the same offsets.

    Args:
        composition: of the figure.
        budgets: parameters; the two networks of a budget differ by at most 2 %.
        shifts: positions, each 0 or more.
        seeds: of initial weights and batches.
        channels: relative widths of the convolutions.
        hidden: relative widths of the hidden layers.
        cnn: other keys of the CNN.
        mlp: other keys of the MLP.

    Raises:
        UserError: budgets that the two cannot share, or shifts that the data cannot make.
    """
    config = composition.training()
    data = load_data(config)
    check(config, data, budgets, shifts, seeds, {"channels": channels, "hidden": hidden})
    keys = {"cnn": dict(cnn or {}), "mlp": dict(mlp or {})}
    patterns = {"cnn": channels, "mlp": hidden}
    pairs = [equal_pair(composition, data, budget, patterns, keys) for budget in sorted(budgets)]
    numbers = {
        "data": config["data"]["name"],
        "chance": chance(data),
        "shifts": list(shifts),
        "seeds": list(seeds),
        **{
            model: [
                measured(composition, data, model, pair[model], keys, shifts, seeds)
                for pair in pairs
            ]
            for model in ("mlp", "cnn")
        },
    }
    return Drawing(
        numbers=numbers,
        pictures={"why_cnn": lambda theme: two_panels(numbers, theme)},
        description="Test accuracy of an MLP and a CNN: against their parameters, which are "
        "equally many, and against shifts of the test points.",
        said=said(numbers),
    )


def check(
    config: dict[str, Any],
    data: DataSet,
    budgets: Sequence[int],
    shifts: Sequence[int],
    seeds: Sequence[int],
    patterns: Mapping[str, Sequence[float]],
) -> None:
    """Raise UserError for lists with nothing to draw, and for shifts that the data cannot make."""
    if data.task != "classification":
        raise user_error(
            "not_allowed", key="data", given=config["data"]["name"],
            allowed="a set of classes, as accuracy is drawn", instead="digits",
        )  # fmt: skip
    for key, given, least, instead in (
        ("budgets", budgets, 1, "[5000]"),
        ("shifts", shifts, 0, "[0,1,2]"),
        ("seeds", seeds, 0, "[0,1,2]"),
    ):
        is_good = given and all(
            isinstance(one, int) and not isinstance(one, bool) and one >= least for one in given
        )
        if not is_good or len(set(given)) < len(given):
            allowed = f"a list of different whole numbers of at least {least}"
            raise user_error(
                "not_allowed", key=key, given=shown(given), allowed=allowed, instead=instead
            )
    for key, pattern in patterns.items():
        if not pattern or not all(isinstance(one, int | float) and one > 0 for one in pattern):
            allowed = "a list of relative widths above 0"
            raise user_error(
                "not_allowed", key=key, given=shown(pattern), allowed=allowed, instead="[1,2]"
            )
    for shift in shifts:
        if shift:
            check_shift(shift, data.spec.shape, config["data"]["name"])


def shown(values: Any) -> str:
    """Return a list as it is typed."""
    return str(list(values)).replace(" ", "")


def equal_pair(
    composition: Composition,
    data: DataSet,
    budget: int,
    patterns: Mapping[str, Sequence[float]],
    keys: Mapping[str, Mapping[str, Any]],
) -> dict[str, Widths]:
    """Return the widths of the CNN nearest to a budget, and of the MLP nearest to that CNN."""
    found: dict[str, tuple[Widths, int]] = {}
    wanted = budget
    for model in ("cnn", "mlp"):
        config = composition.training(*overrides_of(model, [1], keys[model]))
        count = functools.partial(count_of, config, model, data)
        found[model] = widths_for(wanted, patterns[model], count)
        wanted = found[model][1]
    (_, ours), (_, theirs) = found["mlp"], found["cnn"]
    if abs(ours - theirs) > TOLERANCE * theirs:
        raise user_error(
            "not_allowed",
            key="budgets",
            given=f"[{budget}]",
            allowed=f"what an MLP and a CNN can share to {TOLERANCE:.0%} (nearest: {ours:,} and "
            f"{theirs:,})",
            instead=f"[{4 * budget}]",
        )
    return {model: widths for model, (widths, _) in found.items()}


def count_of(config: dict[str, Any], model: str, data: DataSet, widths: Widths) -> int:
    """Return the parameters of a model with these widths."""
    changed = config["model"] | {KEYS[model]: widths}
    return num_parameters(config | {"model": changed}, data.spec)


def overrides_of(model: str, widths: Widths, keys: Mapping[str, Any]) -> list[str]:
    """Return what is typed for a model.

    >>> overrides_of("cnn", [8, 16], {"pool": "none"})
    ['model=cnn', 'model.channels=[8,16]', 'model.pool=none']
    """
    values = {KEYS[model]: widths, **keys}
    typed = [f"model.{key}={str(value).replace(' ', '')}" for key, value in values.items()]
    return [f"model={model}", *typed]


def measured(
    composition: Composition,
    data: DataSet,
    model: str,
    widths: Widths,
    keys: Mapping[str, Mapping[str, Any]],
    shifts: Sequence[int],
    seeds: Sequence[int],
) -> Numbers:
    """Return a network's parameters, and its test accuracy for each shift and seed."""
    typed = overrides_of(model, widths, keys[model])
    runs = [composition.run(*typed, f"seed={seed}", "data.test_shift=0") for seed in seeds]
    return {
        "widths": widths,
        "parameters": runs[0].record["num_parameters"],
        "accuracy": {str(shift): [accuracy(run, data, shift) for run in runs] for shift in shifts},
    }


@torch.no_grad()
def accuracy(run: Run, data: DataSet, shift: int) -> float:
    """Return the share of test points that a run is right on, moved by up to `shift` positions."""
    test = data.test
    if shift:
        test = moved(test, shift, run.config["data"]["split_seed"])
    found = torch.cat([run.module().predict(x) for x in test.inputs.split(1024)])
    return float((found == test.targets).double().mean())


def chance(data: DataSet) -> float:
    """Return the accuracy of always naming the most frequent class of the test points."""
    return float(torch.bincount(data.test.targets).max() / len(data.test))


def two_panels(numbers: Numbers, theme: Theme) -> Figure:
    """Draw accuracy against parameters, and against shifts for the budget in the middle."""
    figure = Figure(figsize=(9.2, 4.2), layout="constrained")
    by_size, by_shift = figure.subplots(1, 2, sharey=True)
    middle = (len(numbers["mlp"]) - 1) // 2
    least = str(min(numbers["shifts"]))
    for index, model in enumerate(("cnn", "mlp")):
        sizes = [one["parameters"] for one in numbers[model]]
        draw_series(
            by_size,
            sizes,
            [one["accuracy"][least] for one in numbers[model]],
            model.upper(),
            index,
            theme,
        )
        one = numbers[model][middle]
        name = f"{model.upper()}, {one['parameters']:,} parameters"
        shifted = [one["accuracy"][str(shift)] for shift in numbers["shifts"]]
        draw_series(by_shift, numbers["shifts"], shifted, name, index, theme)
    by_size.set_xscale("log")
    by_size.minorticks_off()
    budgets = [one["parameters"] for one in numbers["cnn"]]
    by_size.set_xticks(budgets, [f"{size:,}" for size in budgets])
    by_size.set_title(f"Equally many parameters, {numbers['data']}")
    by_size.set_xlabel("parameters")
    by_size.set_ylabel("test accuracy, % (a tick is one seed)")
    by_shift.set_title("Test points moved")
    by_shift.set_xlabel("by up to so many positions")
    by_shift.set_xticks(numbers["shifts"])
    for axes in (by_size, by_shift):
        axes.axhline(100 * numbers["chance"], color=theme.quiet, linewidth=1, linestyle=":")
        axes.set_ylim(0, 103)
        axes.grid(axis="y")
        axes.margins(x=0.08)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 100 * numbers["chance"] / 103 + 0.06))
        axes.annotate(
            "chance", (0.99, 100 * numbers["chance"]), (0, 3), xycoords=("axes fraction", "data"),
            textcoords="offset points", ha="right", color=theme.quiet, fontsize=9,
        )  # fmt: skip
    return figure


def draw_series(
    axes: Axes,
    x: Sequence[float],
    values: Sequence[Sequence[float]],
    name: str,
    index: int,
    theme: Theme,
) -> None:
    """Draw means as a line with markers, and every seed as a tick."""
    look = theme.look(index)
    means = [100 * statistics.mean(each) for each in values]
    axes.plot(x, means, marker=look.marker, markersize=6, label=name, **look.line)
    for place, each in zip(x, values, strict=True):
        axes.plot(
            [place] * len(each), [100 * value for value in each], linestyle="",
            marker="_", markersize=13, color=theme.ink, zorder=3,
        )  # fmt: skip


def said(numbers: Numbers) -> list[str]:
    """Return mean accuracies in words."""
    lines = []
    for mlp, cnn in zip(numbers["mlp"], numbers["cnn"], strict=True):
        for shift in numbers["shifts"]:
            ours, theirs = (
                100 * statistics.mean(one["accuracy"][str(shift)]) for one in (cnn, mlp)
            )
            lines.append(
                f"moved by up to {shift}: cnn of {cnn['parameters']:,} parameters {ours:.1f} %, "
                f"mlp of {mlp['parameters']:,} {theirs:.1f} %"
            )
    return lines
