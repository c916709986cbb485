"""What a run takes of its machine: devices, CPU threads, memory; and what it was done on.

Threads share a step's work but must be woken and waited for: for a small step one is faster than
two. The choice follows from the work, and from the cores that others leave: threads that wait for
each other beside busy neighbours take five times as long as one (767 samples/s with two threads,
3,747 with one, of a CNN on two busy cores).
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import platform
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from experiments.errors.messages import user_error
from experiments.errors.wording import as_typed, listed
from experiments.record import host
from experiments.record.host import checkout, num_cores, processor, versions
from experiments.record.record import Record

SMALL_STEP = 8_000_000
"""Multiplications of a forward pass over a batch, below which one thread is used. Measured on two
cores: an MLP 784-64-128-64-10 at batch 64 (4.3 million) takes as long on one as on two, which
leaves a core to others, and 784-256-256-10 (17 million) takes 1.6 times as long."""
LARGEST_TENSOR = 2**22
MOST_POINTS = 1024


def available() -> dict[str, int]:
    """Return how many devices of each kind there are: CUDA GPUs, Apple GPUs, CPU cores."""
    return {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": num_cores(),
    }


def choose_devices(trainer: dict[str, Any]) -> tuple[str, int]:
    """Return the accelerator (cuda, mps or cpu) and the number of devices that a run will use.

    Raises:
        UserError: devices that are not there, or several without a strategy for them.
    """
    counts = available()
    accelerator = {"gpu": "cuda"}.get(trainer["accelerator"], trainer["accelerator"])
    if accelerator == "auto":
        accelerator = next(kind for kind, count in counts.items() if count)
    if not counts.get(accelerator):
        there = listed(kind for kind, count in counts.items() if count)
        is_there = bool(counts.get(accelerator.lower()))
        instead = f"trainer.accelerator={accelerator.lower()}" if is_there else "trainer=auto"
        given = trainer["accelerator"]
        raise user_error("accelerator", given=given, available=there, instead=instead)
    return accelerator, num_devices(trainer, accelerator, counts[accelerator])


def num_devices(trainer: dict[str, Any], accelerator: str, there: int) -> int:
    """Return how many of the devices that are `there` the run will use."""
    devices, strategy = trainer["devices"], trainer["strategy"]
    kind = {"cuda": "CUDA GPU(s)", "mps": "Apple GPU(s)", "cpu": "CPU core(s)"}[accelerator]
    if devices in ("auto", -1):
        devices = 1 if strategy == "auto" else there
    is_list = isinstance(devices, list) and all(isinstance(d, int) for d in devices)
    wanted = max(devices, default=-1) + 1 if is_list and accelerator == "cuda" else devices
    if not isinstance(wanted, int) or isinstance(wanted, bool) or not 1 <= wanted <= there:
        raise user_error(
            "devices",
            given=as_typed(devices),
            available=there,
            kind=kind,
            instead=1 if strategy == "auto" else there,
        )
    number = len(devices) if isinstance(devices, list) else wanted
    if number > 1 and strategy == "auto":
        instead = "ddp_cpu" if accelerator == "cpu" else "ddp"
        values = {"strategy": strategy, "instead": f"{instead} trainer.devices={number}"}
        raise user_error("several_devices", given=as_typed(trainer["devices"]), **values)
    return number


def environment(accelerator: str, num_ranks: int, num_threads: int) -> dict[str, Any]:
    """Return what a result may depend on beside its config: versions, commit, device, threads."""
    return {
        "versions": dict(versions()),
        **checkout(),
        "device": device_name(accelerator),
        "num_devices": num_ranks,
        "threads": num_threads,
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }


@dataclass(frozen=True)
class Work:
    """The cost of a forward pass for one data point.

    Attributes:
        multiplications: those with a weight of two or more dimensions, once per position.
        largest: numbers in the largest tensor on the way.
    """

    multiplications: int
    largest: int

    @property
    def evaluation_batch_size(self) -> int:
        """Points of a batch in validation and test, where only time and memory matter.

        A power of two whose largest tensor has at most 2^22 numbers (16 MB): larger ones are
        fetched from the system and given back at each layer. Measured over 10,000 images with
        convolutions of 32 and 64 channels: 0.48 s at 200, 1.4 s at 512, 2.9 s at once.

        >>> Work(1, 784).evaluation_batch_size, Work(1, 32 * 784).evaluation_batch_size
        (1024, 128)
        """
        points = max(1, LARGEST_TENSOR // max(1, self.largest))
        return min(MOST_POINTS, 2 ** math.floor(math.log2(points)))


UNKNOWN_WORK = Work(SMALL_STEP, LARGEST_TENSOR // 128)
"""Of a network that cannot be sent a point: all threads, and batches of 128 points."""


@torch.no_grad()
def work_of(network: nn.Module, shape: tuple[int, ...]) -> Work:
    """Return the work of `network` on points of `shape`, by sending a point of zeros through it.

    >>> work_of(nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), (4,))
    Work(multiplications=18, largest=4)
    """
    counts: list[int] = []
    sizes = [math.prod(shape)]

    def count(layer: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(layer, nn.RNNBase):  # whose matrices have names of their own
            output = output[0]
            numbers = sum(p.numel() for p in layer.parameters() if p.dim() > 1)
            counts.append(numbers * (output.numel() // output.shape[-1]))
        if not isinstance(output, Tensor):  # of a layer that gives several
            return
        sizes.append(output.numel())
        weight: Any = getattr(layer, "weight", None)
        if getattr(weight, "ndim", 0) > 1:
            counts.append(weight.numel() * (output.numel() // weight.shape[0]))

    hooks = [layer.register_forward_hook(count) for layer in network.modules()]
    was_training = network.training
    weight = next((p for p in network.parameters()), torch.zeros(()))
    try:
        network.eval()(torch.zeros(1, *shape, dtype=weight.dtype, device=weight.device))
    finally:
        network.train(was_training)
        for hook in hooks:
            hook.remove()
    return Work(sum(counts), max(sizes))


def choose_threads(wanted: int | str, work: int, num_cores: int, num_ranks: int) -> int:
    """Return the number of threads.

    Args:
        wanted: a number, or auto.
        work: multiplications of a forward pass over a batch.
        num_cores: cores that this process may run on, as of `cores_to_use`.
        num_ranks: processes of this run on this machine, which share them.
    """
    if isinstance(wanted, int):
        return wanted
    return 1 if work < SMALL_STEP else max(1, math.floor(num_cores / num_ranks))


def threads_before(before: Record | None, accelerator: str) -> int | None:
    """Return how many threads a run had that began on the same kind of processor; else None.

    A sum that two threads share is rounded otherwise than one of one thread alone.
    """
    if before is None or before["environment"].get("device") != device_name(accelerator):
        return None
    threads = before["environment"].get("threads")
    fits = isinstance(threads, int) and 1 <= threads <= host.cores_of_machine()
    return threads if fits else None


def device_name(accelerator: str) -> str:
    """Return what a record calls the device.

    >>> device_name("cpu") == f"cpu: {processor()}"
    True
    """
    name = torch.cuda.get_device_name() if accelerator == "cuda" else processor()
    return f"{accelerator}: {name}"


def cores_to_use() -> int:
    """Return how many cores a run may keep busy: its share of a sweep, or what others leave.

    OMP_NUM_THREADS and MKL_NUM_THREADS are upper limits, as of torch's own choice.
    """
    share = num_cores() if host.SHARE in os.environ else host.num_free_cores()
    return min(share, host.wanted_threads() or share)


@contextlib.contextmanager
def computing_with(num_threads: int, matmul_precision: str) -> Iterator[None]:
    """Set torch's threads and the precision of float32 matrix products for the block."""
    before = torch.get_num_threads(), torch.get_float32_matmul_precision()
    torch.set_num_threads(num_threads)
    torch.set_float32_matmul_precision(matmul_precision)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.set_float32_matmul_precision(before[1])


@contextlib.contextmanager
def without_asking_for_gpus() -> Iterator[None]:
    """Keep torch from looking for a GPU's driver at each optimizer step, where there is none.

    Lightning asks torch to look for GPUs through NVML (so that processes can still be forked),
    and torch's optimizers look at every step: 0.04 ms of a step that takes 0.6.
    """
    name = "PYTORCH_NVML_BASED_CUDA_CHECK"
    before = os.environ.get(name)
    if before is None or torch.cuda.is_available():
        yield
        return
    del os.environ[name]
    try:
        yield
    finally:
        os.environ[name] = before


def keep_freed_memory() -> None:
    """Let glibc keep the memory that tensors give back, for the tensors of the next step.

    By default it returns the larger ones to the system at once, and each step of a convolutional
    network fetches its pages anew: 3,100 page faults and 9 ms a step instead of none and 5 ms
    (16 and 32 channels, batch 64), until its own thresholds have grown.
    """
    trim, mmap = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
    if mallopt is not None:
        mallopt(trim, 2**29)
        mallopt(mmap, 2**25)  # the most that it takes
