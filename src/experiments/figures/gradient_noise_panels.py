"""The four panels of gradient_noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures.themes import Theme

Numbers = dict[str, Any]


def four_panels(numbers: Numbers, theme: Theme) -> Figure:
    """Draw mean, spread, time and descent."""
    figure = Figure(figsize=(9.6, 7.6), layout="constrained")
    (mean, spread), (time, descent) = figure.subplots(2, 2)
    draw_mean(mean, numbers["partition"], theme)
    draw_spread(spread, numbers["spread"], theme)
    draw_time(time, numbers["time"], theme)
    draw_descent(descent, numbers["descent"], theme)
    return figure


def draw_mean(axes: Axes, part: Numbers, theme: Theme) -> None:
    """Draw each mini-batch's gradient in the plane, their mean and the full one."""
    one, other = theme.look(0), theme.look(1)
    x, y = zip(*part["gradients"], strict=True)
    axes.axhline(0, color=theme.faint, linewidth=0.8, zorder=0)
    axes.plot(
        x, y, linestyle="", marker="o", markersize=5, markerfacecolor="none", color=one.color,
        label=f"{len(x)} mini-batches of {part['batch_size']}",
    )  # fmt: skip
    axes.plot(
        *part["full"], linestyle="", marker="s", markersize=12, markerfacecolor="none",
        markeredgewidth=2, color=theme.ink, label="full gradient ∇L",
    )  # fmt: skip
    axes.plot(
        *part["mean"], linestyle="", marker="X", markersize=7, color=other.color,
        label="mean of the mini-batches",
    )  # fmt: skip
    axes.margins(0.1)
    with_room_above(axes, 0.42)
    axes.set_title("Their mean is the full gradient")
    axes.set_xlabel("along ∇L, in |∇L|")
    axes.set_ylabel("across, where most deviate")
    axes.legend(
        loc="upper left",
        fontsize=9,
        title=f"relative difference {part['relative_difference']:.0e}",
        title_fontsize=9,
        alignment="left",
    )


def with_room_above(axes: Axes, share: float) -> None:
    """Leave a share of the height free above the data, for the legend."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + (high - low) * share / (1 - share))


def draw_spread(axes: Axes, numbers: Numbers, theme: Theme) -> None:
    """Draw measured spreads as markers and the closed forms as lines."""
    sizes = numbers["batch_sizes"]
    names = {"with_replacement": "with replacement", "without_replacement": "without"}
    for index, (way, name) in enumerate(names.items()):
        look, series = theme.look(index), numbers[way]
        axes.plot(sizes, series["expected"], label=f"{name}: closed form", **look.line)
        axes.plot(
            sizes, series["measured"], linestyle="", marker=look.marker, markersize=7,
            markerfacecolor="none", color=look.color, label=f"{name}: measured",
        )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    plain_ticks(axes, sizes)
    axes.grid(axis="y")
    axes.set_title(f"Spread: slope {signed(numbers['slope'])}")
    axes.set_xlabel("batch size |B|")
    axes.set_ylabel("distance from ∇L, in |∇L|")
    axes.legend(loc="lower left", fontsize=9)


def draw_time(axes: Axes, numbers: Numbers, theme: Theme) -> None:
    """Draw the time of a step against the batch size, with the line a + b |B|."""
    look = theme.look(2)
    sizes, seconds = numbers["batch_sizes"], numbers["seconds"]
    constant, each = numbers["constant_seconds"], numbers["seconds_per_point"]
    dense = np.geomspace(sizes[0], sizes[-1], 200)
    line = 1e3 * (constant + each * dense)
    axes.plot(
        dense, line, color=look.color, linestyle=look.linestyle,
        label=f"{1e3 * constant:.2g} ms + {1e6 * each:.2g} µs · |B|",
    )  # fmt: skip
    axes.plot(
        sizes, [1e3 * s for s in seconds], linestyle="", marker=look.marker, markersize=7,
        markerfacecolor="none", color=look.color, label="measured",
    )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    plain_ticks(axes, sizes)
    axes.grid(axis="y")
    axes.set_title("Time of a step, on this machine")
    axes.set_xlabel("batch size |B| (the last: all points)")
    axes.set_ylabel("milliseconds")
    axes.legend(
        loc="upper left", fontsize=9, title=f"{numbers['device']}, {numbers['threads']} thread",
        title_fontsize=8, alignment="left",
    )  # fmt: skip


def draw_descent(axes: Axes, numbers: Numbers, theme: Theme) -> None:
    """Draw L(theta) against single gradients, one curve for each batch size."""
    for index, (size, one) in enumerate(numbers.items()):
        look = theme.look(index)
        name = "full batch" if size == "full" else f"|B| = {size}"
        axes.plot(
            one["evaluations"], one["losses"], marker=look.marker, markersize=5,
            label=f"{name}, lr {one['lr']:g}: {one['steps']:,} steps", **look.line,
        )  # fmt: skip
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    share = 0.05 + 0.065 * len(numbers)  # of the height, free below the curves for the legend
    axes.set_ylim(low * (low / high) ** (share / (1 - share)), high)
    axes.grid(axis="y")
    axes.set_title("L(θ) at equal compute")
    axes.set_xlabel("gradients of single points")
    axes.set_ylabel("L(θ), over all training points")
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.legend(loc="lower left", fontsize=8.5)


def plain_ticks(axes: Axes, sizes: list[int]) -> None:
    """Write the sizes themselves under a logarithmic axis, and plain numbers beside it."""
    shown = [size for i, size in enumerate(sizes) if i == 0 or size >= 1.9 * sizes[i - 1]]
    axes.set_xticks(shown, [f"{size:,}" for size in shown])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = [m * 10.0**d for d in decades for m in (1, 2, 5) if low <= m * 10.0**d <= high]
    axes.set_yticks(steps, [f"{step:g}" for step in steps])


def signed(value: float) -> str:
    """Return a number with the minus of typographers.

    >>> signed(-0.5)
    '−0.500'
    """
    return f"{value:.3f}".replace("-", "−")
