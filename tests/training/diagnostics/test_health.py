"""Runs that really fail, and what is said of them; of those that learn nothing is said."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import pytest
import torch
from running import plain

from experiments.training.diagnostics.health import is_affine, loss_of_constant
from experiments.training.diagnostics.reasons import Finding, reason
from experiments.training.load import Run
from experiments.training.run_parts import build_run

MLP = ["model=mlp", "model.hidden=[32]", "trainer.max_epochs=3"]


def health_of(run: Run) -> str:
    """Return the line of the record."""
    assert run.record["status"] == "completed"
    line = run.record["health"]
    assert line is not None, run.record["metrics"]
    return line


def test_a_deep_sigmoid_network_is_told_that_its_gradient_vanishes(
    train_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = train_run(
        "model=mlp", "model.hidden=[32,32,32,32,32,32,32,32]", "activation=sigmoid", "optim=sgd",
        "optim.lr=0.1", "trainer.max_epochs=2",
    )  # fmt: skip
    line = health_of(run)
    assert line.startswith("not learned: accuracy 0.")
    assert "the gradient vanishes: at layers.0 it is" in line
    assert "of that at head" in line
    assert "not learned" in capsys.readouterr().out


def test_a_relu_network_with_a_learning_rate_far_too_high_has_dead_units(
    train_run: Callable[..., Run],
) -> None:
    line = health_of(train_run(*MLP, "model.hidden=[32,32]", "optim=sgd", "optim.lr=100"))
    assert re.search(r"dead units: \d+% of layers\.\d are 0 at every point", line)
    assert "try one below 100" in line


def test_a_learning_rate_that_is_far_too_low_is_told(train_run: Callable[..., Run]) -> None:
    run = train_run(*MLP, "optim.lr=1e-8")
    line = health_of(run)
    assert "a learning rate that is too low, or too few steps: one changes the weights by" in line
    assert "there were 63; try one above 1e-08" in line


def test_a_schedule_that_ends_at_0_is_not_taken_for_a_low_learning_rate(
    train_run: Callable[..., Run],
) -> None:
    """Measured with the highest rate of the schedule; that of the last step is 0."""
    run = train_run(*MLP, "optim.lr=1e-8", "scheduler=cosine", "scheduler.interval=step")
    assert "try one above 1e-08" in health_of(run)


def test_a_regression_that_is_no_better_than_the_mean_is_told(
    train_run: Callable[..., Run],
) -> None:
    run = train_run("data=diabetes", *MLP, "loss=mse", "optim.lr=1e-8", "trainer.max_epochs=9")
    assert "where always giving the mean of the targets has 0" in health_of(run)
    assert "too low" in health_of(run)


@pytest.mark.parametrize(
    "overrides",
    [
        [*MLP],
        [*MLP, "activation=sigmoid", "trainer.max_epochs=5"],
        ["data=diabetes", "model=linear", "loss=mse", "optim.lr=0.1"],
        ["data=moons", "model=linear", "loss=multi_margin"],
    ],
)
def test_of_runs_that_learn_nothing_is_said(
    overrides: list[str], train_run: Callable[..., Run]
) -> None:
    run = train_run(*overrides)
    assert run.record["health"] is None


def test_the_trial_step_is_taken_back(train_run: Callable[..., Run]) -> None:
    """What is tested without a reload, and what a notebook goes on with, are the last weights."""
    from experiments.training.diagnostics import health
    from experiments.training.recording import Outcome
    from experiments.training.run import fit_and_test

    config = plain("logger=none", "progress=none", *MLP, "optim.lr=1e-8", "test=false")
    prepared = build_run(config)
    seen = {}
    original = health.diagnosis

    def spied(trainer, module, data):  # type: ignore[no-untyped-def]
        seen.update({n: v.clone() for n, v in module.state_dict().items()})
        lr = trainer.optimizers[0].param_groups[0]["lr"]
        line = original(trainer, module, data)
        assert trainer.optimizers[0].param_groups[0]["lr"] == lr
        return line

    outcome = Outcome()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(health, "diagnosis", spied)
        fit_and_test(prepared, None, outcome)
    assert outcome.health is not None
    for name, value in prepared.module.state_dict().items():
        assert torch.equal(value, seen[name]), name


def test_the_best_constant_of_cross_entropy_is_the_entropy() -> None:
    prepared = build_run(plain("model=linear", "logger=none"))
    targets = prepared.datamodule.train.targets
    p = torch.bincount(targets).double() / len(targets)
    entropy = float(-(p * p.log()).sum())
    assert loss_of_constant(prepared.module, targets) == pytest.approx(entropy, rel=1e-5)
    # Of the Brier score it is sum p (1 - p).
    brier = build_run(plain("model=linear", "loss=brier", "model.phi_out=softmax", "logger=none"))
    constant = loss_of_constant(brier.module, targets)
    assert constant == pytest.approx(float((p * (1 - p)).sum()), rel=1e-3)


def finding(**values) -> Finding:  # type: ignore[no-untyped-def]
    usual = {
        "units": {"layers.0": {"dead": 0.0, "saturated": 0.3}},
        "is_bounded": frozenset(),
        "gradients": {"layers.0": 1.0, "head": 1.0},
        "ratios": {"layers.0": 1e-3, "head": 1e-3},
        "lr": 0.1,
        "steps": 1000,
    }
    return Finding(**{**usual, **values})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "No single reason shows"),
        ({"units": {}, "gradients": {"head": 1.0}, "is_affine": True}, "The model has no hidden"),
        ({"units": {}, "is_affine": True}, "its layers are one linear map"),
        # A network of somebody else's, whose activations are not known by their place.
        ({"units": {}}, "No single reason shows"),
        # Five layers of sigmoid on MNIST-1D.
        ({"gradients": {"layers.0": 0.00125, "head": 1.0}}, "at layers.0 it is 0.001 of that"),
        ({"gradients": {"layers.0": 0.0064, "head": 1.0}}, "the gradient vanishes"),
        ({"gradients": {"layers.0": 0.065, "head": 1.0}}, "No single reason shows"),
        ({"units": {"layers.1": {"dead": 0.95, "saturated": 1.0}}}, "dead units: 95% of layers.1"),
        ({"ratios": {"head": 3.0}}, "too high: a step changes the weights of head by 3 of their"),
        (
            {
                "units": {"layers.0": {"dead": 0.0, "saturated": 0.8}},
                "is_bounded": frozenset(["layers.0"]),
            },
            "saturation: 80% of the outputs of layers.0 are at a bound",
        ),
        ({"units": {"layers.0": {"dead": 0.0, "saturated": 0.8}}}, "No single reason shows"),
        ({"gradients": {"layers.0": 1e-6, "head": 1.0}}, "vanishes: at layers.0 it is 1e-06 of"),
        ({"ratios": {"head": 1e-7, "layers.0": math.nan}}, "that is too low, or too few steps"),
    ],
)
def test_the_first_reason_that_holds_is_given(values: dict, said: str) -> None:
    assert said in reason(finding(**values))


@pytest.mark.parametrize("steps", [1, 7, "auto"])
def test_a_run_that_diverges_says_where(steps: object, train_run: Callable[..., Run]) -> None:
    """The same step for any number of steps at once, with all that led to it."""
    run = train_run(
        *MLP, "model.hidden=[32,32]", "optim=sgd", "optim.lr=1e6", "loss=mse",
        f"steps_per_execution={steps}",
    )  # fmt: skip
    assert run.record["status"] == "diverged"
    found = re.fullmatch(
        r"the training loss was (nan|inf) at step (\d+) \(epoch 1, lr 1e\+06\), after \S+; "
        r"not finite first: (.+)",
        run.record["error"],
    )
    assert found, run.record["error"]
    assert found[3].startswith(("the activations of", "the weights of", "the loss of"))
    assert run.record["steps"] == int(found[2]) - 1
    assert run.record["steps"] < 21
    assert run.record["health"] is None


def test_where_losses_are_not_read_the_epoch_tells(
    train_run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, or with several ranks."""
    monkeypatch.setattr("experiments.training.steps.Steps.is_broken", lambda *arguments: False)
    run = train_run(*MLP, "optim=sgd", "optim.lr=1e6", "loss=mse")
    assert re.fullmatch(
        r"the training loss was (nan|inf) in epoch 1; not finite: the weights of layers\.0 "
        r"and of 1 other layer",
        run.record["error"],
    )


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["model=mlp", "activation=identity"], "its layers are one linear map"),
        (["model=mlp", "activation=identity", "model.hidden=[8]", "seed=3"], "one linear map"),
        (["model=linear", "seed=1"], "has no hidden layer"),
    ],
)
def test_a_linear_network_is_told_as_what_it_is(
    train_run: Callable[..., Run], overrides: list[str], said: str
) -> None:
    config = ("data=xor", "trainer.max_epochs=2", "data.batch_size=32", "optim.lr=0.003")
    run = train_run(*config, *overrides)
    assert run.record["health"] is not None
    assert said in run.record["health"]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["model=linear"], True),
        (["model=mlp", "activation=identity", "model.norm=batch"], True),
        (["model=mlp", "activation=identity", "loss=brier", "model.phi_out=softmax"], True),
        (["model=mlp", "activation=sigmoid"], False),
        (["model=mlp", "activation=identity", "model.norm=layer"], False),
    ],
)
def test_affine_networks_are_known(overrides: list[str], expected: bool) -> None:
    network = build_run(plain("data=moons", "logger=none", *overrides)).module.network.eval()
    x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    assert is_affine(network, x) == expected
