"""What jobs take of a machine: cores, or GPUs as the user may see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.sweep.grid import Cell
from experiments.sweep.jobs.seats import VISIBLE, Seats, name_of_device, seats_of
from experiments.sweep.plan import ALL, Job

GPUS = {"cuda": 2, "mps": 0, "cpu": 8}
CPU = {"cuda": 0, "mps": 0, "cpu": 4}


def job(devices: Any = 1, strategy: str = "auto") -> Job:
    config = {"trainer": {"devices": devices, "strategy": strategy}}
    return Job(Cell((), ()), config, "0" * 16, "s", Path(), 0)


def seats(devices: dict[str, int], workers: int | str = "auto", jobs_per_device: int = 1) -> Seats:
    every = seats_of(devices, workers, jobs_per_device)
    at_once = len(every) if workers == "auto" else int(workers)
    return Seats(every, devices["cpu"], at_once)


@pytest.fixture(autouse=True)
def _all_visible(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VISIBLE, raising=False)


def test_how_many_there_are() -> None:
    assert seats_of(CPU, "auto", 1) == [None] * 4
    assert seats_of(CPU, 7, 1) == [None] * 7
    assert seats_of(GPUS, "auto", 2) == [0, 1, 0, 1]
    assert seats_of(GPUS, 3, 1) == [0, 1, 0]
    assert seats_of({"cuda": 0, "mps": 1, "cpu": 8}, "auto", 1) == [None]


def test_few_jobs_at_once_leave_a_job_of_several_gpus_all_that_it_asks_for() -> None:
    there = seats(GPUS, workers=1)
    assert there.at_once == 1
    taken = there.take(job(devices=2))
    assert there.environment(job(devices=2), taken) == {VISIBLE: "0,1"}
    assert there.cores(taken) == 8
    # One that asks for one GPU works alone all the same, and may have all cores.
    there.give_back(taken)
    assert there.cores(there.take(job())) == 8


def test_a_job_waits_until_it_has_all_its_seats() -> None:
    there = seats(GPUS, jobs_per_device=2)
    first = there.take(job())
    assert (first, there.cores(first)) == ([0], 2)
    both = there.take(job(devices=2))
    assert set(both) == {0, 1}
    # One seat is left, and that GPU twice would not be two.
    assert there.take(job(devices=2)) == []
    there.give_back(first)
    assert there.environment(job(devices=2), there.take(job(devices=2))) == {VISIBLE: "0,1"}


def test_more_devices_than_there_are_wait_for_all() -> None:
    there = seats(CPU)
    one = there.take(job())
    assert there.take(job(devices=16)) == []
    there.give_back(one)
    assert len(there.take(job(devices=16))) == 4


@pytest.mark.parametrize("devices", ["auto", -1])
def test_what_takes_every_device_has_every_device(devices: Any) -> None:
    assert job(devices).num_devices == 1  # so hardware.choose_devices counts without a strategy
    assert job(devices, "ddp").num_devices == ALL
    there = seats(GPUS)
    taken = there.take(job(devices, "ddp"))
    assert there.environment(job(devices, "ddp"), taken) == {VISIBLE: "0,1"}


def test_a_job_that_names_its_gpu_has_that_one_and_sees_all() -> None:
    there = seats(GPUS)
    taken = there.take(job(devices=[1]))
    assert taken == [1]
    assert there.environment(job(devices=[1]), taken) == {}
    assert there.take(job(devices=[0, 1])) == []
    assert there.take(job()) == [0]
    there.give_back(taken)
    assert there.take(job(devices=[1])) == [1]


def test_gpus_are_called_as_the_user_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [name_of_device(number) for number in (0, 1)] == ["0", "1"]
    monkeypatch.setenv(VISIBLE, "2, GPU-3f")
    there = seats(GPUS)
    assert there.environment(job(), there.take(job())) == {VISIBLE: "2"}
    assert there.environment(job(), there.take(job())) == {VISIBLE: "GPU-3f"}
