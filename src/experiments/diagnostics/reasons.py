"""The likely reason why a network has not learned, from what was measured of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

# What counts as a reason: the part of a layer's units that is dead or saturated, the gradient of
# the first layer against that of the last, and the size of a step, and of all steps together,
# against that of the weights.
MANY_DEAD = 0.9
MANY_SATURATED = 0.5
VANISHED = 1e-3
LARGE_STEP = 0.1
LEAST_WAY = 0.05


@dataclass(frozen=True)
class Finding:
    """What was measured of the trained network.

    Attributes:
        units: dead and saturated parts of each hidden layer.
        is_bounded: the layers whose activation has two bounds, by name.
        gradients: the norm of the gradient of each layer's weight, first layer first.
        ratios: the update ratio of each layer in one more step.
        lr: the learning rate, the highest of the schedule.
        steps: optimizer steps that were done.
    """

    units: dict[str, dict[str, float]]
    is_bounded: frozenset[str]
    gradients: dict[str, float]
    ratios: dict[str, float]
    lr: float
    steps: int


def reason(found: Finding) -> str:
    """Return the likely reason in one sentence, the first that holds: see the constants above."""
    for look_for in (dead, large_steps, saturated, vanishing, small_steps):
        words = look_for(found)
        if words:
            return f"Likely reason: {words}."
    if not found.units:
        return "The model has no hidden layer: the data may ask for one (model=mlp)."
    return "No single reason shows in its units, its gradients or its steps."


def dead(found: Finding) -> str | None:
    """Return that nearly all units of a layer are 0 on every point, or None."""
    name, part = most_of(found.units, "dead")
    if not part >= MANY_DEAD:
        return None
    return (
        f"dead units: {part:.0%} of {name} are 0 at every point, as a learning rate that is too "
        f"high leaves them; try one below {found.lr:g}, or activation=leaky_relu"
    )


def large_steps(found: Finding) -> str | None:
    """Return that a step changes the weights of a layer too much, or None."""
    ratio, name = max(((r, n) for n, r in found.ratios.items() if r == r), default=(0.0, ""))
    if not LARGE_STEP < ratio < math.inf:
        return None
    return (
        f"a learning rate that is too high: a step changes the weights of {name} by "
        f"{ratio:.2g} of their size (0.001 is usual); try one below {found.lr:g}"
    )


def saturated(found: Finding) -> str | None:
    """Return that most units of a layer are at a bound of their activation, or None."""
    bounded = {name: one for name, one in found.units.items() if name in found.is_bounded}
    name, part = most_of(bounded, "saturated")
    if not part >= MANY_SATURATED:
        return None
    return (
        f"saturation: {part:.0%} of the outputs of {name} are at a bound of the activation, where "
        "it is flat; try init=xavier, model.norm=layer, or a lower learning rate"
    )


def vanishing(found: Finding) -> str | None:
    """Return that hardly any gradient comes back to the first layer, or None."""
    if len(found.gradients) < 2:
        return None
    (first, small), *_, (last, large) = found.gradients.items()
    if not small < VANISHED * large:
        return None
    return (
        f"the gradient vanishes: at {first} it is {small / large:.1g} of that at {last}; "
        "try activation=relu with init=kaiming, model.norm=layer, or fewer layers"
    )


def small_steps(found: Finding) -> str | None:
    """Return that all steps together cannot change the weights much, or None."""
    ratio = max((r for r in found.ratios.values() if r == r), default=math.nan)
    if not ratio * found.steps < LEAST_WAY:
        return None
    return (
        f"a learning rate that is too low, or too few steps: one changes the weights by "
        f"{ratio:.1g} of their size, and there were {found.steps}; try one above {found.lr:g}"
    )


def most_of(units_: dict[str, dict[str, float]], key: str) -> tuple[str, float]:
    """Return the layer that has most of something, and how much."""
    return max(
        ((name, one[key]) for name, one in units_.items()), key=lambda p: p[1], default=("", 0.0)
    )
