"""The minimum of a function of a few variables."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def minimum_of(loss: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """Return the argmin near `start`, (N,), by L-BFGS (torch's, with a line search).

    Args:
        loss: of theta, (N,) -> (), differentiable.
        start: where the search begins.
    """
    theta = start.clone()
    optimizer = torch.optim.LBFGS(
        [theta],
        max_iter=200,
        tolerance_grad=1e-12,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        point = theta.detach().clone().requires_grad_()
        value = loss(point)
        theta.grad = torch.autograd.grad(value, point)[0]
        return value.detach()

    optimizer.step(closure)
    return theta
