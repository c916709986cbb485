"""Members against runs that are trained alone: weights, losses, and what a checkpoint keeps."""

from __future__ import annotations

import pytest
import torch
from members import (
    SEEDS,
    SMALL_MLP,
    compare,
)
from running import choices, plain

from experiments.training.population.membership import why_alone

EXACT = {"rtol": 1e-9, "atol": 1e-9}
ROUNDED = {"rtol": 1e-5, "atol": 2e-6}
"""Of float32: a hundred times its last bit, as sums over a batch are made in another order."""

NEEDED = {
    "brier": ["model.phi_out=softmax"],
    "nll": ["model.phi_out=log_softmax"],
    "onecycle": ["optim=momentum"],
    "siren": ["activation=sine", "optim.lr=0.001"],
    # Its slope is 30: from the network that it was made for, and in small steps.
    "sine": ["init=siren", "optim.lr=0.001"],
}


def can_be_member(*overrides: str) -> bool:
    return why_alone(plain("logger=none", *SMALL_MLP, *overrides)) is None


def members_of(group: str) -> list[str]:
    return [name for name in choices(group) if can_be_member(f"{group}={name}")]


def test_what_cannot_be_a_member_is_told_by_name() -> None:
    alone = {
        group: [name for name in choices(group) if name not in members_of(group)]
        for group in ("activation", "init", "loss", "optim", "scheduler")
    }
    assert alone == {
        "activation": ["rrelu"],
        "init": [],
        "loss": [],
        "optim": ["lbfgs", "pytorch_optimizer"],
        "scheduler": [],
    }
    for group, names in alone.items():
        for name in names:
            reason = why_alone(plain("logger=none", *SMALL_MLP, f"{group}={name}"))
            assert reason is not None
            assert reason.startswith(f"{group}=")


@pytest.mark.parametrize("name", members_of("activation"))
def test_activations(name: str) -> None:
    width = "model.hidden=[8,6]"
    overrides = ("model=mlp", width, f"activation={name}", "optim=sgd", *NEEDED.get(name, []))
    compare(SEEDS, *overrides, num_steps=6, tolerance=EXACT)
    compare(SEEDS, *overrides, num_steps=1, tolerance=ROUNDED, dtype=torch.float32)


@pytest.mark.parametrize("name", members_of("optim"))
def test_optimizers(name: str) -> None:
    lr = plain(f"optim={name}")["optim"]["lr"]
    variants = [("seed=0",), ("seed=1",), ("seed=0", f"optim.lr={lr / 3}")]
    overrides = (*SMALL_MLP, "activation=tanh", f"optim={name}")
    compare(variants, *overrides, num_steps=9, tolerance=EXACT)


@pytest.mark.parametrize("name", members_of("loss"))
def test_losses(name: str) -> None:
    extra = NEEDED.get(name, [])
    overrides = (*SMALL_MLP, f"loss={name}", "activation=tanh", "optim=sgd", *extra)
    compare(SEEDS, *overrides, num_steps=6, tolerance=EXACT)
    compare(SEEDS, *overrides, num_steps=1, tolerance=ROUNDED, dtype=torch.float32)


@pytest.mark.parametrize("name", members_of("scheduler"))
def test_schedules(name: str) -> None:
    variants = [("seed=0",), ("seed=1", "optim.lr=0.05"), ("seed=2",)]
    overrides = (*SMALL_MLP, f"scheduler={name}", "optim=momentum")
    compare(variants, *overrides, num_steps=10, tolerance=EXACT)


@pytest.mark.parametrize("name", members_of("init"))
def test_initialisers(name: str) -> None:
    overrides = (*SMALL_MLP, f"init={name}", "optim=sgd", *NEEDED.get(name, []))
    compare(SEEDS, *overrides, num_steps=6, tolerance=EXACT)
