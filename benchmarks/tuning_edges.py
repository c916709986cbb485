"""How often the edge of a range is named, for optima beyond it, within it, and keys of no effect.

    python benchmarks/tuning_edges.py

Each search has nine trials for each of two to four keys, drawn as `sweep.tuning.space` draws them,
on three tuning seeds (standard deviation 0.5 points each), with delta 0.5 points; 200 searches of
each kind, each with a sequence of its own. The first key's score is a parabola; the slow rise of a
learning rate before a steep fall; the same before it diverges; or a plateau of a third of the range
with parabolic sides; all others have a parabola in the middle of their range. Writes
outputs/benchmarks/tuning_edges.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from report import keep

from experiments.sweep.quasi_random import halton
from experiments.sweep.selection import TriedValues, selection_of
from experiments.sweep.tuning_dimension import Dimension
from experiments.sweep.tuning_space import TuningSpace

AT = (0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5)
"""Where the optimum of the first key lies: its range is from 0 to 1."""
NOISE, DELTA = 0.005, 0.005
Loss = Callable[[float, float], float]
SHAPES: dict[str, Loss] = {
    "parabola": lambda u, at: 0.8 * (u - at) ** 2,
    "steep fall": lambda u, at: 0.24 * max(at - u, 0) ** 1.5 + 1.6 * max(u - at, 0),
    "divergence": lambda u, at: 0.24 * max(at - u, 0) ** 1.5 + (9.0 if u > at + 0.04 else 0.0),
    "plateau": lambda u, at: 2 * max(abs(u - at) - 0.15, 0) ** 2,
    "no effect": lambda u, at: 0.0,
}


def is_named(loss: Loss, at: float, num_keys: int, seed: int) -> bool:
    """Return whether a search names the edge of its first key."""
    rng = np.random.default_rng(seed)
    keys = [f"k{index}" for index in range(num_keys)]
    dimensions = [Dimension(key, low=1e-3, high=1.0) for key in keys]
    trials = []
    for index in range(9 * num_keys):
        u = halton(index, num_keys, seed)
        lost = loss(u[0], at) + sum(0.3 * (v - 0.5) ** 2 for v in u[1:])
        scores = [0.9 - lost + float(rng.normal(0, NOISE)) for _ in range(3)]
        values = {d.key: d.at(v) for d, v in zip(dimensions, u, strict=True)}
        trials.append(TriedValues(values, [score if score > 0.1 else None for score in scores]))
    space = TuningSpace(dimensions, [trial.values for trial in trials], drawn_by=seed)
    return keys[0] in selection_of([], trials, {}, "val/accuracy", space, DELTA).on_edge


def shares(num_searches: int) -> dict[str, dict[str, dict[str, float]]]:
    """Return how often the edge is named, by shape, number of keys, and where the optimum lies."""
    return {
        name: {
            str(num_keys): {
                str(at): sum(is_named(loss, at, num_keys, seed) for seed in range(num_searches))
                / num_searches
                for at in (AT if name != "no effect" else AT[:1])
            }
            for num_keys in (2, 3, 4)
        }
        for name, loss in SHAPES.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--searches", type=int, default=200)
    number = parser.parse_args().searches
    found = shares(number)
    for name, by_keys in found.items():
        for num_keys, by_place in by_keys.items():
            each = "  ".join(f"{at}: {share:.2f}" for at, share in by_place.items())
            print(f"{name:12} {num_keys} keys  {each}")
    keep("tuning_edges", {"named": found, "searches": number}, {})


if __name__ == "__main__":
    main()
