"""Losses: means over data points, against loops over points."""

from __future__ import annotations

import math

import pytest
import torch
from running import plain

from experiments.building import build_module
from experiments.data.sources import DataSpec
from experiments.errors import UserError
from experiments.losses import MSE, NLL, BCEWithLogits, CrossEntropy

CLASSES = DataSpec((1, 8, 8), 3, "classification", ("a", "b", "c"))
VALUES = DataSpec((4,), 2, "regression")

Z = torch.randn(7, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.tensor([0, 1, 2, 2, 1, 0, 2])


def sigmoid(z: float) -> float:
    return 1 / (1 + math.exp(-z))


def one_point(loss: str, z: list[float], y: int) -> float:
    if loss == "cross_entropy":
        return -math.log(math.exp(z[y]) / sum(math.exp(v) for v in z))
    targets = [float(k == y) for k in range(len(z))]
    if loss == "mse":
        return sum((v - t) ** 2 for v, t in zip(z, targets, strict=True)) / len(z)
    terms = [
        t * math.log(sigmoid(v)) + (1 - t) * math.log(1 - sigmoid(v))
        for v, t in zip(z, targets, strict=True)
    ]
    return -sum(terms) / len(z)


@pytest.mark.parametrize(
    ("name", "loss"), [("cross_entropy", CrossEntropy()), ("mse", MSE()), ("bce", BCEWithLogits())]
)
def test_equals_a_loop_over_points(name: str, loss: torch.nn.Module) -> None:
    want = sum(one_point(name, z, y) for z, y in zip(Z.tolist(), Y.tolist(), strict=True)) / len(Y)
    assert loss(Z, Y).item() == pytest.approx(want)


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
    with pytest.raises(UserError) as caught:
        build_module(config, spec)
    assert said in str(caught.value)
