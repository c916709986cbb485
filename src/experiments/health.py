"""Whether a run that has ended has learned anything, and if not, what probably kept it from it.

While all is well this costs nothing but a look at the last epoch's metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from experiments.callbacks.diagnostics import probe_of
from experiments.data.datamodule import DataModule
from experiments.diagnostics.layers import Layer, layers_of, observed
from experiments.diagnostics.measures import bounds_of, norm, update_ratio
from experiments.diagnostics.probe import Probe, Seen, look, units
from experiments.diagnostics.reasons import Finding, reason
from experiments.module import ExperimentModule

FEWEST_STEPS = 20
"""Of a shorter run nothing is said: it was not meant to learn."""
PART_OF_THE_WAY = 0.25
"""An accuracy that has come less than this part of the way from guessing to 1 may need no training:
a network as it was drawn is seldom above (digits: 0.20, where guessing has 0.10)."""
LEAST_GAIN = 0.01
"""The part of its value by which a loss must be below that of a constant, and R2 above 0."""
PROBE_SIZE = 256


def diagnosis(trainer: L.Trainer, module: ExperimentModule, data: DataModule) -> str | None:
    """Return one line on a run that has ended at chance, with the likely reason, else None.

    Args:
        trainer: after `fit`.
        module: as trained.
        data: that it was trained on.
    """
    if trainer.global_step < FEWEST_STEPS or not trainer.is_global_zero:
        return None
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    if module.spec.task == "classification":
        fact = stuck_classifier(metrics, module, data)
    else:
        fact = stuck_regression(metrics)
    if fact is None:
        return None
    return f"not learned: {fact}. {reason(examined(trainer, module))}"


def stuck_regression(metrics: dict[str, float]) -> str | None:
    """Return what says that a regression is no better than the mean of its targets, or None."""
    best = max((metrics[n] for n in ("train/r2", "val/r2") if n in metrics), default=math.nan)
    if not best < LEAST_GAIN:
        return None
    return f"R2 {best:.3g}, where always giving the mean of the targets has 0"


def stuck_classifier(
    metrics: dict[str, float], module: ExperimentModule, data: DataModule
) -> str | None:
    """Return what says that a classifier is no better than guessing, or None.

    Its accuracy is near that of the most frequent class, and its loss not below that of the best
    constant output, which with cross-entropy is the entropy of the class frequencies.
    """
    names = [name for name in ("train/accuracy", "val/accuracy") if name in metrics]
    targets = data.train.targets
    guess = int(torch.bincount(targets).max()) / len(targets)
    best = max((metrics[name] for name in names), default=math.nan)
    if not best < guess + PART_OF_THE_WAY * (1 - guess):
        return None
    loss = metrics.get("train/loss", math.nan)
    constant = loss_of_constant(module, targets)
    if loss < (1 - LEAST_GAIN) * constant:
        return None
    return (
        f"accuracy {best:.3g}, where always giving the most frequent class has {guess:.3g}, and "
        f"train/loss {loss:.4g}, where the class frequencies alone have {constant:.4g}"
    )


def loss_of_constant(module: ExperimentModule, targets: Tensor, most: int = 4096) -> float:
    """Return min over c of the mean loss of giving phi_out(c) for every point.

    Args:
        module: for its loss, its phi_out and the number of outputs.
        targets: (N,) class numbers.
        most: of the points that are taken, evenly.
    """
    step = max(1, len(targets) // most)
    targets = targets[::step].to(module.device)
    phi_out = getattr(module.network, "phi_out", nn.Identity())
    c = torch.zeros(1, module.spec.num_outputs, device=module.device, requires_grad=True)
    optimizer = torch.optim.LBFGS([c], max_iter=50, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        return module.loss_of(phi_out(c).expand(len(targets), -1), targets)

    def closure() -> float:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return float(value.detach())

    with torch.enable_grad():
        optimizer.step(closure)
    return float(loss().detach())


def examined(trainer: L.Trainer, module: ExperimentModule) -> Finding:
    """Return what one look at the trained network, and one more step of it, tell."""
    network = module.network
    probe = probe_of(trainer, module, PROBE_SIZE, seed=0)
    layers = layers_of(network)
    parameters = [p for p in network.parameters() if p.requires_grad]
    with observed(network), trainer.precision_plugin.forward_context():
        seen = look(network, module.loss_of, probe, layers, parameters)
    hidden = [one for one in layers if one.activation is not None and one.name in seen.passed]
    by_weight = dict(zip(parameters, seen.gradients, strict=True))
    return Finding(
        {one.name: as_numbers(units(one, seen.passed[one.name])) for one in hidden},
        frozenset(one.name for one in hidden if has_bounds(one, seen)),
        {
            one.name: float(norm([by_weight[p]]))
            for one in layers
            if isinstance(p := one.weight, nn.Parameter) and p in by_weight
        },
        ratios_of_a_step(trainer, module, layers, probe, parameters),
        highest_lr(trainer.optimizers[0].param_groups[0]),
        trainer.global_step,
    )


def as_numbers(values: dict[str, Tensor]) -> dict[str, float]:
    """Return numbers."""
    return {name: float(value) for name, value in values.items()}


def has_bounds(layer: Layer, seen: Seen) -> bool:
    """Return whether a layer's activation has two bounds."""
    assert layer.activation is not None
    return bounds_of(layer.activation, seen.passed[layer.name].z) is not None


def highest_lr(group: dict[str, Any]) -> float:
    """Return the highest learning rate that a schedule gives a group: at the end it may be 0."""
    return float(group.get("max_lr", group.get("initial_lr", group["lr"])))


def ratios_of_a_step(
    trainer: L.Trainer,
    module: ExperimentModule,
    layers: list[Layer],
    probe: Probe,
    parameters: list[nn.Parameter],
) -> dict[str, float]:
    """Return the update ratio of each layer in one more step, on the probe; it is taken back."""

    def closure() -> Tensor:
        with torch.enable_grad(), trainer.precision_plugin.forward_context():
            loss = module.loss_of(module.network(probe.inputs), probe.targets)
        # Not by a backward pass, of which a strategy of several processes would hear.
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        for p, gradient in zip(parameters, found, strict=True):
            p.grad = gradient
        module.updates.clip(parameters)
        return loss.detach()

    optimizer = trainer.optimizers[0]
    with taken_back(module, optimizer, parameters), observed(module.network):
        if module.updates.switched:
            optimizer.train()  # type: ignore[attr-defined]
        kept = [layer.weight.detach().clone() for layer in layers]
        for group in optimizer.param_groups:
            group["lr"] = highest_lr(group)
        closure()
        module.updates.step(
            optimizer, parameters, None, None, closure if module.updates.closure else None
        )
        return {
            layer.name: float(update_ratio([before], [layer.weight.detach()]))
            for layer, before in zip(layers, kept, strict=True)
        }


@contextmanager
def taken_back(
    module: ExperimentModule, optimizer: Optimizer, parameters: list[nn.Parameter]
) -> Iterator[None]:
    """Have weights, gradients and learning rates after the block as they were before it.

    The optimizer's own state is left as the block made it: nobody asks for it after a fit.
    """
    weights = [p.detach().clone() for p in parameters]
    gradients = [p.grad for p in parameters]
    rates = [group["lr"] for group in optimizer.param_groups]
    for p in parameters:
        p.grad = None
    try:
        yield
    finally:
        if module.updates.switched:
            optimizer.eval()  # type: ignore[attr-defined]
        for group, lr in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = lr
        with torch.no_grad():
            for p, weight, gradient in zip(parameters, weights, gradients, strict=True):
                p.copy_(weight)
                p.grad = gradient
