"""Optimizers: step for step what their formulas say, on a quadratic."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from running import plain
from torch import nn

from experiments.entries import entry
from experiments.errors import UserError
from experiments.optimizer_needs import is_switched, needs_of
from experiments.optimizers import (
    NOT_ARGUMENTS,
    build_optimizer,
    check_values,
    needs_for,
    optimizer_for,
)
from experiments.parameter_groups import by_matrix, kinds_of
from experiments.preparation import prepare
from experiments.runs import Run
from experiments.split_optimizer import SplitOptimizer, as_matrix

A = [1.0, 4.0]
START = [1.0, -2.0]


def path(name: str, num_steps: int = 5) -> list[list[float]]:
    """Return theta after each step on f = 1/2 sum a_i theta_i^2, in float64."""
    config = plain(f"optim={name}")
    bound = entry(config, "optim", NOT_ARGUMENTS, 1)
    theta = nn.Parameter(torch.tensor(START, dtype=torch.float64))
    optimizer = build_optimizer([theta], bound.func, bound.keywords)
    if is_switched(optimizer):
        optimizer.train()
    result = []
    for _ in range(num_steps):
        optimizer.zero_grad()
        (0.5 * torch.tensor(A, dtype=torch.float64) * theta**2).sum().backward()
        optimizer.step()
        result.append(theta.detach().tolist())
    return result


def by_hand(update: Callable[[dict, float, int], float], num_steps: int = 5) -> list[list[float]]:
    """Return the same from a scalar formula: update(state, gradient, step) -> change of theta."""
    theta, states = list(START), [{"a": a} for a in A]
    result = []
    for step in range(1, num_steps + 1):
        for i, a in enumerate(A):
            theta[i] += update(states[i], a * theta[i], step)
        result.append(list(theta))
    return result


def sgd(state: dict, g: float, step: int) -> float:
    return -0.1 * g


def momentum(state: dict, g: float, step: int) -> float:
    state["v"] = 0.9 * state.get("v", 0.0) + g
    return -0.01 * state["v"]


def nesterov(state: dict, g: float, step: int) -> float:
    state["v"] = 0.9 * state.get("v", 0.0) + g
    return -0.01 * (g + 0.9 * state["v"])


def adagrad(state: dict, g: float, step: int) -> float:
    state["s"] = state.get("s", 0.0) + g * g
    return -0.01 * g / (math.sqrt(state["s"]) + 1e-10)


def rmsprop(state: dict, g: float, step: int) -> float:
    state["s"] = 0.9 * state.get("s", 0.0) + 0.1 * g * g
    return -0.001 * g / (math.sqrt(state["s"]) + 1e-8)


def adam(state: dict, g: float, step: int) -> float:
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    m, v = state["m"] / (1 - 0.9**step), state["v"] / (1 - 0.999**step)
    return -0.001 * m / (math.sqrt(v) + 1e-8)


def amsgrad(state: dict, g: float, step: int) -> float:
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    state["largest"] = max(state.get("largest", 0.0), state["v"])
    m, v = state["m"] / (1 - 0.9**step), state["largest"] / (1 - 0.999**step)
    return -0.001 * m / (math.sqrt(v) + 1e-8)


def adamax(state: dict, g: float, step: int) -> float:
    # Kingma & Ba 2015, algorithm 2; torch adds eps to the gradient's size.
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["u"] = max(0.999 * state.get("u", 0.0), abs(g) + 1e-8)
    return -0.002 / (1 - 0.9**step) * state["m"] / state["u"]


def nadam(state: dict, g: float, step: int) -> float:
    # Dozat 2016: mu_t = beta_1 (1 - 0.5 * 0.96^(t * momentum_decay)).
    mu, ahead = (0.9 * (1 - 0.5 * 0.96 ** (t * 0.004)) for t in (step, step + 1))
    state["product"] = state.get("product", 1.0) * mu
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    m = ahead * state["m"] / (1 - state["product"] * ahead)
    m += (1 - mu) * g / (1 - state["product"])
    return -0.002 * m / (math.sqrt(state["v"] / (1 - 0.999**step)) + 1e-8)


def adadelta(state: dict, g: float, step: int) -> float:
    # Zeiler 2012, algorithm 1.
    state["g"] = 0.9 * state.get("g", 0.0) + 0.1 * g * g
    change = -math.sqrt(state.get("x", 0.0) + 1e-6) / math.sqrt(state["g"] + 1e-6) * g
    state["x"] = 0.9 * state.get("x", 0.0) + 0.1 * change * change
    return change


def radam(state: dict, g: float, step: int) -> float:
    # Liu et al. 2020, algorithm 2: below a length of 5 the second moment is not trusted.
    state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    m = state["m"] / (1 - 0.9**step)
    whole = 2 / (1 - 0.999) - 1
    length = whole - 2 * step * 0.999**step / (1 - 0.999**step)
    if length <= 5:
        return -0.001 * m
    above, below = (length - 4) * (length - 2) * whole, (whole - 4) * (whole - 2) * length
    root = math.sqrt(1 - 0.999**step) / (math.sqrt(state["v"]) + 1e-8)
    return -0.001 * m * math.sqrt(above / below) * root


def qhadam(state: dict, g: float, step: int) -> float:
    # Ma & Yarats 2019, equation 8 with nu = (0.7, 1): a weighted mean of gradient and momentum.
    state["m"] = 0.995 * state.get("m", 0.0) + 0.005 * g
    state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
    m, v = state["m"] / (1 - 0.995**step), state["v"] / (1 - 0.999**step)
    return -0.001 * (0.3 * g + 0.7 * m) / (math.sqrt(v) + 1e-8)


def aggmo(state: dict, g: float, step: int) -> float:
    # Lucas et al. 2019, equation 4, as its v <- beta v - g with theta + lr/K sum v.
    state["v"] = [beta * v - g for beta, v in zip(BETAS, state.get("v", [0.0] * 3), strict=True)]
    return 0.01 / 3 * sum(state["v"])


BETAS = (0.0, 0.9, 0.99)


def rprop(state: dict, g: float, step: int) -> float:
    # Riedmiller & Braun 1993: a turn of sign halves the step, and its gradient is forgotten.
    before, size = state.get("g", 0.0), state.get("size", 0.01)
    factor = 1.2 if before * g > 0 else 0.5 if before * g < 0 else 1.0
    state["size"] = min(50.0, max(1e-6, size * factor))
    state["g"] = 0.0 if before * g < 0 else g
    return -math.copysign(state["size"], state["g"]) if state["g"] else 0.0


def schedulefree_sgd(state: dict, g: float, step: int) -> float:
    """Defazio et al. 2024, equations 1 to 3; y, where gradients are taken, is theta."""
    start = state.setdefault("start", None)
    if start is None:
        state["start"] = state["x"] = state["z"] = state["y"] = g / state.pop("a", 1.0)
    state["z"] -= 0.1 * g
    # Equal rates: x is the plain mean of z.
    state["x"] += (state["z"] - state["x"]) / step
    y = 0.1 * state["z"] + 0.9 * state["x"]
    change, state["y"] = y - state["y"], y
    return change


FORMULAS = {
    "amsgrad": amsgrad,
    "adamax": adamax,
    "nadam": nadam,
    "adadelta": adadelta,
    "radam": radam,
    "qhadam": qhadam,
    "aggmo": aggmo,
    "rprop": rprop,
    "schedulefree_sgd": schedulefree_sgd,
    "sgd": sgd,
    "gd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "adagrad": adagrad,
    "rmsprop": rmsprop,
    "adam": adam,
}


@pytest.mark.parametrize("name", FORMULAS)
def test_equals_its_formula_step_for_step(name: str) -> None:
    got, want = path(name), by_hand(FORMULAS[name])
    for a, b in zip(got, want, strict=True):
        assert a == pytest.approx(b, rel=1e-9)


def test_adamw_decays_the_weights_apart_from_the_gradient() -> None:
    # theta <- theta (1 - lr lambda), then Adam's step at the old gradient.
    theta, states = list(START), [{}, {}]
    for (got_0, got_1), step in zip(path("adamw"), range(1, 6), strict=True):
        for i, a in enumerate(A):
            gradient = a * theta[i]
            theta[i] = theta[i] * (1 - 0.001 * 0.01) + adam(states[i], gradient, step)
        assert [got_0, got_1] == pytest.approx(theta, rel=1e-9)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"lr": -0.1}, "optim.lr=-0.1: allowed is a number above 0. Try optim.lr=0.001"),
        ({"lr": 0}, "optim.lr=0: allowed is a number above 0"),
        ({"lr": math.nan}, "optim.lr=nan: allowed is a number above 0"),
        ({"momentum": -1}, "optim.momentum=-1: allowed is a number of at least 0"),
        ({"weight_decay": -1}, "optim.weight_decay=-1: allowed is a number of at least 0"),
    ],
)
def test_numbers_that_no_optimizer_can_use_are_refused(values: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_values(values)


FORMS = {"adam": "fused", "adamw": "fused", "sgd": "fused", "momentum": "fused"}
FORMS |= {"nesterov": "fused", "adagrad": "fused", "gd": "fused", "rmsprop": "foreach"}
FORMS |= {"amsgrad": "fused", "adadelta": "foreach", "nadam": "foreach", "radam": "foreach"}
FORMS |= {"adamax": "foreach", "rprop": "foreach"}


@pytest.mark.parametrize(("name", "form"), FORMS.items())
def test_the_fastest_form_is_taken_and_equals_the_plain_one(name: str, form: str) -> None:
    bound = entry(plain(f"optim={name}"), "optim", NOT_ARGUMENTS, 1)
    results = []
    for choice in ({}, {"foreach": False}):
        weights = [nn.Parameter(torch.linspace(-1, 1, 12).view(4, 3)), nn.Parameter(torch.ones(3))]
        optimizer = build_optimizer(weights, bound.func, bound.keywords | choice)
        assert bool(optimizer.param_groups[0][form]) is not bool(choice)
        generator = torch.Generator().manual_seed(0)
        for _ in range(20):
            for weight in weights:
                weight.grad = torch.randn(weight.shape, generator=generator)
            optimizer.step()
        results.append(torch.cat([w.detach().flatten() for w in weights]))
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["asgd", "adafactor"])
def test_forms_that_are_no_faster_are_not_taken(name: str) -> None:
    bound = entry(plain(f"optim={name}"), "optim", NOT_ARGUMENTS, 1)
    optimizer = build_optimizer([nn.Parameter(torch.ones(3))], bound.func, bound.keywords)
    assert not optimizer.param_groups[0]["foreach"]


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4),
        nn.PReLU(),
        nn.Flatten(),
        nn.Linear(16, 5),
        nn.Linear(5, 2),
    )


def test_kinds_of_parameters() -> None:
    network = small()
    kinds = {name: kinds_of(network)[p] for name, p in network.named_parameters()}
    assert kinds == {
        "0.weight": "weight",
        "0.bias": "bias",
        "1.weight": "norm",
        "1.bias": "norm",
        "2.weight": "activation",
        "4.weight": "weight",
        "4.bias": "bias",
        "5.weight": "weight",
        "5.bias": "bias",
    }


def test_what_no_decay_names_is_left_where_its_gradient_leaves_it() -> None:
    network = small()
    optimizer = optimizer_for(
        network, torch.optim.AdamW, {"lr": 0.1, "weight_decay": 0.5}, no_decay=["bias", "norm"]
    )
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in network.named_parameters():
        factor = 1.0 if kinds_of(network)[parameter] in ("bias", "norm") else 1 - 0.1 * 0.5
        torch.testing.assert_close(parameter.detach(), factor * before[name])


def test_without_no_decay_the_optimizer_is_torchs_own() -> None:
    optimizer = optimizer_for(small(), torch.optim.AdamW, {"lr": 0.1})
    assert [len(group["params"]) for group in optimizer.param_groups] == [9]


def test_a_kernel_is_stepped_as_the_matrix_of_its_rows() -> None:
    """Muon by hand on the flattened kernel, whichever way it lies in memory."""
    values = {"lr": 0.01, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        network = small().to(memory_format=layout)
        optimizer = optimizer_for(network, torch.optim.Muon, values)
        assert isinstance(optimizer, SplitOptimizer)
        kernel = network[0].weight
        assert as_matrix(kernel, kernel).data_ptr() == kernel.data_ptr()
        by_hand = nn.Parameter(kernel.detach().clone().contiguous().flatten(1))
        muon = torch.optim.Muon([by_hand], **values)
        for i in range(3):
            x = torch.randn(6, 2, 4, 4, generator=torch.Generator().manual_seed(i))
            optimizer.zero_grad()
            assert all(p.grad is None for p in network.parameters())
            network(x).square().mean().backward()
            by_hand.grad = kernel.grad.clone().contiguous().flatten(1)
            optimizer.step()
            muon.step()
            # Orthogonalised in bfloat16, whose rounding depends on the order of the columns.
            torch.testing.assert_close(
                kernel.detach().contiguous().flatten(1), by_hand.detach(), rtol=0, atol=2e-4
            )
        results.append(kernel.detach().contiguous())
    torch.testing.assert_close(*results, rtol=0, atol=1e-3)


def test_the_output_layer_is_none_of_the_matrices() -> None:
    network = small()
    matrices, rest = by_matrix(network)
    assert [p.shape for p in matrices] == [(4, 2, 3, 3), (5, 16)]
    assert sum(p.numel() for p in [*matrices, *rest]) == sum(
        p.numel() for p in network.parameters()
    )


NEEDS = {
    "lion": ("plain", False),
    "adamp": ("plain", False),
    "muon": ("flagged", False),
    "spectralsphere": ("matrices", False),
    "lbfgs": ("plain", True),
}


@pytest.mark.parametrize("name", NEEDS)
def test_what_a_class_needs_is_found_by_trying(name: str, train_run: Callable[..., Run]) -> None:
    run = train_run(
        "optim=pytorch_optimizer",
        f"optim.name={name}",
        "optim.lr=0.01",
        "model.channels=[4,8]",
        "trainer.max_epochs=3",
        "trainer.limit_train_batches=10",
    )
    config = run.config
    bound = entry(config, "optim", NOT_ARGUMENTS, 1)
    needs = needs_for(bound.func, bound.keywords)
    assert (needs.form, needs.closure) == NEEDS[name]
    losses = [row["train/loss"] for row in run.history]
    assert losses[-1] < losses[0]
    assert config["optim"]["name"] == name


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["optim.name=lionn"], "optim.name=lionn: pytorch_optimizer has no such optimizer.*lion"),
        (["optim.name=adahessian"], "AdaHessian cannot be stepped here: it runs a backward pass"),
        (["optim.name=lomo"], "LOMO cannot be stepped here: it steps within the backward pass"),
        (["optim.name=adashift"], "its state holds more than numbers, so no checkpoint can"),
        (
            ["optim.name=ranger21"],
            "optim: Ranger21 needs a value for num_iterations. Type optim.num_it",
        ),
        (["+optim.nus=3"], r"optim.nus: there is no such key. optim=lion has: lr, betas"),
    ],
)
def test_optimizers_that_cannot_be_stepped_say_why(overrides: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        prepare(plain("optim=pytorch_optimizer", "model=mlp", *overrides))


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (
            ["optim=lbfgs", "trainer=ddp_cpu"],
            "optim=lbfgs does not go with 2 processes: it searches",
        ),
        (
            ["optim=lbfgs", "trainer.accumulate_grad_batches=2"],
            "does not go with trainer.accumulate_grad_batches=2: it computes the loss of its batch",
        ),
        (
            ["optim=schedulefree_adamw", "trainer.ema_decay=0.9"],
            "optim=schedulefree_adamw does not go with trainer.ema_decay=0.9: it averages",
        ),
        (["optim=muon", "model=linear"], "Muon is made for the matrices of hidden layers"),
        (
            ["optim=rprop", "optim.no_decay=[bias]"],
            "optim.no_decay=.bias.: Rprop has no weight dec",
        ),
        (["optim=adam", "optim.no_decay=[bais]"], "Did you mean optim.no_decay=bias?"),
        (
            ["scheduler=plateau", "scheduler.interval=step"],
            "scheduler.interval=step: allowed is ep",
        ),
        (["init.gain=0", "init=kaiming"], "init.gain=0: allowed is auto or a number above 0"),
        (
            ["init=truncated_normal", "init.std=-1"],
            "init: experiments.initializers.truncated_normal",
        ),
    ],
)
def test_combinations_that_cannot_be_are_told(overrides: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        prepare(plain("model=mlp", *overrides))


def test_a_run_with_lbfgs_is_the_loop_that_torch_documents(train_run: Callable[..., Run]) -> None:
    overrides = ["data=moons", "data.num_samples=200", "model=mlp", "model.hidden=[6]"]
    run = train_run(*overrides, "optim=lbfgs", "optim.max_iter=4", "trainer.max_epochs=3")
    prepared = prepare(run.config)
    assert prepared.datamodule.num_batches == 1
    network, train = prepared.module.network, prepared.datamodule.train
    order = prepared.datamodule.train_dataloader().sampler
    values = {k: v for k, v in run.config["optim"].items() if k in LBFGS_KEYS}
    optimizer = torch.optim.LBFGS(network.parameters(), **values)
    losses = []
    for epoch in range(3):
        order.set_epoch(epoch)
        rows = next(iter(order)).rows
        x, y = prepared.module.normalize(train.inputs[rows]), train.targets[rows]

        def closure(x: torch.Tensor = x, y: torch.Tensor = y) -> torch.Tensor:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(x), y)
            loss.backward()
            return loss.detach()

        losses.append(float(optimizer.step(closure)))
    assert [row["train/loss"] for row in run.history] == pytest.approx(losses, rel=1e-6)
    for name, value in run.module("last").network.state_dict().items():
        assert torch.equal(value, network.state_dict()[name])


LBFGS_KEYS = ("lr", "max_iter", "max_eval", "tolerance_grad", "tolerance_change", "history_size")
LBFGS_KEYS += ("line_search_fn",)


def test_a_schedule_free_run_is_tested_with_its_mean_weights(train_run: Callable[..., Run]) -> None:
    run = train_run("optim=schedulefree_sgd", "model=linear", "trainer.max_epochs=2")
    checkpoint = torch.load(run.folder / "checkpoints/last.ckpt", weights_only=True)
    state = checkpoint["optimizer_states"][0]
    assert state["param_groups"][0]["train_mode"] is False
    # z is kept; y = 0.1 z + 0.9 x is where the last gradient was taken.
    assert "z" in state["state"][0]
    module = run.module("last")
    val = prepare(run.config).datamodule.val
    with torch.no_grad():
        loss = nn.functional.cross_entropy(module(val.inputs), val.targets).item()
    assert run.history[-1]["val/loss"] == pytest.approx(loss, rel=1e-5)


def test_the_trial_leaves_the_random_state_alone() -> None:
    needs_of.cache_clear()
    torch.manual_seed(5)
    needs_of(torch.optim.Adam, ())
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)
