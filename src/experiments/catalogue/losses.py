"""Losses: L(theta) = 1/|D| sum over (x, y) in D of l(theta; x, y), a mean over data points.

Every class says which tasks it fits (`tasks`) and what it takes from the network's output
(`takes`); `check_fit` holds both against the data and phi_out. A pair that does not fit, such as
softmax into cross-entropy, is an error and never a silent double softmax.

Targets of a classification are class numbers (B,), or, where augmentation mixes points, the
probability of each class (B, K); `takes_mixtures` is False for a loss that cannot be given those.

`scores(outputs)`, of a loss that knows them, are the probabilities of the classes.

`weight` of a loss is one of classes (class_weights.py): a point of class k counts w_k times.

Shape letters: B batch, K classes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.catalogue.activations import PHI_OUT
from experiments.catalogue.class_weights import Weight, mean_over_points, tensor_of
from experiments.errors.messages import user_error

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

    With label smoothing s, l = -(1 - s) log softmax(z)_y - s/K sum_k log softmax(z)_k (Szegedy,
    Vanhoucke, Ioffe, Shlens, Wojna 2016, "Rethinking the Inception architecture for computer
    vision", section 7). Takes logits (B, K) and class numbers (B,).

    With weights of classes the mean is weighted, as torch's: sum w_y l / sum w_y over the points.

    Args:
        label_smoothing: s, from 0 to 1.
        weight: w, one for each class; none for 1 each.
    """

    takes: ClassVar[str] = "logits"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def __init__(self, label_smoothing: float = 0.0, weight: Weight = "none") -> None:
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing={label_smoothing}: give a number from 0 to 1")
        super().__init__(tensor_of(weight), label_smoothing=label_smoothing)

    def scores(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(dim=1)


class NLL(nn.NLLLoss):
    """Negative log-likelihood: l = -log p_y. Takes log-probabilities (B, K), class numbers (B,).

    With weights of classes the mean is weighted, as torch's: sum w_y l / sum w_y over the points.

    Args:
        weight: w, one for each class; none for 1 each.
    """

    takes: ClassVar[str] = "log-probabilities"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def __init__(self, weight: Weight = "none") -> None:
        super().__init__(tensor_of(weight))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        if targets.is_floating_point():
            weighted = targets if self.weight is None else self.weight * targets
            return -(weighted * outputs).sum(dim=1).mean()
        return super().forward(outputs, targets)

    def scores(self, outputs: Tensor) -> Tensor:
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
        return outputs.sigmoid()  # of each class by itself; they need not sum to 1


class MSE(nn.Module):
    """Mean squared error: l = 1/K sum_k (y_k - t_k)^2, as torch's MSELoss.

    Takes values (B, K); on classes t is the one-hot row of the class (Brier's target), on
    regression the target itself.
    """

    takes: ClassVar[str] = "values"
    tasks: ClassVar[tuple[str, ...]] = TASKS

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.mse_loss(outputs, match_targets(outputs, targets))


class MAE(nn.Module):
    """Mean absolute error: l = 1/K sum_k |y_k - t_k|, as torch's L1Loss.

    Takes values (B, K); on classes t is the one-hot row of the class.
    """

    takes: ClassVar[str] = "values"
    tasks: ClassVar[tuple[str, ...]] = TASKS

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.l1_loss(outputs, match_targets(outputs, targets))


class Huber(nn.Module):
    """Huber's loss: e^2 / 2 for |e| <= delta, delta (|e| - delta / 2) beyond; e = y_k - t_k.

    Huber 1964, "Robust estimation of a location parameter", section 3; the mean over the K
    outputs, as torch's HuberLoss. Takes values (B, K); on classes t is the one-hot row.

    Args:
        delta: above 0, in the unit of the outputs (regression targets are standardised).
    """

    takes: ClassVar[str] = "values"
    tasks: ClassVar[tuple[str, ...]] = TASKS

    def __init__(self, delta: float = 1.0) -> None:
        super().__init__()
        if not delta > 0:
            raise ValueError(f"delta={delta}: give a number above 0")
        self.delta = delta

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return F.huber_loss(outputs, match_targets(outputs, targets), delta=self.delta)


class Focal(nn.Module):
    """Focal loss over classes: l = -(1 - p_y)^gamma log p_y, p = softmax(z).

    Lin, Goyal, Girshick, He, Dollár 2017, "Focal loss for dense object detection", ICCV, equation
    4, there for two classes. Takes logits (B, K) and class numbers.

    With weights of classes, alpha of their equation 5, the mean is weighted as that of
    cross-entropy is: sum w_y l / sum w_y over the points.

    Args:
        gamma: at least 0; 0 is cross-entropy.
        weight: w, one for each class; none for 1 each.
    """

    takes: ClassVar[str] = "logits"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    weighs_classes: ClassVar[bool] = True
    weight: Tensor | None

    def __init__(self, gamma: float = 2.0, weight: Weight = "none") -> None:
        super().__init__()
        if not gamma >= 0:
            raise ValueError(f"gamma={gamma}: give a number of at least 0")
        self.gamma = gamma
        self.register_buffer("weight", tensor_of(weight))

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        log_p = outputs.log_softmax(dim=1)
        # 1 - p as expm1: near p = 1 the difference would lose its digits.
        # At p = 1 the power of 0 would have an endless slope for gamma < 1.
        tiny = torch.finfo(log_p.dtype).tiny
        focal = -((-torch.expm1(log_p)).clamp(min=tiny) ** self.gamma) * log_p
        return mean_over_points(match_targets(outputs, targets) * focal, targets, self.weight)

    def scores(self, outputs: Tensor) -> Tensor:
        return outputs.softmax(dim=1)


class MultiMargin(nn.MultiMarginLoss):
    """Hinge loss over classes: l = 1/K sum_{k != y} max(0, margin - z_y + z_k)^p.

    Crammer & Singer 2001 take the largest term; the sum is that of Weston & Watkins 1999, "Support
    vector machines for multi-class pattern recognition", ESANN, as in torch's MultiMarginLoss.
    Takes logits (B, K) and class numbers (B,).

    With weights of classes l is times w_y, and the mean one over the points, as torch's.

    Args:
        p: 1 or 2.
        margin: above 0.
        weight: w, one for each class; none for 1 each.
    """

    takes: ClassVar[str] = "logits"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)
    takes_mixtures: ClassVar[bool] = False

    def __init__(self, p: int = 1, margin: float = 1.0, weight: Weight = "none") -> None:
        if p not in (1, 2) or not margin > 0:
            raise ValueError(f"p={p} margin={margin}: give p=1 or p=2 and a margin above 0")
        super().__init__(p, margin, tensor_of(weight))


class Brier(nn.Module):
    """Brier score: l = sum_k (p_k - t_k)^2, t the one-hot row of the class.

    Brier 1950, "Verification of forecasts expressed in terms of probability", equation 2. Takes
    probabilities (B, K) and class numbers (B,). K times the mean squared error.
    """

    takes: ClassVar[str] = "probabilities"
    tasks: ClassVar[tuple[str, ...]] = ("classification",)

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - match_targets(outputs, targets)).square().sum(dim=1).mean()

    def scores(self, outputs: Tensor) -> Tensor:
        return outputs


def check_fit(
    loss: nn.Module, loss_name: str, phi_out: str | None, task: str, data_name: str
) -> None:
    """Raise UserError unless `loss` fits the task and takes what `phi_out` gives.

    Args:
        phi_out: None of a model without one, whose outputs are what the loss takes them for.
    """
    tasks = getattr(loss, "tasks", TASKS)
    if task not in tasks:
        instead = "mse" if task == "regression" else "cross_entropy"
        raise user_error(
            "loss_task", loss=loss_name, data=data_name, task=task, fits=tasks[0], instead=instead
        )
    if phi_out is None:
        return
    takes = getattr(loss, "takes", None)
    if task == "regression" and phi_out != "identity":
        raise user_error("regression_phi_out", given=phi_out)
    gives = PHI_OUT[phi_out].gives
    if takes is not None and takes not in gives:
        fitting = next(name for name, phi in PHI_OUT.items() if takes in phi.gives)
        other = {"log-probabilities": "nll", "probabilities": "brier"}.get(gives[0])
        raise user_error(
            "loss_output",
            loss=loss_name,
            takes=takes,
            phi_out=phi_out,
            gives=" or ".join(gives),
            instead_phi_out=fitting,
            or_loss=f" or loss={other}" if other and task == "classification" else "",
        )
