"""The likely reason why a network has not learned, from what was measured of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

# What counts as a reason: the part of a layer's units that is dead or saturated, the gradient of
# the first layer against that of the last (0.1 to 10 in networks that are well, 0.00125 in five
# layers of sigmoid that stay at chance), and the size of a step, and of all steps together, against
# that of the weights.
MANY_DEAD = 0.9
MANY_SATURATED = 0.5
VANISHED = 1e-2
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
        is_affine: what enters phi_out is a linear map of the inputs, and a constant.
    """

    units: dict[str, dict[str, float]]
    is_bounded: frozenset[str]
    gradients: dict[str, float]
    ratios: dict[str, float]
    lr: float
    steps: int
    is_affine: bool = False


def reason(finding: Finding) -> str:
    """Return the likely reason in one sentence, the first that holds: see the constants above."""
    for look_for in (dead, large_steps, saturated, vanishing, small_steps):
        words = look_for(finding)
        if words:
            return f"Likely reason: {words}."
    if not finding.units and finding.is_affine:
        if len(finding.gradients) > 1:
            return (
                "Without an activation between them its layers are one linear map: the data may "
                "ask for more (activation=relu)."
            )
        return "The model has no hidden layer: the data may ask for one (model=mlp)."
    return "No single reason shows in its units, its gradients or its steps."


def dead(finding: Finding) -> str | None:
    """Return that nearly all units of a layer are 0 on every point, or None."""
    name, part = most_of(finding.units, "dead")
    if not part >= MANY_DEAD:
        return None
    return (
        f"dead units: {part:.0%} of {name} are 0 at every point, as a learning rate that is too "
        f"high leaves them; try one below {finding.lr:g}, or activation=leaky_relu"
    )


def large_steps(finding: Finding) -> str | None:
    """Return that a step changes the weights of a layer too much, or None."""
    ratio, name = max(((r, n) for n, r in finding.ratios.items() if r == r), default=(0.0, ""))
    if not LARGE_STEP < ratio < math.inf:
        return None
    return (
        f"a learning rate that is too high: a step changes the weights of {name} by "
        f"{ratio:.2g} of their size (0.001 is usual); try one below {finding.lr:g}"
    )


def saturated(finding: Finding) -> str | None:
    """Return that most units of a layer are at a bound of their activation, or None."""
    bounded = {n: units for n, units in finding.units.items() if n in finding.is_bounded}
    name, part = most_of(bounded, "saturated")
    if not part >= MANY_SATURATED:
        return None
    return (
        f"saturation: {part:.0%} of the outputs of {name} are at a bound of the activation, where "
        "it is flat; try init=xavier, model.norm=layer, or a lower learning rate"
    )


def vanishing(finding: Finding) -> str | None:
    """Return that hardly any gradient comes back to the first layer, or None."""
    if len(finding.gradients) < 2:
        return None
    (first, small), *_, (last, large) = finding.gradients.items()
    if not small < VANISHED * large:
        return None
    return (
        f"the gradient vanishes: at {first} it is {small / large:.1g} of that at {last}; "
        "try activation=relu with init=kaiming, model.norm=layer, or fewer layers"
    )


def small_steps(finding: Finding) -> str | None:
    """Return that all steps together cannot change the weights much, or None."""
    ratio = max((r for r in finding.ratios.values() if r == r), default=math.nan)
    if not ratio * finding.steps < LEAST_WAY:
        return None
    return (
        f"a learning rate that is too low, or too few steps: one changes the weights by "
        f"{ratio:.1g} of their size, and there were {finding.steps}; try one above {finding.lr:g}"
    )


def most_of(units_by_layer: dict[str, dict[str, float]], key: str) -> tuple[str, float]:
    """Return the layer that has most of something, and how much."""
    return max(
        ((name, units[key]) for name, units in units_by_layer.items()),
        key=lambda p: p[1],
        default=("", 0.0),
    )
