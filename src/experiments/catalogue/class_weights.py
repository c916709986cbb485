"""Weights of classes in a loss: a point of class k counts w_k times.

A weighted mean is one over the points that are asked about: sum w_y l / sum w_y. Those of batches
make that of a whole, where each counts by the sum of its weights and not by its points; whoever
averages a loss over batches asks `mass_of` for it.

Shape letters: B batch, N points, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

NONE, BALANCED = "none", "balanced"

Weight = str | Sequence[float] | Tensor | None
"""`none`, or one number for each class."""

Mass = Callable[[Tensor], Tensor]
"""How much points count together, by their targets: (B,) or (B, K) -> ()."""


def tensor_of(weight: Weight) -> Tensor | None:
    """Return weights (K,) in torch's default type; None for none.

    Raises:
        ValueError: a word that only a run can make numbers of, which knows the training labels.
    """
    if weight is None or (isinstance(weight, str) and weight == NONE):
        return None
    if isinstance(weight, str):
        raise ValueError(f"weight={weight}: give none, or one number for each class")
    return torch.as_tensor(weight, dtype=torch.get_default_dtype())


def balanced(counts: Sequence[int]) -> list[float]:
    """Return w_k = n / (K n_k), with which all classes count alike: scikit-learn's `balanced`.

    After King & Zeng 2001, "Logistic regression in rare events data", Political Analysis 9, section
    4, which weighs two classes by their shares.

    Args:
        counts: n_k, the points of each class, all above 0.

    >>> balanced([6, 2])
    [0.6666666666666666, 2.0]
    """
    return [sum(counts) / (len(counts) * count) for count in counts]


def mean_over_points(parts: Tensor, targets: Tensor, weight: Tensor | None) -> Tensor:
    """Return the mean of losses that stand in the columns of their classes.

    Of class numbers it is weighted, of mixtures of classes it is one over the points, as in torch's
    cross-entropy.

    Shapes: parts (B, K), targets (B,) or (B, K), weight (K,).
    """
    if weight is None:
        return parts.sum(dim=1).mean()
    weighted = (parts * weight).sum(dim=1)
    if targets.is_floating_point():
        return weighted.mean()
    return weighted.sum() / weight[targets].sum()


def mass_of(loss: nn.Module) -> Mass | None:
    """Return what a loss divides by in its mean over points; None of one that counts them.

    Torch's multi_margin does so with weights too.
    """
    weight = getattr(loss, "weight", None)
    is_of_classes = isinstance(weight, Tensor) and weight.dim() == 1
    if not is_of_classes or not takes_class_weights(type(loss)):
        return None
    if isinstance(loss, nn.MultiMarginLoss):
        return None

    def mass(targets: Tensor) -> Tensor:
        own = cast("Tensor", loss.weight)  # of now: it moves with the module
        return own.new_tensor(len(targets)) if targets.dim() > 1 else own[targets].sum()

    return mass


def takes_class_weights(kind: object) -> bool:
    """Return whether `weight` of a loss is one of classes: of torch's own, of what derives from
    them, and of what says `weighs_classes`.
    """
    of_torch = (nn.CrossEntropyLoss, nn.NLLLoss, nn.MultiMarginLoss)
    is_of_torch = isinstance(kind, type) and issubclass(kind, of_torch)
    return is_of_torch or bool(getattr(kind, "weighs_classes", False))
