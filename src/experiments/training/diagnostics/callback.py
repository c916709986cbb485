"""`callbacks=diagnostics`: units, gradients and steps of every layer, while it is trained."""

from __future__ import annotations

import logging
import math
from typing import Any, NamedTuple

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from experiments.config.allowed import is_count
from experiments.data.datamodule import DataModule
from experiments.training.callbacks.history_rows import History
from experiments.training.diagnostics.measures import (
    Bounds,
    cosine,
    noise_scale,
    norm,
    update_ratio,
)
from experiments.training.diagnostics.probe import Probe, Seen, drawn, look, units
from experiments.training.diagnostics.watched_layers import layers_of, observed, spread
from experiments.training.module import ExperimentModule

log = logging.getLogger(__name__)

PREFIX = "diagnostics"
NETWORK = "network"
FEWEST_STEPS = 500
"""Optimizer steps between two measurements at the default cadence. One takes as long as 8 steps of
an MLP of 256 and 128 units, or of a small CNN (measured): a fiftieth of them."""
NEVER = 2**62


class Before(NamedTuple):
    """The weights of the layers after a step, and the gradient of every parameter in that step.

    Attributes:
        step: the number of steps done.
        weights: one for each layer.
        gradients: one for each parameter; empty where no step was done in this process.
    """

    step: int
    weights: list[Tensor]
    gradients: list[Tensor]


class Diagnostics(Callback):
    """Measure what goes on inside the network, into history.csv and W&B.

    Of each layer, as `diagnostics/LAYER/...`: `dead` and `saturated`, parts of its units, `mean`
    and `variance` of its activations, on a fixed probe of training points that are not augmented;
    `gradient_norm` and `update_ratio` of its weight in the optimizer step that has just been
    done. Of the whole, as `diagnostics/network/...`: `gradient_norm`, `gradient_cosine` of this
    step's gradient and the one before, and `noise_scale` of the probe, in points. See
    diagnostics/measures.py for the formulas. Gradients are as the optimizer gets them, accumulated
    and clipped; with LBFGS they are the last ones that it computed within the step.

    The weights are those that are trained, not their average. On the probe the network evaluates:
    no dropout, and batch norm by its running statistics, which are left as they are. So are all
    weights, gradients and random numbers: the run is bit for bit the run without diagnostics.

    Args:
        every_n_steps: measure after every so many optimizer steps. auto: at the end of the first
            epoch and of the last, and of each epoch that ends at least 500 steps after the last
            measurement.
        max_layers: of more layers so many are measured, evenly from the first to the last.
        probe_size: training points of the probe, at least 16.
        seed: of the choice of the probe.

    Raises:
        ValueError: a number that is too low.
    """

    hears_of_calls = True
    """The end of a call of the training step is enough; see calls.py."""

    def __init__(
        self,
        every_n_steps: int | str = "auto",
        max_layers: int = 10,
        probe_size: int = 256,
        seed: int = 0,
    ) -> None:
        if every_n_steps != "auto" and not is_count(every_n_steps):
            raise ValueError(f"every_n_steps={every_n_steps}: allowed is auto or a whole number")
        for name, value, least in (
            ("max_layers", max_layers, 1),
            ("probe_size", probe_size, 16),
            ("seed", seed, 0),
        ):
            if not is_count(value, least):
                raise ValueError(f"{name}={value}: allowed is a whole number of at least {least}")
        self.every_n_steps = None if every_n_steps == "auto" else int(every_n_steps)
        self.max_layers, self.probe_size, self.seed = max_layers, probe_size, seed
        self.last_step: int | None = None
        self.last_seen_step = -1
        self.due = NEVER
        self.before: Before | None = None
        self.bounds: dict[str, Bounds | None] = {}

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        assert isinstance(pl_module, ExperimentModule)
        self.module, self.last_seen_step = pl_module, trainer.global_step
        if not trainer.is_global_zero:
            return
        [self.history] = [c for c in trainer.callbacks if isinstance(c, History)]  # type: ignore[attr-defined]
        network = pl_module.network
        self.parameters = [p for p in network.parameters() if p.requires_grad]
        every = layers_of(network)
        self.layers = spread(every, self.max_layers)
        self.probe = probe_of(trainer, pl_module, self.probe_size, self.seed)
        if len(every) > self.max_layers and self.last_step is None:
            log.info(
                "callbacks.diagnostics: %d of %d layers are measured, evenly from the first to "
                "the last; callbacks.diagnostics.max_layers=%d measures all.",
                *(len(self.layers), len(every), len(every)),
            )

    def state_dict(self) -> dict[str, Any]:
        before = self.before._asdict() if self.before else None
        return {"last_step": self.last_step, "before": before}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.last_step = state["last_step"]
        self.before = Before(**state["before"]) if state["before"] else None

    def steps_until(self, trainer: L.Trainer, num_batches: int) -> int:
        """Return after how many steps a call is to end: before the step to measure, or after it.

        Args:
            trainer: at the start of a call.
            num_batches: of the epoch that are done.
        """
        step = trainer.global_step
        self.due = self.next_due(trainer, num_batches)
        if not trainer.is_global_zero:  # whose calls end with those of rank 0, which measures
            return self.due - step - 1 or 1
        if self.due == step + 1 and (self.before is None or self.before.step != step):
            self.before = self.remembered(step, has_gradients=False)  # nothing was before
        return self.due - step - 1 or 1

    def next_due(self, trainer: L.Trainer, num_batches: int) -> int:
        """Return after which step to measure next."""
        step, epoch = trainer.global_step, trainer.current_epoch
        if self.every_n_steps is not None:
            return (step // self.every_n_steps + 1) * self.every_n_steps
        if num_batches >= trainer.num_training_batches:
            num_batches, epoch = 0, epoch + 1
        accumulate = self.module.rules.accumulate
        per_epoch = math.ceil(trainer.num_training_batches / accumulate)
        end = step + per_epoch - num_batches // accumulate
        is_last = epoch + 1 == trainer.max_epochs
        if 0 < trainer.max_steps <= end:
            end, is_last = trainer.max_steps, True
        if self.last_step is None or is_last or end - self.last_step >= FEWEST_STEPS:
            return max(end, step + 1)
        return NEVER

    def remembered(self, step: int, has_gradients: bool = True) -> Before:
        """Return the weights of the layers, and the gradient that they were stepped with."""
        weights = [layer.weight.detach().clone() for layer in self.layers]
        gradients = [gradient_of(p).clone() for p in self.parameters] if has_gradients else []
        return Before(step, weights, gradients)

    def on_train_batch_end(self, trainer: L.Trainer, pl_module: L.LightningModule, *_: Any) -> None:
        step = trainer.global_step
        if step == self.last_seen_step:
            return  # amid an accumulated step
        self.last_seen_step = step
        if not trainer.is_global_zero:
            self.last_step = step if step == self.due else self.last_step
            return
        progress = trainer.fit_loop.epoch_loop.batch_progress
        if step == self.due:
            self.last_step = step
            values = self.measured(trainer)
            self.before = None
            is_end = progress.is_last_batch or trainer.should_stop
            self.history.add(trainer, values, to_next_row=is_end)
        if self.next_due(trainer, progress.current.ready) == step + 1:
            self.before = self.remembered(step)

    def measured(self, trainer: L.Trainer) -> dict[str, float]:
        """Return all values by their names; one that is not defined is left out."""
        with torch.no_grad():
            tensors = self.of_step()
            seen, of_units = self.of_probe(trainer)
            tensors |= of_units
            # Read together: each read would wait for the device.
            read = torch.stack([t.float() for t in (*tensors.values(), seen.small, seen.big)])
        *numbers, small, big = read.tolist()
        values = dict(zip(tensors, numbers, strict=True))
        if seen.num_big > seen.num_small:
            scale = noise_scale(small, big, seen.num_small, seen.num_big)
            if scale is not None:
                values[named(NETWORK, "noise_scale")] = scale
        return {name: value for name, value in values.items() if not math.isnan(value)}

    def of_step(self) -> dict[str, Tensor]:
        """Return what the step that has just been done tells."""
        before = self.before
        assert before is not None
        gradients = [gradient_of(p) for p in self.parameters]
        values = {named(NETWORK, "gradient_norm"): norm(gradients)}
        if before.gradients:
            former = [g.to(p.device) for g, p in zip(before.gradients, gradients, strict=True)]
            values[named(NETWORK, "gradient_cosine")] = cosine(former, gradients)
        for layer, weight in zip(self.layers, before.weights, strict=True):
            now = layer.weight.detach()
            values[named(layer.name, "gradient_norm")] = norm([gradient_of(layer.weight)])
            values[named(layer.name, "update_ratio")] = update_ratio([weight.to(now.device)], [now])
        return values

    def of_probe(self, trainer: L.Trainer) -> tuple[Seen, dict[str, Tensor]]:
        """Return what the probe tells."""
        network = self.module.network
        with observed(network):
            with trainer.precision_plugin.forward_context():
                seen = look(network, self.module.loss_of, self.probe, self.layers, self.parameters)
            of_layers = {
                layer.name: units(layer, seen.passed[layer.name], self.bounds)
                for layer in self.layers
                if layer.name in seen.passed
            }
        return seen, {named(n, key): v for n, each in of_layers.items() for key, v in each.items()}


def named(layer: str, measure: str) -> str:
    """Return the name of a value, such that W&B can nest its panels by layer.

    >>> named("layers.0", "dead")
    'diagnostics/layers.0/dead'
    """
    return f"{PREFIX}/{layer}/{measure}"


def gradient_of(parameter: Tensor) -> Tensor:
    gradient = parameter.grad
    return torch.zeros_like(parameter) if gradient is None else gradient.detach()


@torch.no_grad()
def probe_of(trainer: L.Trainer, module: ExperimentModule, size: int, seed: int) -> Probe:
    """Return training points as they are, normalised, on the device."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    assert isinstance(data, DataModule)
    points = data.train.take(drawn(len(data.train), size, seed)).to(module.device)
    inputs = trainer.precision_plugin.convert_input(points.inputs)
    return Probe(module.normalize(inputs), points.targets)
