"""What a step takes by the number of members, and how many members that pays for.

Stacked matrix products of a small network take little longer than those of one: a population of 16
is trained in the time of two or three. Those of a large network, or convolutions on a CPU, may take
longer stacked than one after the other. So it is measured, once for an architecture, its data and
the device (measured_costs.py). Torch-free.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

LARGEST = 64
"""Members of a population at most, where nobody has asked for more: what kills one kills all."""
GAIN = 1.05
"""How much faster the runs of a population have to be, for it to be worth what may go wrong."""
ALONE, GROUP, MEMBER = (0.13, 0.014), (0.1, 0.006), (0.02, 0.0018)
"""Seconds beside the steps, and of each epoch: of a run alone, of a population, and of each member
of it. Of an MLP 64-64-64-10 on digits (420 steps of 0.39 ms in 20 epochs) a run takes 0.52 s of CPU
alone, and 0.22, 0.130 and 0.112 s among 4, 12 and 24 (Xeon, torch 2.14); a fork is 0.05 s."""
SHARE_OF_MEMORY = 0.5

Config = dict[str, Any]


@dataclass(frozen=True)
class MemberCosts:
    """What was measured of populations.

    Attributes:
        seconds: of an optimizer step of all members together, by their number.
        bytes_per_member: of memory, at most.
        num_batches: steps of an epoch.
        memory: bytes that there are for all populations at work.
    """

    seconds: dict[int, float]
    bytes_per_member: float
    num_batches: int
    memory: float = math.inf

    def step_seconds(self, num_members: int) -> float:
        """Return the time of a step, between the sizes that were measured by a straight line.

        >>> costs = MemberCosts({1: 1.0, 5: 3.0}, 0, 1)
        >>> costs.step_seconds(3), costs.step_seconds(9)
        (2.0, 5.0)
        """
        sizes = sorted(self.seconds)
        if len(sizes) == 1:
            return self.seconds[sizes[0]] * num_members / sizes[0]
        place = sum(size < num_members for size in sizes[1:-1])
        low, high = sizes[place], sizes[place + 1]
        slope = (self.seconds[high] - self.seconds[low]) / (high - low)
        return self.seconds[low] + slope * (num_members - low)

    def run_seconds(self, num_members: int, num_steps: int) -> float:
        """Return what one run takes of the time of its population."""
        num_epochs = num_steps / self.num_batches
        alone, group, member = (
            start + per_epoch * num_epochs for start, per_epoch in (ALONE, GROUP, MEMBER)
        )
        own = alone if num_members == 1 else member + group / num_members
        return own + num_steps * self.step_seconds(num_members) / num_members

    def best_size(self, num_jobs: int, num_steps: int, num_seats: int = 1) -> int:
        """Return how many of so many jobs are best trained together; 1 where that gains nothing.

        Args:
            num_steps: optimizer steps of a run.
            num_seats: how many populations are at work at once.
        """
        room = math.inf
        if self.bytes_per_member:
            room = SHARE_OF_MEMORY * self.memory / num_seats / self.bytes_per_member
        most = int(min(num_jobs, LARGEST, max(1.0, room)))
        sizes = sorted({*(2**n for n in range(most.bit_length())), most})
        best = min(sizes, key=lambda size: self.run_seconds(size, num_steps))
        gain = self.run_seconds(1, num_steps) / self.run_seconds(best, num_steps)
        return best if gain >= GAIN else 1


def what_counts(config: Config) -> str:
    """Return what of a config its costs depend on, as a text: architecture, data, optimizer."""
    trainer = config["trainer"]
    data = {key: value for key, value in config["data"].items() if key != "root"}
    about = [config["model"], data, config["optim"]["_target_"]]
    about += [trainer["precision"], trainer["threads"], trainer["accelerator"]]
    return json.dumps(about, sort_keys=True, default=str)


def num_steps_of(config: Config, num_batches: int) -> int:
    """Return how many optimizer steps a run makes, as far as its config says."""
    trainer = config["trainer"]
    if trainer["max_steps"] > 0:
        return int(trainer["max_steps"])
    epochs = trainer["max_epochs"]
    return int(max(1, epochs) * num_batches / trainer["accumulate_grad_batches"])
