"""Learning-rate schedules: the alpha_k of theta_{k+1} = theta_k - alpha_k grad L(theta_k).

Each function takes the optimizer and `num_total`, how many times the schedule will be advanced
in the whole run (epochs or optimizer steps, as `interval` in the schedule's file says), and
returns a scheduler of torch. alpha_0 is `optim.lr`, k counts intervals, n is `num_total`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch.nn import Parameter
from torch.optim import SGD, Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LRScheduler,
    MultiStepLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    StepLR,
)

from experiments.catalogue.optimizer_needs import is_switched


def constant(optimizer: Optimizer, num_total: int) -> LRScheduler:
    """alpha_k = alpha_0."""
    return ConstantLR(optimizer, factor=1.0, total_iters=0)


def step(
    optimizer: Optimizer, num_total: int, *, step_size: int = 10, gamma: float = 0.1
) -> LRScheduler:
    """alpha_k = alpha_0 gamma^floor(k / step_size).

    Args:
        step_size: intervals between two drops, at least 1.
        gamma: the factor of a drop, above 0.
    """
    if step_size < 1 or not gamma > 0:
        raise ValueError(f"step_size={step_size} gamma={gamma}: give step_size >= 1 and gamma > 0")
    return StepLR(optimizer, step_size=step_size, gamma=gamma)


def multistep(
    optimizer: Optimizer,
    num_total: int,
    *,
    milestones: Sequence[int] = (10, 15),
    gamma: float = 0.1,
) -> LRScheduler:
    """alpha_k = alpha_0 gamma^j, j the number of milestones that are at most k.

    Args:
        milestones: intervals after which the rate drops, rising.
        gamma: the factor of a drop, above 0.
    """
    marks = list(milestones) if isinstance(milestones, Sequence) else [milestones]
    is_rising = all(isinstance(m, int) and m >= 1 for m in marks) and marks == sorted(set(marks))
    if not is_rising or not gamma > 0:
        raise ValueError(
            f"milestones={marks} gamma={gamma}: give rising whole numbers of at least 1, gamma > 0"
        )
    return MultiStepLR(optimizer, milestones=marks, gamma=gamma)


def exponential(optimizer: Optimizer, num_total: int, *, gamma: float = 0.95) -> LRScheduler:
    """alpha_k = alpha_0 gamma^k.

    Args:
        gamma: above 0.
    """
    if not gamma > 0:
        raise ValueError(f"gamma={gamma}: give a number above 0")
    return ExponentialLR(optimizer, gamma=gamma)


def linear(optimizer: Optimizer, num_total: int, *, end_factor: float = 0.0) -> LRScheduler:
    """alpha_k = alpha_0 (1 - (1 - end_factor) k / n).

    Args:
        end_factor: the rate at the end as a part of alpha_0, from 0 to 1.
    """
    check_part("end_factor", end_factor)
    length = max(1, num_total)
    return LambdaLR(optimizer, lambda k: 1 - (1 - end_factor) * min(k, length) / length)


def polynomial(optimizer: Optimizer, num_total: int, *, power: float = 0.9) -> LRScheduler:
    """alpha_k = alpha_0 (1 - k / n)^power.

    Chen, Papandreou, Kokkinos, Murphy, Yuille 2018, "DeepLab", section 4.1.2, with power 0.9.

    Args:
        power: above 0; 1 is linear.
    """
    if not power > 0:
        raise ValueError(f"power={power}: give a number above 0")
    return PolynomialLR(optimizer, total_iters=max(1, num_total), power=power)


def cosine(optimizer: Optimizer, num_total: int, *, eta_min: float = 0.0) -> LRScheduler:
    """alpha_k = eta_min + (alpha_0 - eta_min) (1 + cos(pi k / n)) / 2.

    Loshchilov & Hutter 2017, "SGDR: stochastic gradient descent with warm restarts", ICLR,
    equation 5, without restarts.

    Args:
        eta_min: the learning rate at the end, at least 0.
    """
    if not eta_min >= 0:
        raise ValueError(f"eta_min={eta_min}: a learning rate is at least 0")
    return CosineAnnealingLR(optimizer, T_max=max(1, num_total), eta_min=eta_min)


def warmup_cosine(
    optimizer: Optimizer, num_total: int, *, warmup: float = 0.05, end_factor: float = 0.0
) -> LRScheduler:
    """alpha_k rises evenly to alpha_0 over w = warmup n intervals, then falls as half a cosine.

    alpha_k = alpha_0 (k + 1) / (w + 1) for k < w, then
    alpha_0 (e + (1 - e) (1 + cos(pi (k - w) / (n - w))) / 2), e = end_factor.

    Goyal et al. 2017, "Accurate, large minibatch SGD: training ImageNet in 1 hour", section 2.2,
    for the warm-up; Loshchilov & Hutter 2017, equation 5, for the fall. The first step is taken
    with a rate above 0.

    Args:
        warmup: part of the run, from 0 to 1.
        end_factor: the rate at the end as a part of alpha_0, from 0 to 1.
    """
    check_part("warmup", warmup)
    check_part("end_factor", end_factor)
    num_warm = round(warmup * num_total)
    length = max(1, num_total - num_warm)

    def factor(k: int) -> float:
        if k < num_warm:
            return (k + 1) / (num_warm + 1)
        part = min(k - num_warm, length) / length
        return end_factor + (1 - end_factor) * (1 + math.cos(math.pi * part)) / 2

    return LambdaLR(optimizer, factor)


def onecycle(
    optimizer: Optimizer,
    num_total: int,
    *,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    cycle_momentum: bool = True,
) -> LRScheduler:
    """Up from alpha_0 / div_factor to alpha_0, and down to a ten-thousandth of where it began.

    Smith & Topin 2018, "Super-convergence: very fast training of neural networks using large
    learning rates", section 3, along cosines as torch's OneCycleLR; `optim.lr` is its max_lr.

    Args:
        pct_start: part of the run that the rise takes, above 0 and below 1.
        div_factor: alpha_0 over the first rate.
        final_div_factor: the first rate over the last.
        cycle_momentum: let momentum (or beta_1) fall from 0.95 to 0.85 and rise again, where the
            optimizer has one.
    """
    if not 0 < pct_start < 1 or not min(div_factor, final_div_factor) > 0:
        raise ValueError(
            f"pct_start={pct_start} div_factor={div_factor} final_div_factor={final_div_factor}: "
            "give a pct_start between 0 and 1, and factors above 0"
        )
    group = optimizer.param_groups[0]
    # A momentum of 0 is none: torch would give plain SGD one.
    has_momentum = bool(group.get("momentum")) or len(group.get("betas", ())) == 2
    # torch looks for it among the defaults, which a composed optimizer has none of. That of a
    # schedule-free one says where its weights to evaluate lie, and must stay.
    has_momentum &= bool({"momentum", "betas"} & set(optimizer.defaults))
    has_momentum &= not is_switched(optimizer)
    return OneCycleLR(
        optimizer,
        max_lr=[g["lr"] for g in optimizer.param_groups],
        total_steps=max(2, num_total),
        pct_start=pct_start,
        div_factor=div_factor,
        final_div_factor=final_div_factor,
        cycle_momentum=cycle_momentum and has_momentum,
    )


def inverse_sqrt(optimizer: Optimizer, num_total: int, *, num_warmup: int = 100) -> LRScheduler:
    """alpha_k = alpha_0 min((k + 1) / w, sqrt(w / (k + 1))), w = num_warmup.

    Vaswani et al. 2017, "Attention is all you need", equation 3, scaled so that alpha_0 is its
    peak.

    Args:
        num_warmup: intervals of the rise, at least 1; 4,000 in the paper.
    """
    if num_warmup < 1:
        raise ValueError(f"num_warmup={num_warmup}: give a whole number of at least 1")
    return LambdaLR(optimizer, lambda k: min((k + 1) / num_warmup, math.sqrt(num_warmup / (k + 1))))


def plateau(
    optimizer: Optimizer,
    num_total: int,
    *,
    factor: float = 0.1,
    patience: int = 3,
    threshold: float = 1e-4,
    cooldown: int = 0,
    min_lr: float = 0.0,
) -> LRScheduler:
    """alpha <- factor alpha after more than `patience` epochs in which the loss did not fall.

    The loss is val/loss, or train/loss in a run without validation; torch's ReduceLROnPlateau.

    Args:
        factor: of a drop, above 0 and below 1.
        patience: epochs (with a validation) without a fall that are waited for, at least 0.
        threshold: by what part the loss must fall to count.
        cooldown: epochs after a drop that do not count.
        min_lr: the lowest rate.
    """
    if not 0 < factor < 1:
        raise ValueError(f"factor={factor}: give a number between 0 and 1")
    if patience < 0 or cooldown < 0 or not min_lr >= 0:
        raise ValueError(
            f"patience={patience} cooldown={cooldown} min_lr={min_lr}: give numbers of at least 0"
        )
    return ReduceLROnPlateau(
        optimizer,
        factor=factor,
        patience=patience,
        threshold=threshold,
        cooldown=cooldown,
        min_lr=min_lr,
    )


def check_part(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name}={value}: give a number from 0 to 1")


def depends_on_total(make: Callable[[Optimizer, int], LRScheduler]) -> bool:
    """Return whether a schedule is laid out over the whole run, found by trying two lengths."""
    rates: list[list[float]] = []
    for num_total in (40, 80):
        optimizer = SGD([Parameter(torch.zeros(1))], lr=1.0)
        scheduler = make(optimizer, num_total)
        if isinstance(scheduler, ReduceLROnPlateau):
            return False
        rates.append([])
        for _ in range(num_total // 2):
            optimizer.step()
            scheduler.step()
            rates[-1].append(optimizer.param_groups[0]["lr"])
    return rates[0] != rates[1][: len(rates[0])]
