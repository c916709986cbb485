"""What jobs take of a machine.

A seat is a core, or a device (or a part of one). Whenever a job ends, the next one takes its seat,
so that no core and no device waits for the slowest of a batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from experiments.sweep.plan import Job

VISIBLE = "CUDA_VISIBLE_DEVICES"


Seat = int | None
"""What a job takes: the number of a device, or None for cores alone."""


def seats_of(devices: dict[str, int], workers: int | str, jobs_per_device: int) -> list[Seat]:
    """Return the seats of a machine; every GPU has some, for a job may take several.

    Args:
        devices: how many there are of each kind: cuda, mps, cpu (cores).
        workers: how many jobs at once, or auto: as many as there are seats.
        jobs_per_device: how many jobs share a GPU.
    """
    if devices.get("cuda"):
        # In turns, so that two jobs take two GPUs before they share one.
        seats: list[Seat] = [*range(devices["cuda"])] * jobs_per_device
        number = len(seats) if workers == "auto" else max(len(seats), int(workers))
    else:
        seats = [None] * (1 if devices.get("mps") else devices["cpu"])
        number = len(seats) if workers == "auto" else int(workers)
    return [seats[i % len(seats)] for i in range(number)]


def name_of_device(number: int) -> str:
    """Return how CUDA calls the GPU of this number among those that this process may see."""
    visible = [name.strip() for name in os.environ.get(VISIBLE, "").split(",") if name.strip()]
    return visible[number] if number < len(visible) else str(number)


class Seats:
    """The seats of a machine, some of them taken.

    Args:
        seats: all of them.
        num_cores: of the machine.
        at_once: how many jobs work side by side at most, whatever seats are free.
    """

    def __init__(self, seats: Sequence[Seat], num_cores: int, at_once: int) -> None:
        self.free = list(seats)
        self.num_seats = len(seats)
        self.num_cores = num_cores
        self.at_once = at_once
        self.devices = {seat for seat in seats if seat is not None}

    def take(self, job: Job) -> list[Seat]:
        """Return the seats of a job, on devices that differ; none where it has to wait.

        One that wants more than there are has all of them.
        """
        if named := self.named(job):
            chosen: list[Seat] = [seat for seat in dict.fromkeys(self.free) if seat in named]
            is_enough = len(chosen) == len(named)
        else:
            devices = dict.fromkeys(self.free) if self.devices else self.free
            wanted = min(job.num_devices, self.num_seats)
            chosen = list(devices)[:wanted]
            is_enough = len(chosen) == wanted or len(self.free) == self.num_seats
        if not is_enough:
            return []
        for seat in chosen:
            self.free.remove(seat)
        return chosen

    def give_back(self, seats: Iterable[Seat]) -> None:
        self.free += seats

    def named(self, job: Job) -> set[int]:
        return self.devices & job.named_devices

    def environment(self, job: Job, seats: Sequence[Seat]) -> dict[str, str]:
        devices = sorted({seat for seat in seats if seat is not None})
        if not devices or self.named(job):
            return {}  # what the job names are numbers among all that are visible here
        return {VISIBLE: ",".join(map(name_of_device, devices))}

    def cores(self, seats: Sequence[Seat]) -> int:
        """Return how many cores a job on these seats has: those of its seats, or of its turn."""
        of_seats = self.num_cores * len(seats) // self.num_seats
        return max(1, of_seats, self.num_cores // self.at_once)
