"""One optimizer for the matrices of a network and AdamW for the rest, as one optimizer.

Muon and its kin move a matrix by an orthogonal one, and have no rule for biases, normalisation
or the output layer.

Shape letters: O output channels, I input channels, F a kernel's size.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer


class SplitOptimizer(Optimizer):
    """Two optimizers in one: schedules, checkpoints and the training loop see a single one.

    Args:
        matrices: parameters of two or more dimensions; a kernel (O, I, F, ...) is stepped as the
            matrix (O, I F ...).
        rest: all other parameters, or groups of them.
        make: called with the matrices, returns their optimizer.
        shared: AdamW's lr and weight_decay, those of the matrices, so that one schedule serves
            both.
    """

    def __init__(
        self,
        matrices: list[nn.Parameter],
        rest: list[Any],
        make: Callable[[list[nn.Parameter]], Optimizer],
        shared: Mapping[str, Any],
    ) -> None:
        self.matrices = matrices
        self.views = [nn.Parameter(as_matrix(p.detach(), p)) for p in matrices]
        devices = {p.device.type for p in matrices}
        self.parts = (make(self.views), AdamW(rest, **shared, fused=devices <= {"cpu", "cuda"}))
        super().__init__(matrices, {})
        # The groups of both, so that a schedule which changes their lr changes it for both.
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for parameter in self.matrices:
            parameter.grad = None
        self.parts[1].zero_grad(set_to_none)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        for view, parameter in zip(self.views, self.matrices, strict=True):
            # Anew at each step, since a device or a layout may have changed where the numbers lie.
            view.data = as_matrix(parameter.detach(), parameter)
            view.grad = None if parameter.grad is None else as_matrix(parameter.grad, parameter)
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        return {"matrices": self.parts[0].state_dict(), "rest": self.parts[1].state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for part, key in zip(self.parts, ("matrices", "rest"), strict=True):
            part.load_state_dict(state_dict[key])
        self.param_groups = [group for part in self.parts for group in part.param_groups]


def as_matrix(tensor: Tensor, parameter: Tensor) -> Tensor:
    """Return a parameter, or its gradient, as a matrix of one row per output channel.

    Columns stand in the order in which the parameter lies in memory, which is another where
    channels are innermost; the order is no matter to a rule that is alike in all columns.

    Shapes: (O, I, F, ...) -> (O, I F ...); of the parameter itself a view of its numbers.
    """
    inner = sorted(range(1, parameter.dim()), key=parameter.stride, reverse=True)
    moved = tensor.permute(0, *inner)
    return moved.reshape(len(moved), -1)
