"""What the processes of a run agree on amid its training: how many steps follow, whether it ends.

One rank's clock is not another's, and a signal reaches each rank in another step, or one rank
alone. A rank that acted on its own would leave the others waiting for its part of a step. So none
does: about four times a second one message tells all ranks what any of them was sent, whether
rank 0 finds a checkpoint due, and after how many steps they ask again. As the answer is the same on
all ranks, so are the steps after which they ask, and at which a call of the training step ends.
"""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import lightning as L
import torch
import torch.distributed as dist
from lightning.pytorch.callbacks import Timer

BETWEEN_SECONDS = 0.25
"""Between two questions, each of which takes about 0.2 ms with gloo."""
MOST_BETWEEN = 1024
"""Steps between two questions."""
GROWTH = 4
"""By how much the steps between two questions grow at most: the first steps tell little."""


class Agreed(NamedTuple):
    """What holds for all ranks.

    Attributes:
        signal: the largest number of a signal that any rank was sent; 0 for none.
        is_time: rank 0 finds a checkpoint due.
    """

    signal: int
    is_time: bool


class Agreement:
    """Asks all ranks, each time after so many optimizer steps as rank 0 has said the time before.

    Attributes:
        next_step: the step after which is asked next.
    """

    def __init__(self) -> None:
        self.begin(0)

    def begin(self, step: int) -> None:
        """Start to count at a step; it is asked first after the one that follows."""
        self.next_step = step + 1
        self.last_step, self.asked_at = step, time.monotonic()

    def ask(self, trainer: L.Trainer, signal: int, is_time: bool) -> Agreed:
        """Ask all ranks, all of which must be after the same step.

        Args:
            signal: that this process was sent; 0 for none.
            is_time: a checkpoint is due by the clock of this process.
        """
        step, now = trainer.global_step, time.monotonic()
        decided = [0, 0]
        if trainer.is_global_zero:
            seconds = min(BETWEEN_SECONDS, seconds_left(trainer))
            between = self.next_step - step  # where no step was done since, at an epoch's end
            if step > self.last_step:
                between = steps_between(step - self.last_step, now - self.asked_at, seconds)
            decided = [is_time, max(1, between)]
        message = torch.tensor([signal, *decided], device=trainer.strategy.root_device)
        dist.all_reduce(message, dist.ReduceOp.MAX)
        heard, is_due, number = (int(value) for value in message.tolist())
        self.last_step, self.asked_at, self.next_step = step, now, step + number
        return Agreed(heard, bool(is_due))


def steps_between(done: int, took: float, seconds: float) -> int:
    """Return how many steps are likely to take `seconds`, where `done` steps `took` so many.

    >>> steps_between(10, 0.1, 0.25), steps_between(1, 0.001, 0.25), steps_between(3, 9.0, 0.25)
    (25, 4, 1)
    """
    likely = seconds * done / max(took, 1e-9)
    return max(1, math.floor(min(likely, GROWTH * done, MOST_BETWEEN)))


def seconds_left(trainer: L.Trainer) -> float:
    """Return what is left of the run's time (`trainer.max_time`); infinite without a limit."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Timer):
            left = callback.time_remaining()
            return math.inf if left is None else max(0.0, left)
    return math.inf
