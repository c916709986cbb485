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

from experiments.data.datamodule import DataModule
from experiments.record.chance import chance_of
from experiments.training.diagnostics.callback import probe_of
from experiments.training.diagnostics.measures import bounds_of, norm, update_ratio
from experiments.training.diagnostics.probe import Probe, Seen, look, units
from experiments.training.diagnostics.reasons import Finding, reason
from experiments.training.diagnostics.watched_layers import WatchedLayer, layers_of, observed
from experiments.training.module import ExperimentModule

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
    guess = chance_of(torch.bincount(targets).tolist()).share
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
        affine = is_affine(network, probe.inputs)
    hidden = [
        layer for layer in layers if layer.activation is not None and layer.name in seen.passed
    ]
    by_weight = dict(zip(parameters, seen.gradients, strict=True))
    return Finding(
        {
            layer.name: {n: float(v) for n, v in units(layer, seen.passed[layer.name]).items()}
            for layer in hidden
        },
        frozenset(layer.name for layer in hidden if has_bounds(layer, seen)),
        {
            layer.name: float(norm([by_weight[p]]))
            for layer in layers
            if isinstance(p := layer.weight, nn.Parameter) and p in by_weight
        },
        ratios_of_a_step(trainer, module, layers, probe, parameters),
        highest_lr(trainer.optimizers[0].param_groups[0]),
        trainer.global_step,
        affine,
    )


@torch.no_grad()
def is_affine(network: nn.Module, x: Tensor) -> bool:
    """Return whether z(x), what enters phi_out, is affine: z of a midpoint is the mean of both z.

    Looked for between each point and the next, up to 1e-3 of the largest z.

    >>> x = torch.randn(9, 3, generator=torch.Generator().manual_seed(0))
    >>> is_affine(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)), x), is_affine(nn.ReLU(), x)
    (True, False)
    """
    entered: list[Tensor] = []
    phi_out = getattr(network, "phi_out", None)
    handle = None
    if isinstance(phi_out, nn.Module):
        handle = phi_out.register_forward_pre_hook(lambda _, z: entered.append(z[0]))
    try:
        for points in (x, x.roll(1, 0), (x + x.roll(1, 0)) / 2):
            outputs = network(points)
            if handle is None:
                entered.append(outputs)
    finally:
        if handle is not None:
            handle.remove()
    first, other, middle = (z.float() for z in entered)
    error = (middle - (first + other) / 2).abs().max()
    return bool(error <= 1e-3 * torch.maximum(first.abs().max(), other.abs().max()))


def has_bounds(layer: WatchedLayer, seen: Seen) -> bool:
    assert layer.activation is not None
    return bounds_of(layer.activation, seen.passed[layer.name].z) is not None


def highest_lr(group: dict[str, Any]) -> float:
    """Return the highest learning rate that a schedule gives a group: at the end it may be 0."""
    return float(group.get("max_lr", group.get("initial_lr", group["lr"])))


def ratios_of_a_step(
    trainer: L.Trainer,
    module: ExperimentModule,
    layers: list[WatchedLayer],
    probe: Probe,
    parameters: list[nn.Parameter],
) -> dict[str, float]:
    """Return the update ratio of each layer in one more step, on the probe; it is taken back."""

    def closure() -> Tensor:
        with torch.enable_grad(), trainer.precision_plugin.forward_context():
            loss = module.loss_of(module.network(probe.inputs), probe.targets)
        # Not by a backward pass, of which a strategy of several processes would hear.
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        for p, gradient in zip(parameters, gradients, strict=True):
            p.grad = gradient
        module.rules.clip(parameters)
        return loss.detach()

    optimizer = trainer.optimizers[0]
    with taken_back(module, optimizer, parameters), observed(module.network):
        if module.rules.switched:
            optimizer.train()  # type: ignore[attr-defined]
        kept = [layer.weight.detach().clone() for layer in layers]
        for group in optimizer.param_groups:
            group["lr"] = highest_lr(group)
        closure()
        module.rules.step(
            optimizer, parameters, None, None, closure if module.rules.closure else None
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
        if module.rules.switched:
            optimizer.eval()  # type: ignore[attr-defined]
        for group, lr in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = lr
        with torch.no_grad():
            for p, weight, gradient in zip(parameters, weights, gradients, strict=True):
                p.copy_(weight)
                p.grad = gradient
