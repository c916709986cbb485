"""Learning-rate schedules: the alpha_k of theta_{k+1} = theta_k - alpha_k grad L(theta_k).

Each function takes the optimizer and `num_total`, how many times the schedule will be advanced
in the whole run (epochs or optimizer steps, as `interval` in the schedule's file says), and
returns a scheduler of torch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import Parameter
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, LRScheduler, StepLR


def constant(optimizer: Optimizer, num_total: int) -> LRScheduler:
    """alpha_k = alpha_0."""
    return ConstantLR(optimizer, factor=1.0, total_iters=0)


def cosine(optimizer: Optimizer, num_total: int, *, eta_min: float = 0.0) -> LRScheduler:
    """alpha_k = eta_min + (alpha_0 - eta_min) (1 + cos(pi k / num_total)) / 2.

    Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", ICLR,
    equation 5, without restarts.

    Args:
        eta_min: the learning rate at the end, at least 0.
    """
    if eta_min < 0:
        raise ValueError(f"eta_min={eta_min}: a learning rate is at least 0")
    return CosineAnnealingLR(optimizer, T_max=max(1, num_total), eta_min=eta_min)


def step(
    optimizer: Optimizer, num_total: int, *, step_size: int = 10, gamma: float = 0.1
) -> LRScheduler:
    """alpha_k = alpha_0 gamma^floor(k / step_size).

    Args:
        step_size: intervals between two drops, at least 1.
        gamma: the factor of a drop, above 0.
    """
    if step_size < 1 or gamma <= 0:
        raise ValueError(f"step_size={step_size} gamma={gamma}: give step_size >= 1 and gamma > 0")
    return StepLR(optimizer, step_size=step_size, gamma=gamma)


def depends_on_total(make: Callable[[Optimizer, int], LRScheduler]) -> bool:
    """Return whether a schedule is laid out over the whole run, found by trying two lengths."""
    rates: list[list[float]] = []
    for num_total in (4, 8):
        optimizer = SGD([Parameter(torch.zeros(1))], lr=1.0)
        scheduler = make(optimizer, num_total)
        rates.append([])
        for _ in range(4):
            optimizer.step()
            scheduler.step()
            rates[-1].append(optimizer.param_groups[0]["lr"])
    return bool(rates[0] != rates[1])
