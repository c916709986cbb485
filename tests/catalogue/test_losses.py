"""Losses: means over data points, against loops over points."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from running import plain

from experiments.catalogue.losses import (
    MAE,
    MSE,
    NLL,
    BCEWithLogits,
    Brier,
    CrossEntropy,
    Focal,
    Huber,
    MultiMargin,
)
from experiments.data.sources import DataSpec
from experiments.errors.messages import UserError
from experiments.training.build import build_module

CLASSES = DataSpec((1, 8, 8), 3, "classification", ("a", "b", "c"))
VALUES = DataSpec((4,), 2, "regression")

Z = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.tensor([0, 1, 2, 2, 1, 0, 2])


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def one_point(loss: str, z: list[float], y: int) -> float:
    if loss == "cross_entropy":
        return -math.log(math.exp(z[y]) / sum(math.exp(v) for v in z))
    if loss == "smoothed":  # a tenth of the target spread over the classes
        log_p = [v - math.log(sum(math.exp(w) for w in z)) for v in z]
        return -0.9 * log_p[y] - 0.1 * sum(log_p) / len(z)
    if loss == "focal":
        p = math.exp(z[y]) / sum(math.exp(v) for v in z)
        return -((1 - p) ** 2) * math.log(p)
    if loss == "multi_margin":
        return sum(max(0.0, 1 - z[y] + v) for k, v in enumerate(z) if k != y) / len(z)
    targets = [float(k == y) for k in range(len(z))]
    errors = [v - t for v, t in zip(z, targets, strict=True)]
    if loss == "mae":
        return sum(map(abs, errors)) / len(z)
    if loss == "huber":
        return sum(e * e / 2 if abs(e) <= 0.5 else 0.5 * (abs(e) - 0.25) for e in errors) / len(z)
    if loss == "brier":
        return sum(e * e for e in errors)
    if loss == "mse":
        return sum((v - t) ** 2 for v, t in zip(z, targets, strict=True)) / len(z)
    terms = [
        t * math.log(sigmoid(v)) + (1 - t) * math.log(1 - sigmoid(v))
        for v, t in zip(z, targets, strict=True)
    ]
    return -sum(terms) / len(z)


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("cross_entropy", CrossEntropy()),
        ("smoothed", CrossEntropy(label_smoothing=0.1)),
        ("mse", MSE()),
        ("bce", BCEWithLogits()),
        ("mae", MAE()),
        ("huber", Huber(delta=0.5)),
        ("focal", Focal(gamma=2.0)),
        ("multi_margin", MultiMargin()),
        ("brier", Brier()),
    ],
)
def test_equals_a_loop_over_points(name: str, loss: torch.nn.Module) -> None:
    want = sum(one_point(name, z, y) for z, y in zip(Z.tolist(), Y.tolist(), strict=True)) / len(Y)
    assert loss(Z, Y).item() == pytest.approx(want)


def test_brier_scores_of_forecasts() -> None:
    # Sure and right 0, sure and wrong 2, and no idea between two classes 1/2: Brier 1950.
    p = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5]])
    scores = [Brier()(p[i : i + 1], torch.tensor([y])).item() for i, y in enumerate((0, 1, 0))]
    assert scores == pytest.approx([0.0, 2.0, 0.5])


def test_focal_without_gamma_is_cross_entropy_and_its_gradient_never_ends() -> None:
    torch.testing.assert_close(Focal(gamma=0.0)(Z, Y), CrossEntropy()(Z, Y))
    for gamma in (0.5, 2.0):
        sure = torch.tensor([[200.0, -200.0]], requires_grad=True)
        Focal(gamma=gamma)(sure, torch.tensor([0])).backward()
        assert sure.grad is not None
        assert sure.grad.isfinite().all()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Huber(delta=0), "delta=0"),
        (lambda: Focal(gamma=-1), "gamma=-1"),
        (lambda: MultiMargin(p=3), "p=3"),
        (lambda: MultiMargin(margin=0), "margin=0"),
    ],
)
def test_values_that_make_no_loss_are_refused(make: Callable, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


def test_nll_of_log_softmax_is_cross_entropy() -> None:
    torch.testing.assert_close(NLL()(Z.log_softmax(1), Y), CrossEntropy()(Z, Y))


def test_mse_on_values_is_plain() -> None:
    targets = torch.randn(7, 3, dtype=torch.float64)
    torch.testing.assert_close(MSE()(Z, targets), ((Z - targets) ** 2).mean())


def test_the_loss_of_a_whole_is_the_mean_over_its_parts_weighed_by_size() -> None:
    for loss in (CrossEntropy(), MSE(), BCEWithLogits()):
        parts = 3 / 7 * loss(Z[:3], Y[:3]) + 4 / 7 * loss(Z[3:], Y[3:])
        torch.testing.assert_close(parts, loss(Z, Y))


FITS = [
    ("cross_entropy", "identity", CLASSES, None),
    ("cross_entropy", "softmax", CLASSES, "loss=cross_entropy takes logits, but model.phi_out=sof"),
    ("cross_entropy", "log_softmax", CLASSES, "Try model.phi_out=identity or loss=nll"),
    ("cross_entropy", "sigmoid", CLASSES, "gives probabilities or values"),
    ("bce_with_logits", "identity", CLASSES, None),
    ("bce_with_logits", "sigmoid", CLASSES, "takes logits"),
    ("nll", "log_softmax", CLASSES, None),
    ("nll", "identity", CLASSES, "Try model.phi_out=log_softmax"),
    ("mse", "softmax", CLASSES, None),
    ("brier", "softmax", CLASSES, None),
    ("brier", "sigmoid", CLASSES, None),
    ("brier", "identity", CLASSES, "takes probabilities.*Try model.phi_out=softmax"),
    ("brier", "identity", VALUES, "loss=brier does not fit"),
    ("mae", "identity", VALUES, None),
    ("huber", "identity", VALUES, None),
    ("focal", "identity", VALUES, "Try loss=mse"),
    ("multi_margin", "softmax", CLASSES, "loss=multi_margin takes logits"),
    ("mse", "sigmoid", CLASSES, None),
    ("mse", "identity", CLASSES, None),
    ("mse", "log_softmax", CLASSES, "takes values"),
    ("mse", "identity", VALUES, None),
    (
        "cross_entropy",
        "identity",
        VALUES,
        "loss=cross_entropy does not fit data=digits, which is a",
    ),
]


@pytest.mark.parametrize(("loss", "phi_out", "spec", "said"), FITS)
def test_a_loss_fits_what_phi_out_gives(
    loss: str, phi_out: str, spec: DataSpec, said: str | None
) -> None:
    config = plain("model=mlp", f"loss={loss}", f"model.phi_out={phi_out}")
    if said is None:
        build_module(config, spec)
        return
    with pytest.raises(UserError, match=said):
        build_module(config, spec)
