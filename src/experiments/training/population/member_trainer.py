"""What the callbacks of a member hear of: its own part of the Trainer that trains all members."""

from __future__ import annotations

from typing import Any, Protocol

from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from torch import Tensor
from torch.optim import Optimizer

from experiments.data.datamodule import DataModule
from experiments.training.trainer import CallbacksOfRun, OfRun, RunTrainer


class Measured(dict[str, Tensor]):
    """What was measured, by name; no value changes itself, so that a deep copy need not copy it.

    Every ModelCheckpoint makes one at each epoch's end, which takes as long as a step.
    """

    def __deepcopy__(self, memo: Any) -> dict[str, Tensor]:
        return dict(self)


class Selected(Protocol):
    """Weights that were saved."""

    @property
    def epoch(self) -> int: ...

    @property
    def step(self) -> int: ...


class Saving(Protocol):
    """What keeps the checkpoints of a member, and the states that these are made of."""

    @property
    def best(self) -> Selected | None: ...

    @property
    def own_optimizer(self) -> Optimizer: ...

    def save(self, path: Any) -> None: ...

    def write(self) -> None: ...


class MemberTrainer(OfRun):
    """The Trainer of a run, as far as it is the run's own; all else is that of all members.

    Epochs, steps and loops are the same for all, so that a member's callbacks (its checkpoints,
    early stopping, history) are those of a run alone, and find here what they would find there.

    Args:
        watching: its callbacks.
        data: its own batches.

    Attributes:
        whole: the Trainer of all members; None until that is there.
        callback_metrics: what was measured of the member last.
        should_stop: one of its callbacks has asked for its end.
        num_undone: steps that others have done and this one has not, as its loss was not finite.
        saving: keeps what its callbacks save; None until there is a population.
        optimizers: as a run alone would have them, once somebody has asked for them.
    """

    whole: RunTrainer | None = None

    def __init__(self, watching: CallbacksOfRun, data: DataModule) -> None:
        self.callbacks: list[Callback] = watching.every
        self.watch, self.checkpointing = watching.watch, watching.checkpointing
        self.datamodule = data
        self.loggers: list[Logger] = []
        self.callback_metrics: dict[str, Tensor] = Measured()
        self.should_stop = False
        self.num_undone = 0
        self.saving: Saving | None = None

    def __getattr__(self, name: str) -> Any:
        # Of what is not its own.
        if self.whole is None:
            raise AttributeError(name)
        return getattr(self.whole, name)

    @property
    def global_step(self) -> int:
        assert self.whole is not None
        return self.whole.global_step - self.num_undone

    @property
    def optimizers(self) -> list[Optimizer]:
        assert self.saving is not None
        return [self.saving.own_optimizer]

    def save_checkpoint(self, filepath: Any, *_: Any, **__: Any) -> None:
        assert self.saving is not None
        self.saving.save(filepath)

    def write_waiting(self) -> None:
        if self.saving is not None:
            self.saving.write()

    def selected(self) -> tuple[int, int] | None:
        best = self.saving.best if self.saving is not None else None
        if best is None:
            return super().selected()
        return best.epoch, best.step
