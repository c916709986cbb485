"""What of its budget a run has used, and from where a larger one goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.config.entries import Config
from experiments.record.folder import CHECKPOINTS
from experiments.training.whole_checkpoint import AMID, is_whole, load_checkpoint

KEYS = ("max_epochs", "max_steps")


@dataclass(frozen=True)
class Used:
    """What a checkpoint's run had used of its budget.

    Attributes:
        epochs: those begun.
        seconds: of training; None where no clock was to end it.
    """

    epochs: int
    steps: int
    seconds: float | None

    @classmethod
    def by(cls, saved: dict[str, Any]) -> Used:
        """Return what the run of a checkpoint had used."""
        elapsed = saved["callbacks"].get("Timer", {}).get("time_elapsed", {}).get("train")
        return cls(int(saved["epoch"]) + 1, int(saved["global_step"]), elapsed)


@dataclass(frozen=True)
class Budget:
    """Where a run ends; None where nothing of the kind ends it."""

    max_epochs: int | None
    max_steps: int | None
    max_seconds: float | None

    @classmethod
    def of(cls, trainer: Config) -> Budget:
        """Return the budget that the group `trainer` gives.

        >>> Budget.of({"max_epochs": 20, "max_steps": -1, "max_time": "00:00:01:30"})
        Budget(max_epochs=20, max_steps=None, max_seconds=90.0)
        """
        epochs, steps = (trainer[key] if trainer[key] > 0 else None for key in KEYS)
        seconds = None
        if trainer["max_time"] is not None:
            days, hours, minutes, rest = map(int, trainer["max_time"].split(":"))
            seconds = float(((days * 24 + hours) * 60 + minutes) * 60 + rest)
        return cls(epochs, steps, seconds)

    def overdrawn(self, used: Used) -> tuple[str, int] | None:
        """Return the key of which more was used than there is, and how much; None for none.

        A run that is given less than it has used would have the weights of what it has used.

        >>> Budget(20, 100, None).overdrawn(Used(7, 150, None))
        ('trainer.max_steps', 150)
        >>> Budget(20, 150, None).overdrawn(Used(7, 150, None)) is None
        True
        """
        if self.max_epochs is not None and used.epochs > self.max_epochs:
            return "trainer.max_epochs", used.epochs
        if self.max_steps is not None and used.steps > self.max_steps:
            return "trainer.max_steps", used.steps
        return None

    def leaves_a_step(self, used: Used) -> bool:
        """Return whether steps of the epoch that is under way are left to do.

        >>> Budget(20, 150, None).leaves_a_step(Used(7, 150, None))
        False
        >>> Budget(20, None, 60.0).leaves_a_step(Used(7, 150, 59.0))
        True
        """
        is_time = None not in (self.max_seconds, used.seconds)
        has_time = not is_time or used.seconds < self.max_seconds  # type: ignore[operator]
        return has_time and (self.max_steps is None or used.steps < self.max_steps)


def ended_amid(folder: Path, last: Path, trainer: Config) -> Path | None:
    """Return where a run was when its budget ended it amid an epoch, for one that has more.

    Args:
        folder: of the run that was ended.
        last: its last checkpoint, that of its end.
        trainer: the group of that name of the run that has more.

    Returns:
        None where it was not ended so, or the epoch is not gone on with.
    """
    amid = folder / CHECKPOINTS / AMID
    if not is_whole(amid):
        return None
    used = Used.by(load_checkpoint(amid, f"Delete it: the run then goes on from {last.name}."))
    is_its_end = used.steps == Used.by(load_checkpoint(last, "Delete it.")).steps
    return amid if is_its_end and Budget.of(trainer).leaves_a_step(used) else None
