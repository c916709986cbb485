"""The four panels of gradient_noise, on two slides."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.figures.drawn.axes_panels import two_panels
from experiments.figures.page.sheet import number_text
from experiments.figures.page.themes import SeriesStyle, Theme

Numbers = dict[str, Any]


def draw_gradients(numbers: Numbers, theme: Theme) -> Figure:
    """Draw the mean of mini-batch gradients and their spread."""
    figure, (mean, spread) = two_panels((1, 1))
    draw_mean(mean, numbers["partition"], theme)
    draw_spread(spread, numbers["spread"], theme)
    return figure


def draw_cost(numbers: Numbers, theme: Theme) -> Figure:
    """Draw what a step costs, and descent at equal compute."""
    figure, (time, descent) = two_panels((1, 1))
    draw_time(time, numbers["time"], theme)
    draw_descent(descent, numbers["descent"], theme)
    return figure


def draw_mean(axes: Axes, part: Numbers, theme: Theme) -> None:
    """Draw each mini-batch's gradient in the plane, their mean and the full one."""
    x, y = zip(*part["gradients"], strict=True)
    axes.axhline(0, color=theme.faint, linewidth=0.8, zorder=0)
    batches = f"{len(x)} mini-batches of {part['batch_size']}"
    axes.plot(x, y, "o", ms=5, mfc="none", color=theme.style(0).color, label=batches)
    full: dict[str, Any] = {"ms": 12, "mfc": "none", "mew": 2, "color": theme.ink}
    axes.plot(*part["full"], "s", **full, label="full gradient ∇L")
    mean: dict[str, Any] = {"ms": 7, "color": theme.style(1).color}
    axes.plot(*part["mean"], "X", **mean, label="mean of the mini-batches")
    axes.margins(0.1)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + (high - low) * 0.36 / 0.64)  # the upper part is for the legend
    axes.set(
        xlabel="along ∇L, in |∇L|",
        ylabel="across, where most deviate",
    )
    axes.set_title("Their mean is the full gradient", fontsize=11)
    difference = f"relative difference {part['relative_difference']:.0e}"
    titled_legend(axes, difference, 9)


def titled_legend(axes: Axes, title: str, title_size: float) -> None:
    axes.legend(
        loc="upper left", fontsize=9, title=title, title_fontsize=title_size, alignment="left"
    )


def draw_measured(
    axes: Axes, sizes: list[int], values: list[float], style: SeriesStyle, name: str
) -> None:
    """Draw what was measured at each batch size as hollow markers."""
    marks: dict[str, Any] = {"ms": 7, "mfc": "none", "color": style.color}
    axes.plot(sizes, values, style.marker, **marks, label=name)


def draw_spread(axes: Axes, numbers: Numbers, theme: Theme) -> None:
    """Draw measured spreads as markers and the closed forms as lines."""
    sizes = numbers["batch_sizes"]
    names = {"with_replacement": "with replacement", "without_replacement": "without"}
    for index, (way, name) in enumerate(names.items()):
        style, series = theme.style(index), numbers[way]
        axes.plot(sizes, series["expected"], label=f"{name}: closed form", **style.line)
        draw_measured(axes, sizes, series["measured"], style, f"{name}: measured")
    logarithmic(axes, sizes)
    axes.set(
        xlabel="batch size |B|",
        ylabel="distance from ∇L, in |∇L|",
    )
    axes.set_title(f"Spread: slope {number_text(numbers['slope'], '.3f')}", fontsize=11)
    axes.legend(loc="lower left", fontsize=9)


def draw_time(axes: Axes, numbers: Numbers, theme: Theme) -> None:
    """Draw the time of a step against the batch size, with the line a + b |B|."""
    style, sizes = theme.style(2), numbers["batch_sizes"]
    constant, each = numbers["constant_seconds"], numbers["seconds_per_point"]
    dense = np.geomspace(sizes[0], sizes[-1], 200)
    formula = f"{1e3 * constant:.2g} ms + {1e6 * each:.2g} µs · |B|"
    axes.plot(dense, 1e3 * (constant + each * dense), **style.line, label=formula)
    draw_measured(axes, sizes, [1e3 * s for s in numbers["seconds"]], style, "measured")
    logarithmic(axes, sizes)
    axes.set(
        xlabel="batch size |B| (the last: all points)",
        ylabel="milliseconds",
    )
    axes.set_title("Time of a step, on this machine", fontsize=11)
    titled_legend(axes, f"{numbers['device']}, {numbers['threads']} thread", 9)


def draw_descent(axes: Axes, numbers: Numbers, theme: Theme) -> None:
    """Draw L(theta) against single gradients, one curve for each batch size."""
    for index, (size, descent) in enumerate(numbers.items()):
        style = theme.style(index)
        batch = "full batch" if size == "full" else f"|B| = {size}"
        name = f"{batch}, lr {descent['lr']:g}: {descent['steps']:,} steps"
        marks: dict[str, Any] = {"marker": style.marker, "ms": 5, "label": name}
        axes.plot(descent["evaluations"], descent["losses"], **style.line, **marks)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    share = 0.05 + 0.06 * len(numbers)  # of the height, free below the curves for the legend
    axes.set_ylim(low * (low / high) ** (share / (1 - share)), high)
    axes.grid(axis="y")
    axes.set(
        xlabel="gradients of single points",
        ylabel="L(θ), over all training points",
    )
    axes.locator_params(axis="x", nbins=5)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_title("L(θ) at equal compute", fontsize=11)
    axes.legend(loc="lower left", fontsize=9)


def logarithmic(axes: Axes, sizes: list[int]) -> None:
    """Make both axes logarithmic: the sizes themselves below, plain numbers beside."""
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    shown = [size for i, size in enumerate(sizes) if i == 0 or size >= 1.9 * sizes[i - 1]]
    axes.set_xticks(shown, [f"{size:,}" for size in shown])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = [m * 10.0**d for d in decades for m in (1, 2, 5) if low <= m * 10.0**d <= high]
    axes.set_yticks(steps, [f"{step:g}" for step in steps])
    axes.grid(axis="y")
