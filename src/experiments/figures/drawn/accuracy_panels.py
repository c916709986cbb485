"""The panels of why_cnn: accuracy against parameters, and on points that are moved or shuffled."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures.page.sheet import number_text
from experiments.figures.page.slide import slide
from experiments.figures.page.themes import SeriesStyle, Theme

MODELS = ("cnn", "mlp")
APART = 0.6
"""From the last shift to what is shuffled, more than from one shift to the next."""


def mean_percent(shares: Sequence[float]) -> float:
    return 100 * statistics.mean(shares)


def draw_accuracies(numbers: dict[str, Any], middle: int, theme: Theme) -> Figure:
    """Draw accuracy against parameters, and the pair in the middle on other points."""
    figure = slide()
    by_size, by_change = figure.subplots(1, 2, sharey=True, width_ratios=(4, 5))
    draw_by_size(by_size, numbers, theme)
    draw_by_change(by_change, {name: numbers[name][middle] for name in MODELS}, numbers, theme)
    for axes in (by_size, by_change):
        draw_chance(axes, 100 * numbers["chance"], theme)
    by_size.legend(loc="upper left", bbox_to_anchor=(0, 0.42))
    return figure


def draw_by_size(axes: Axes, numbers: dict[str, Any], theme: Theme) -> None:
    """Draw accuracy against the number of parameters."""
    sizes = [network["parameters"] for network in numbers["cnn"]]
    least = str(min(numbers["shifts"]))
    for index, model in enumerate(MODELS):
        own = [network["parameters"] for network in numbers[model]]
        values = [network["accuracy"][least] for network in numbers[model]]
        draw_accuracy(axes, own, values, model.upper(), theme.style(index), theme)
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.set_title("Equally many parameters", fontsize=11)
    axes.set(xlabel="parameters", ylabel=f"test accuracy on {numbers['data']}, %")


def draw_by_change(
    axes: Axes, pair: dict[str, dict[str, Any]], numbers: dict[str, Any], theme: Theme
) -> None:
    """Draw accuracy by shift, and beside it on shuffled points; and say what each change costs."""
    shifts, has_shuffled = numbers["shifts"], "shuffled" in pair["cnn"]
    places = [float(place) for place in range(len(shifts))]
    beside = len(shifts) + APART
    labels = ["0" if shift == 0 else f"≤ {shift}" for shift in shifts]
    for index, (name, other) in enumerate(zip(MODELS, reversed(MODELS), strict=True)):
        network, style, last = pair[name], theme.style(index), str(shifts[-1])
        moved = [network["accuracy"][str(shift)] for shift in shifts]
        draw_accuracy(axes, places, moved, "", style, theme)
        start = mean_percent(moved[0])
        if len(moved) > 1:
            ends = moved[-1], pair[other]["accuracy"][last]
            write_change(axes, places[-1], start, ends, style)
        if has_shuffled:
            draw_accuracy(axes, [beside], [network["shuffled"]], "", style, theme)
            write_change(axes, beside, start, (network["shuffled"], pair[other]["shuffled"]), style)
    if has_shuffled:
        axes.axvline(beside - (1 + APART) / 2, color=theme.faint, linewidth=0.8)
        places, labels = [*places, beside], [*labels, "all shuffled"]
    axes.set_xticks(places, labels)
    axes.set_xlim(-0.4, places[-1] + 0.6)
    axes.set_title(f"CNN and MLP of {pair['cnn']['parameters']:,} parameters", fontsize=11)
    axes.set(xlabel="test points moved by so many positions")


def write_change(
    axes: Axes,
    x: float,
    before: float,
    ends: tuple[Sequence[float], Sequence[float]],
    style: SeriesStyle,
) -> None:
    """Write how many points of accuracy a change costs, on the side away from the other model.

    Args:
        x: where the marker stands.
        before: accuracy on points as they are, in percent.
        ends: accuracies after the change, of this model and of the other one.
    """
    now, other = map(mean_percent, ends)
    change = round(now - before, 1)
    words = f"{'+' * (change > 0)}{number_text(change, '.1f')}"
    is_above = now > other or (now == other and style.marker == "o")
    text: dict[str, Any] = {"color": style.color, "weight": "bold", "ha": "center"}
    text |= {"va": "bottom" if is_above else "top", "textcoords": "offset points"}
    axes.annotate(words, (x, now), (0, 11 if is_above else -11), **text)


def draw_accuracy(
    axes: Axes,
    x: Sequence[float],
    values: Sequence[Sequence[float]],
    name: str,
    style: SeriesStyle,
    theme: Theme,
) -> None:
    """Draw means as a line with markers, and every seed as a tick."""
    means = [mean_percent(seeds) for seeds in values]
    axes.plot(x, means, marker=style.marker, ms=7, label=name or None, **style.line)
    for position, seeds in zip(x, values, strict=True):
        percent = [100 * value for value in seeds]
        axes.plot([position] * len(seeds), percent, "_", ms=13, color=theme.ink, zorder=3)


def draw_chance(axes: Axes, chance: float, theme: Theme) -> None:
    """Draw the accuracy of guessing, in percent."""
    axes.axhline(chance, color=theme.quiet, linewidth=1, linestyle=":")
    axes.set_ylim(0, 103)
    axes.grid(axis="y")
    text: dict[str, Any] = {"ha": "left", "color": theme.quiet, "fontsize": 9}
    at: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    axes.annotate("chance", (0.01, chance), (0, -3), va="top", **at, **text)
