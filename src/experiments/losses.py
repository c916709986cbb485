"""Losses: L(theta) = 1/|D| sum over (x, y) in D of l(theta; x, y), a mean over data points.

Every class says which tasks it fits (`tasks`) and what it takes from the network's output
(`takes`); `check_fit` holds both against the data and phi_out. A pair that does not fit, such as
softmax into cross-entropy, is an error and never a silent double softmax.

Shape letters: B batch, K classes.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from experiments.activations import PHI_OUT
from experiments.errors import user_error

TASKS = ("classification", "regression")


def match_targets(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return targets in the shape of the outputs: class numbers become one-hot rows.

    Shapes: outputs (B, K), targets (B,) of integers -> (B, K); targets (B, K) stay as they are.
    """
    if targets.is_floating_point():
        return targets
    return F.one_hot(targets, outputs.shape[1]).to(outputs.dtype)


class CrossEntropy(nn.CrossEntropyLoss):
    """Cross-entropy of the softmax of logits: l = -log softmax(z)_y.

    Takes logits (B, K) and class numbers (B,); label_smoothing as in torch.nn.CrossEntropyLoss.
    """

    takes: ClassVar[str] = "logits"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def __init__(self, label_smoothing: float = 0.0) -> None:
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing={label_smoothing}: give a number from 0 to 1")
        super().__init__(label_smoothing=label_smoothing)

    def scores(self, outputs: Tensor) -> Tensor:
        """Return the probability of each class."""
        return outputs.softmax(dim=1)


class NLL(nn.NLLLoss):
    """Negative log-likelihood: l = -log p_y. Takes log-probabilities (B, K), class numbers (B,)."""

    takes: ClassVar[str] = "log-probabilities"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def __init__(self) -> None:
        super().__init__()

    def scores(self, outputs: Tensor) -> Tensor:
        """Return the probability of each class."""
        return outputs.exp()


class BCEWithLogits(nn.Module):
    """Binary cross-entropy of every output by itself, against one-hot targets.

    l = -1/K sum_k [t_k log s(z_k) + (1 - t_k) log(1 - s(z_k))], s the sigmoid.

    Takes logits (B, K) and class numbers (B,).
    """

    takes: ClassVar[str] = "logits"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(outputs, match_targets(outputs, targets))

    def scores(self, outputs: Tensor) -> Tensor:
        """Return the probability of each class by itself; they need not sum to 1."""
        return outputs.sigmoid()


class MSE(nn.Module):
    """Mean squared error: l = 1/K sum_k (y_k - t_k)^2, as torch's MSELoss.

    Takes values (B, K); on classes t is the one-hot row of the class (Brier's target), on
    regression the target itself.
    """

    takes: ClassVar[str] = "values"
    tasks: ClassVar[tuple[str, ...]] = TASKS

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.mse_loss(outputs, match_targets(outputs, targets))


def check_fit(loss: nn.Module, loss_name: str, phi_out: str, task: str, data_name: str) -> None:
    """Raise UserError unless `loss` fits the task and takes what `phi_out` gives."""
    tasks = getattr(loss, "tasks", TASKS)
    if task not in tasks:
        instead = "mse" if task == "regression" else "cross_entropy"
        raise user_error(
            "loss_task", loss=loss_name, data=data_name, task=task, fits=tasks[0], instead=instead
        )
    takes = getattr(loss, "takes", None)
    if task == "regression" and phi_out != "identity":
        raise user_error("regression_phi_out", given=phi_out)
    gives = PHI_OUT[phi_out].gives
    if takes is not None and takes not in gives:
        fitting = next(name for name, phi in PHI_OUT.items() if takes in phi.gives)
        other = {"log-probabilities": "nll", "probabilities": "mse"}.get(gives[0])
        raise user_error(
            "loss_output",
            loss=loss_name,
            takes=takes,
            phi_out=phi_out,
            gives=" or ".join(gives),
            instead_phi_out=fitting,
            or_loss=f" or loss={other}" if other and task == "classification" else "",
        )
