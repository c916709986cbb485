"""What the machine has, and what a run was done on."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from experiments.cores import num_cores
from experiments.errors import listed, user_error

VERSIONS = ("torch", "torchvision", "lightning", "hydra-core", "wandb", "torchmetrics", "numpy")


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
        raise user_error("accelerator", given=trainer["accelerator"], available=there)
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
            "devices", given=trainer["devices"], available=there, kind=kind, instead=there
        )
    number = len(devices) if isinstance(devices, list) else wanted
    if number > 1 and strategy == "auto":
        raise user_error("several_devices", given=trainer["devices"], strategy=strategy)
    return number


def environment(accelerator: str, num_ranks: int, num_threads: int) -> dict[str, Any]:
    """Return what a result may depend on beside its config: versions, commit, device, threads."""
    name = torch.cuda.get_device_name() if accelerator == "cuda" else processor()
    return {
        "versions": dict(versions()),
        **checkout(),
        "device": f"{accelerator}: {name}",
        "num_devices": num_ranks,
        "threads": num_threads,
        "platform": platform.platform(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
    }


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that a result depends on."""
    return {"python": platform.python_version()} | {p: version(p) for p in VERSIONS}


@functools.cache
def processor() -> str:
    """Return the name of the CPU."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


@functools.cache
def checkout() -> dict[str, Any]:
    """Return the commit that this package lies in, and whether nothing in it was changed."""
    status = git("status", "--porcelain=v2", "--branch")
    lines = status.splitlines() if status else []
    commits = [line.split()[-1] for line in lines if line.startswith("# branch.oid")]
    if not commits or commits[0] == "(initial)":
        return {"commit": None, "clean": None}
    return {"commit": commits[0], "clean": all(line.startswith("#") for line in lines)}


def git(*arguments: str) -> str | None:
    """Return what git says of the checkout that this package lies in, or None without one."""
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


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
