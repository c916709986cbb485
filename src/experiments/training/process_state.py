"""What somebody else's code may leave behind in a process, and must not for the next run in it.

Jobs of a sweep are processes of their own; under Hydra's launchers, in a notebook and in figures
several runs share one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from experiments.errors.error_table import TABLE
from experiments.errors.places import is_foreign

log = logging.getLogger(__name__)

OF_SEEDS = ("PL_GLOBAL_SEED", "PL_SEED_WORKERS")
"""Variables that Lightning sets with a seed."""
PATCHABLE = (
    torch,
    torch.Tensor,
    torch.nn,
    torch.nn.functional,
    torch.nn.init,
    torch.optim,
    torch.utils.data,
)
"""Modules and classes whose functions others replace."""


@contextlib.contextmanager
def as_it_was(forgets_modules: bool) -> Iterator[None]:
    """Put back, after the block, what runs share in a process: torch's settings and functions,
    random numbers, loggers.

    Args:
        forgets_modules: those of somebody's files that the block imported are imported anew by
            the next run, with whatever stands at their top level: a counter, a cache.
    """
    cwd, environment, modules = os.getcwd(), dict(os.environ), set(sys.modules)
    functions, streams = functions_of_torch(), (sys.stdout, sys.stderr)
    try:
        with (
            settings_of_torch(),
            random_states(),
            settings_of_logging(),
            warnings.catch_warnings(),
            np.errstate(),
        ):
            yield
    finally:
        sys.stdout, sys.stderr = streams
        put_back(functions)
        with contextlib.suppress(OSError):
            os.chdir(cwd)
        for key in environment.keys() - os.environ.keys():
            os.environ[key] = environment[key]
        for key in OF_SEEDS:  # by which Lightning would seed what comes next
            if key in environment:
                os.environ[key] = environment[key]
            else:
                os.environ.pop(key, None)
        if forgets_modules:
            for name in set(sys.modules) - modules:
                file = str(getattr(sys.modules[name], "__file__", None) or "")
                if file and is_foreign(file) and "site-packages" not in file:
                    del sys.modules[name]


@contextlib.contextmanager
def settings_of_torch() -> Iterator[None]:
    """Put back torch's global settings after the block."""
    dtype, device = torch.get_default_dtype(), torch.get_default_device()
    threads, precision = torch.get_num_threads(), torch.get_float32_matmul_precision()
    is_deterministic = torch.are_deterministic_algorithms_enabled()
    warns_only = torch.is_deterministic_algorithms_warn_only_enabled()
    anomaly, grad = torch.is_anomaly_enabled(), torch.is_grad_enabled()
    cudnn = torch.backends.cudnn
    benchmark, cudnn_deterministic = cudnn.benchmark, cudnn.deterministic
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(device)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        torch.set_float32_matmul_precision(precision)
        torch.use_deterministic_algorithms(is_deterministic, warn_only=warns_only)
        if torch.is_anomaly_enabled() != anomaly:
            torch.autograd.set_detect_anomaly(anomaly)
        torch.set_grad_enabled(grad)
        cudnn.benchmark, cudnn.deterministic = benchmark, cudnn_deterministic


@contextlib.contextmanager
def random_states() -> Iterator[None]:
    """Put back the states of Python's, numpy's and torch's own random numbers after the block."""
    own, of_numpy, of_torch = random.getstate(), np.random.get_state(), torch.get_rng_state()
    # Asked of a GPU that nobody uses yet, they would take hold of it.
    of_gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(own)
        np.random.set_state(of_numpy)
        torch.set_rng_state(of_torch)
        if of_gpus is not None:
            torch.cuda.set_rng_state_all(of_gpus)


@contextlib.contextmanager
def settings_of_logging() -> Iterator[None]:
    """Put back levels and handlers of the loggers that there are after the block."""
    known = logging.root.manager.loggerDict.values()
    loggers = [logging.root, *(each for each in known if isinstance(each, logging.Logger))]
    before = [(each.level, each.propagate, each.disabled, each.handlers[:]) for each in loggers]
    try:
        yield
    finally:
        for each, (level, propagates, is_disabled, handlers) in zip(loggers, before, strict=True):
            each.setLevel(level)
            each.propagate, each.disabled, each.handlers = propagates, is_disabled, handlers


def functions_of_torch() -> list[tuple[Any, str, Any]]:
    """Return the functions and classes that may be replaced, with where they stand."""
    layers = [part for part in vars(torch.nn).values() if isinstance(part, type)]
    optimizers = [part for part in vars(torch.optim).values() if isinstance(part, type)]
    return [
        (place, name, value)
        for place in dict.fromkeys([*PATCHABLE, *layers, *optimizers])
        for name, value in list(vars(place).items())
        if callable(value)
    ]


def put_back(functions: list[tuple[Any, str, Any]]) -> None:
    """Put back functions that were replaced, and say which."""
    replaced = [
        (place, name, value)
        for place, name, value in functions
        if (now := vars(place).get(name)) is not value and not is_torchs_wrapper(now, value)
    ]
    for place, name, value in replaced:
        setattr(place, name, value)
    if replaced:
        names = [f"{place.__name__}.{name}" for place, name, _ in replaced]
        log.warning(TABLE["replaced"].format(names=", ".join(names[:3])))


def is_torchs_wrapper(now: Any, value: Any) -> bool:
    """Return whether a function was wrapped by torch, as the step of an optimizer's class is when
    the first of its kind is made.
    """
    return getattr(now, "hooked", False) is True and getattr(now, "__wrapped__", None) is value
