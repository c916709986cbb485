"""Networks of as many parameters as wanted: relative widths, scaled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from experiments.building import activation_of
from experiments.data.sources import DataSpec
from experiments.entries import entry, refused

Config = dict[str, Any]
Widths = list[int]


def num_parameters(config: Config, spec: DataSpec) -> int:
    """Return how many weights the model of a config has on data of `spec`."""
    model, activation = entry(config, "model"), activation_of(config)
    with torch.device("meta"):  # shapes alone: no memory, no random numbers
        network = refused(
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

    Args:
        budget: parameters wanted.
        pattern: relative widths.
        count: parameters at given widths, which grow with them.

    >>> widths_for(5210, [1], lambda widths: 51 * widths[0] + 10)
    ([102], 5212)
    """
    low, high = 1, 2
    while count(scaled(pattern, high)) < budget:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(scaled(pattern, middle)) < budget else (low, middle)
    found = {scale: count(scaled(pattern, scale)) for scale in (low, high)}
    nearest = min(found, key=lambda scale: abs(found[scale] - budget))
    return scaled(pattern, nearest), found[nearest]
