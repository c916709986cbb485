"""A whole LightningModule of somebody's, and what is put around it.

Lightning trains it as it always does: by its own steps, loss, optimizers, schedules and hooks.
What belongs to a run and not to a network is here: points are standardised before it gets them,
validation and test are measured on its forward where it has one, and it is loaded and predicts as
every other module.

Shape letters: B batch, K classes or regression targets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import lightning as L
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch import Tensor

from experiments.data.loader import Batch
from experiments.training.module import ExperimentModule

STAGES = ("train", "val", "test")


class InputsAndTargets(NamedTuple):
    """A batch as a LightningModule gets it: `x, y = batch`.

    Shapes: inputs (B, *shape), standardised; targets (B,) class numbers, or (B, K), standardised.
    """

    inputs: Tensor
    targets: Tensor


@dataclass(frozen=True)
class Tried:
    """What a LightningModule did when it was tried on a few points.

    Attributes:
        logged: the names that it logged, such as val/loss.
        why_unmeasured: why its forward cannot be measured; empty where it gives (B, K).
    """

    logged: frozenset[str] = frozenset()
    why_unmeasured: str = ""


class UserModule(ExperimentModule):
    """What is ours around a LightningModule, which is `network`; that alone is trained.

    Attributes:
        measured: what was measured here, by name; what it logs by the same name counts.
        current: the batch that it got last, with targets in the unit of the data.
        end_epoch: its own hook `on_train_epoch_end`.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        assert isinstance(self.network, L.LightningModule)
        self.tried = Tried()
        self.measured: dict[str, Tensor] = {}
        self.current: Batch | None = None
        self.end_epoch: Callable[[], Any] = self.network.on_train_epoch_end

    @property
    def trained(self) -> L.LightningModule:
        assert isinstance(self.network, L.LightningModule)
        return self.network

    @property
    def is_measurable(self) -> bool:  # type: ignore[override]
        return not self.tried.why_unmeasured

    def prepare(self, tried: Tried) -> None:
        """Make the module ready to be trained, once, after it was tried.

        Its rows go to loggers with those of the history, so that they have each value once; and
        its epoch ends before callbacks look at it.
        """
        self.tried = tried
        module: Any = self.trained
        self.end_epoch = module.on_train_epoch_end
        module.on_train_epoch_end = nothing
        own_log = module.log

        def log(*args: Any, logger: bool | None = None, **kwargs: Any) -> None:
            own_log(*args, logger=bool(logger), **kwargs)

        module.log = log
        if module.hparams:  # loggers get the whole config, in which some would take another's place
            module.save_hyperparameters(module.hparams, logger=False)
        supply_steps(module)

    def hand_out(self, batch: Batch) -> InputsAndTargets:
        """Return a batch as the module gets it."""
        self.current = batch
        return InputsAndTargets(self.normalize(batch.inputs), self.standardized(batch.targets)[0])

    def log_of_epoch(self, name: str, value: Tensor, prog_bar: bool = False) -> None:
        self.measured[name] = value

    def over_ranks(self, sums: Tensor) -> Tensor:
        return sums

    def measured_names(self, config: Mapping[str, Any]) -> list[str]:
        ours = super().measured_names(config) if self.is_measurable else ["train/loss"]
        ours = [name for name in ours if name == "train/loss" or not name.startswith("train/")]
        stages = tuple(f"{stage}/" for stage in STAGES[:2])
        logged = sorted(name for name in self.tried.logged if name.startswith(stages))
        return list(dict.fromkeys([*ours, *logged]))

    def around(self) -> dict[str, Any]:
        """Return what its checkpoint must have beside its own, in plain values and tensors."""
        parts = {"normalize": self.normalize, "loss": self.loss}
        if self.normalize_targets is not None:
            parts["normalize_targets"] = self.normalize_targets
        states = {name: dict(part.state_dict()) for name, part in parts.items()}
        return {**states, "why_unmeasured": self.tried.why_unmeasured}

    def load_saved(self, saved: Mapping[str, Any]) -> None:
        around = saved["around_module"]
        self.network.load_state_dict(saved["state_dict"], strict=True)
        for name, state in around.items():
            if isinstance(state, dict):
                self.get_submodule(name).load_state_dict(state, strict=True)
        self.tried = Tried(why_unmeasured=around["why_unmeasured"])


def nothing(*_: Any) -> None:
    """Take the place of a hook or a step."""


def supply_steps(module: Any) -> None:
    """Give a module that has no validation_step or test_step one that does nothing.

    Without one the Trainer would not walk through the points, which are measured beside it.
    """
    for name in missing_steps(module):
        setattr(module, name, nothing)


def missing_steps(module: L.LightningModule) -> list[str]:
    steps = ("validation_step", "test_step")
    return [name for name in steps if not is_overridden(name, module)]


def plain_alone(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those hyperparameters that a checkpoint can keep for `weights_only=True`.

    >>> plain_alone({"width": 8, "activation": Tensor.relu, "shape": (1, 8)})
    {'width': 8, 'shape': (1, 8)}
    """
    return {str(name): value for name, value in values.items() if is_plain(value)}


def is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return type(value) is dict and all(map(is_plain, value.values()))
    if isinstance(value, list | tuple):
        return type(value) in (list, tuple) and all(map(is_plain, value))
    return value is None or type(value) in (bool, int, float, str) or isinstance(value, Tensor)
