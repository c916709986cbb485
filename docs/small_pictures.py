"""The small pictures of docs/catalogue.md, as SVG: an activation's curves, an optimizer's path.

Their colours have a contrast of 3 with a white page and with a dark one: one file serves both.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from omegaconf import OmegaConf

from experiments.errors.messages import UserError
from experiments.figures.activation_curves import Curve, curve_of, height_of
from experiments.figures.measured.paths import Trajectory, follow, recipe_of
from experiments.figures.measured.surfaces import SURFACES
from experiments.figures.page.sheet import number_text
from experiments.training.build import activation_of

CONF = Path(__file__).resolve().parents[1] / "conf"
BLUE, ORANGE, GREY = "#2f81f7", "#d9730d", "#8b949e"
WIDTH, HEIGHT, LEGEND, MARGIN = 240.0, 128.0, 20.0, 4.0
"""In pixels: of the area that is drawn in, of the line of words below it, and around both."""

[RAVINE] = [surface for surface in SURFACES if surface.name == "ravine"]
STEPS = 60
RATES = tuple(float(f"{10 ** (power / 4):.3g}") for power in range(-16, 7))
"""Learning rates of which an optimizer is shown with the one that ends lowest."""


class Plane:
    """The part of the plane that a picture shows, and where its points are in pixels."""

    def __init__(self, x_range: Sequence[float], y_range: Sequence[float]) -> None:
        self.low = np.array([x_range[0], y_range[0]])
        self.size = np.array([x_range[1] - x_range[0], y_range[1] - y_range[0]])

    def at(self, points: np.ndarray) -> np.ndarray:
        """Return points in pixels, (N, 2) -> (N, 2); y grows downwards there."""
        share = (points - self.low) / self.size
        share[:, 1] = 1 - share[:, 1]
        return MARGIN + share * [WIDTH, HEIGHT]


def read_node(group: str, name: str) -> dict[str, Any]:
    """Return the file of a choice in plain values, without what Hydra adds."""
    node: Any = OmegaConf.to_container(OmegaConf.load(CONF / group / f"{name}.yaml"))
    node.pop("defaults", None)
    return {group: node}


def catalogue_curve(name: str) -> Curve:
    """Return the curve of an activation over the range that the figure gives it."""
    figure = yaml.safe_load((CONF / "figure" / "activation_curves.yaml").read_text("utf-8"))
    low, high = figure["ranges"].get(name, [figure["low"], figure["high"]])
    return curve_of(name, activation_of(read_node("activation", name))(), low, high)


def curve_pixels(curve: Curve) -> dict[str, list[np.ndarray]]:
    """Return the lines of phi and of its derivative in pixels, each (N, 2)."""
    low, high = height_of(curve)
    x = curve.x.numpy()
    plane = Plane((x[0], x[-1]), (low, high))
    # What is far outside is not seen: it would only make the file longer.
    room = high - low
    lines = {"derivative": curve.slopes.T.numpy(), "phi": curve.values.T.numpy()}
    return {
        kind: [plane.at(np.stack([x, y.clip(low - room, high + room)], axis=1)) for y in several]
        for kind, several in lines.items()
    }


def thinned(line: np.ndarray, tolerance: float = 0.1) -> np.ndarray:
    """Return the few points of a line from left to right that draw it as well, (N, 2) -> (M, 2).

    Douglas & Peucker 1973, "Algorithms for the reduction of the number of points required to
    represent a digitized line or its caricature", with heights as distances.

    >>> thinned(np.array([[0, 0], [1, 1], [2, 2], [3, 0]])).tolist()
    [[0, 0], [2, 2], [3, 0]]
    """
    kept, parts = {0, len(line) - 1}, [(0, len(line) - 1)]
    while parts:
        first, last = parts.pop()
        if last - first < 2:
            continue
        ends, inside = line[[first, last]], line[first + 1 : last]
        off = np.abs(np.interp(inside[:, 0], ends[:, 0], ends[:, 1]) - inside[:, 1])
        if off.max() > tolerance:
            middle = first + 1 + int(off.argmax())
            kept.add(middle)
            parts += [(first, middle), (middle, last)]
    return line[sorted(kept)]


def line_data(line: np.ndarray) -> str:
    """Return a line as the data of an SVG path, to a tenth of a pixel."""
    return "M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in line)


def activation_svg(name: str) -> str:
    """Return the picture of an activation: phi as a line, its derivative dashed."""
    curve = catalogue_curve(name)
    lines = curve_pixels(curve)
    looks = {
        "derivative": f'stroke="{ORANGE}" stroke-width="1.8" stroke-dasharray="6 3"',
        "phi": f'stroke="{BLUE}" stroke-width="2.4"',
    }
    parts = [*axes_of(curve)]
    parts += [
        f'<path class="{kind}" {look} d="{line_data(thinned(line))}"/>'
        for kind, look in looks.items()
        for line in lines[kind]
    ]
    low, high = (number_text(float(curve.x[end])) for end in (0, -1))
    where = f": {curve.note}" if curve.note else f", x from {low} to {high}"
    words = f'<tspan fill="{BLUE}">φ(x)</tspan> and <tspan fill="{ORANGE}">φ′(x)</tspan>{where}'
    return svg(f"{name} and its derivative", parts, words)


def axes_of(curve: Curve) -> list[str]:
    """Return both axes, and a mark at height 1."""
    low, high = height_of(curve)
    plane = Plane((float(curve.x[0]), float(curve.x[-1])), (low, high))
    ((left, zero), (right, one)) = plane.at(np.array([[curve.x[0], 0.0], [curve.x[-1], 1.0]]))
    [[middle, _]] = plane.at(np.zeros((1, 2)))
    axes = [f'<path stroke="{GREY}" d="M{left:.1f},{zero:.1f}H{right:.1f}"/>']
    axes.append(f'<path stroke="{GREY}" d="M{middle:.1f},{MARGIN}V{MARGIN + HEIGHT}"/>')
    if high > 1:
        axes.append(f'<path stroke="{GREY}" d="M{middle - 3:.1f},{one:.1f}h6"/>')
        at = f'x="{middle - 6:.1f}" y="{one + 4:.1f}"'
        axes.append(f'<text fill="{GREY}" {at} text-anchor="end">1</text>')
    return axes


def catalogue_path(name: str, lr: float) -> Trajectory | None:
    """Return the path of an optimizer down the ravine; None of one that moves only matrices."""
    config = read_node("optim", name)
    config["optim"]["lr"] = lr
    try:
        recipe = recipe_of(config)
    except UserError:
        return None
    start = torch.tensor(RAVINE.start, dtype=torch.float64)
    return follow(RAVINE, recipe, config["optim"], start, STEPS)


def best_path(name: str) -> Trajectory | None:
    """Return the path that ends lowest of those with `RATES`, and inside of the picture."""
    paths = []
    for lr in RATES:
        # Some refuse a rate that others take, such as more than 1.
        with contextlib.suppress(ValueError):
            paths.append(catalogue_path(name, lr))
    inside = [path for path in paths if path is not None and not path.end]
    return min(inside, key=lambda path: float(path.values[-1]), default=None)


def path_pixels(path: Trajectory) -> np.ndarray:
    """Return the points of a path in pixels, (S + 1, 2)."""
    return Plane(RAVINE.x_range, RAVINE.y_range).at(path.points.numpy())


def optimizer_svg(name: str) -> str | None:
    """Return the picture of an optimizer's best path; None of one that moves only matrices."""
    best = best_path(name)
    return None if best is None else path_svg(name, best)


def path_svg(name: str, path: Trajectory) -> str:
    """Return the picture of a path over the ravine's contours, which are ellipses."""
    plane = Plane(RAVINE.x_range, RAVINE.y_range)
    [(x, y)] = plane.at(np.array(RAVINE.minima))
    width, height = np.array([WIDTH, HEIGHT]) / plane.size
    parts = []
    for level in 150 * 4.0 ** -np.arange(6):
        # f = x^2 / 2 + 100 y^2 / 2
        a, b = np.sqrt(2 * level) * width, np.sqrt(2 * level / 100) * height
        parts.append(
            f'<ellipse cx="{x:.1f}" cy="{y:.1f}" rx="{a:.1f}" ry="{b:.1f}" stroke="{GREY}" '
            'stroke-opacity="0.6"/>'
        )
    pixels = path_pixels(path)
    line = f'stroke="{BLUE}" stroke-width="1.6" d="{line_data(pixels)}"'
    parts.append(f'<path class="path" data-lr="{path.lr}" {line}/>')
    dots = " ".join(f"M{a:.1f},{b:.1f}h0" for a, b in pixels)
    parts.append(f'<path stroke="{BLUE}" stroke-width="4.4" stroke-linecap="round" d="{dots}"/>')
    parts.append(f'<path stroke="{ORANGE}" stroke-width="2" d="M{x - 4:.1f},{y:.1f}h8m-4,-4v8"/>')
    last = number_text(float(path.values[-1]), ".2g")
    words = f"lr {number_text(path.lr)}: f = {last} after {len(pixels) - 1} steps"
    return svg(f"The path of {name} down a ravine", parts, words)


def activation_is_current(name: str, text: str) -> bool:
    """Return whether a picture shows what the activation computes now."""
    return all(
        shows(text, kind, lines) for kind, lines in curve_pixels(catalogue_curve(name)).items()
    )


def optimizer_is_current(name: str, text: str) -> bool:
    """Return whether a picture shows the path that the optimizer takes now, at its rate."""
    rate = re.search(r'data-lr="([^"]+)"', text)
    path = catalogue_path(name, float(rate[1])) if rate else None
    return path is not None and shows(text, "path", [path_pixels(path)])


def shows(text: str, kind: str, lines: Sequence[np.ndarray]) -> bool:
    """Return whether the lines of a kind in a picture are these, to a third of a pixel."""
    drawn = [
        np.array([[float(number) for number in point.split(",")] for point in data.split()])
        for data in re.findall(rf'class="{kind}"[^>]* d="M([^"]*)"', text)
    ]
    return len(drawn) == len(lines) and all(
        max(distances(mine, theirs).max(), distances(theirs, mine).max()) < 1 / 3
        for mine, theirs in zip(drawn, lines, strict=True)
    )


def distances(points: np.ndarray, line: np.ndarray) -> np.ndarray:
    """Return how far points are from a line of straight pieces, (N, 2), (M, 2) -> (N,).

    >>> distances(np.array([[1.0, 2.0], [5.0, 0.0]]), np.array([[0.0, 0.0], [2.0, 0.0]])).tolist()
    [2.0, 3.0]
    """
    along = np.diff(line, axis=0)
    lengths = np.maximum((along**2).sum(axis=1), 1e-12)
    offsets = points[:, None] - line[:-1]
    share = ((offsets * along).sum(axis=2) / lengths).clip(0, 1)
    return np.linalg.norm(offsets - share[..., None] * along, axis=2).min(axis=1)


def svg(title: str, parts: Sequence[str], words: str) -> str:
    """Return a picture: what is drawn, cut at its edges, over a line of words."""
    wide, high = WIDTH + 2 * MARGIN, HEIGHT + LEGEND + 2 * MARGIN
    area = f'x="{MARGIN:g}" y="{MARGIN:g}" width="{WIDTH:g}" height="{HEIGHT:g}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {high:g}" '
        f'width="{wide:g}" height="{high:g}" font-family="system-ui, sans-serif" font-size="11.5">',
        f"<title>{title}</title>",
        f'<clipPath id="area"><rect {area}/></clipPath>',
        f'<g clip-path="url(#area)" fill="none">{"".join(parts)}</g>',
        f'<text fill="{GREY}" x="{wide / 2:g}" y="{high - 7:g}" text-anchor="middle">',
        f"{words}</text>",
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
