"""Weights of classes against torch, scikit-learn, and sums over points."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from experiments.catalogue.class_weights import balanced, mass_of
from experiments.catalogue.losses import NLL, CrossEntropy, Focal, MultiMargin
from experiments.training.evaluation import Evaluation
from experiments.training.metrics import RunningMeans

DRAWS = torch.Generator().manual_seed(0)
Z = torch.randn(30, 3, generator=DRAWS, dtype=torch.float64)
Y = torch.randint(0, 3, (30,), generator=DRAWS)
W = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
MIXED = torch.rand(30, 3, generator=DRAWS, dtype=torch.float64).softmax(1)
SMOOTH = CrossEntropy(label_smoothing=0.2, weight=W).double()


def loss_of(kind: type[nn.Module], **values: object) -> nn.Module:
    return kind(weight=W.tolist(), **values).double()


@pytest.mark.parametrize("counts", [[6, 2], [1, 1, 1], [1000, 3, 20, 7]])
def test_balanced_weights_are_those_of_scikit_learn(counts: list[int]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    theirs = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
    assert balanced(counts) == pytest.approx(theirs)
    # All classes then weigh alike, and all points together as much as without weights.
    each = [weight * count for weight, count in zip(balanced(counts), counts, strict=True)]
    assert each == pytest.approx([sum(counts) / len(counts)] * len(counts))


def test_weighted_losses_are_those_of_torch() -> None:
    for targets in (Y, MIXED):
        ours, theirs = loss_of(CrossEntropy)(Z, targets), F.cross_entropy(Z, targets, W)
        torch.testing.assert_close(ours, theirs)
        torch.testing.assert_close(loss_of(NLL)(Z.log_softmax(1), targets), theirs)
        torch.testing.assert_close(loss_of(Focal, gamma=0.0)(Z, targets), theirs)
    torch.testing.assert_close(SMOOTH(Z, Y), F.cross_entropy(Z, Y, W, label_smoothing=0.2))
    ours = loss_of(MultiMargin, p=2, margin=0.5)(Z, Y)
    torch.testing.assert_close(ours, F.multi_margin_loss(Z, Y, 2, 0.5, W))


def test_weighted_focal_loss_is_its_sum_over_points() -> None:
    p = Z.softmax(1)[torch.arange(30), Y]
    by_hand = (W[Y] * (1 - p) ** 2 * -p.log()).sum() / W[Y].sum()
    torch.testing.assert_close(loss_of(Focal, gamma=2.0)(Z, Y), by_hand)


def test_equal_weights_change_nothing_but_a_plain_mean() -> None:
    for kind, factor in ((CrossEntropy, 1.0), (Focal, 1.0), (MultiMargin, 2.0)):
        weighted = kind(weight=[2.0] * 3).double()(Z, Y)
        torch.testing.assert_close(weighted, factor * kind()(Z, Y))


@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (loss_of(CrossEntropy), Y), (loss_of(CrossEntropy), MIXED), (SMOOTH, Y),
        (loss_of(Focal), Y), (loss_of(MultiMargin), Y), (CrossEntropy(), Y),
    ],
)  # fmt: skip
def test_the_loss_of_a_whole_comes_out_of_its_batches(loss: nn.Module, targets: torch.Tensor) -> None:  # fmt: skip
    whole, mass = loss(Z, targets), mass_of(loss)
    means = RunningMeans("classification", 3, mass)
    evaluation = Evaluation("classification", 3, mass=mass)
    evaluation.reset(torch.device("cpu"))
    for outputs, part in zip(Z.split([1, 4, 18, 7]), targets.split([1, 4, 18, 7]), strict=True):
        means.update(loss(outputs, part), outputs, part)
        if not part.is_floating_point():  # which validation never sees
            evaluation.update(loss(outputs, part), outputs, part)
    assert means.compute()["loss"] == pytest.approx(whole.item(), rel=1e-12)
    if targets is Y:
        assert evaluation.compute()["loss"] == pytest.approx(whole.item(), rel=1e-12)


def test_means_go_on_from_a_checkpoint_amid_an_epoch() -> None:
    loss = loss_of(CrossEntropy)
    whole, first, second = (RunningMeans("classification", 3, mass_of(loss)) for _ in range(3))
    parts = list(zip(Z.split(10), Y.split(10), strict=True))
    for number, (outputs, targets) in enumerate(parts):
        value = loss(outputs, targets)
        whole.update(value, outputs, targets)
        if number == 1:
            second.load(first.state())
        (first if number < 1 else second).update(value, outputs, targets)
    assert second.compute() == whole.compute()
    # Sums of two ranks make those of the whole.
    third = RunningMeans("classification", 3, mass_of(loss))
    third.update(loss(*parts[0]), *parts[0])
    rest = RunningMeans("classification", 3, mass_of(loss))
    for part in parts[1:]:
        rest.update(loss(*part), *part)
    total = third.compute(lambda state: state + rest.state())
    assert total == pytest.approx(whole.compute(), rel=1e-12)


def test_which_losses_divide_by_weights() -> None:
    of_torch = mass_of(nn.CrossEntropyLoss(W))
    assert of_torch is not None
    assert of_torch(Y).item() == pytest.approx(sum(W[y].item() for y in Y))
    assert mass_of(nn.BCEWithLogitsLoss(weight=W)) is None
    assert mass_of(CrossEntropy()) is None
    assert mass_of(loss_of(MultiMargin)) is None
    with pytest.raises(ValueError, match="weight=balanced: give none, or one number"):
        CrossEntropy(weight="balanced")
