"""Members against runs that are trained alone: weights, losses, and what a checkpoint keeps."""

from __future__ import annotations

import pytest
import torch
from members import (
    IMAGES,
    PARTS,
    SEEDS,
    SIGNALS,
    SMALL_CNN,
    SMALL_MLP,
    VECTORS,
    assert_alike,
    batches,
    built,
    choice,
    close,
    compare,
    config_of,
    points_of,
    state_of,
    train_alone,
    train_stacked,
)
from running import choices

from experiments.catalogue.losses import NLL, BCEWithLogits, CrossEntropy, Focal
from experiments.training.population import stacked_network
from experiments.training.population.membership import why_alone
from experiments.training.population.stacked import Stack
from experiments.training.population.stacked_loss import Losses
from experiments.training.population.stacked_network import NetworksInTurn, StackedNetwork

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
    return why_alone(config_of(*SMALL_MLP, *overrides)) is None


def members_of(group: str) -> list[str]:
    return [name for name in choices(group) if can_be_member(f"{group}={name}")]


def assert_evaluates_as_alone(stack: Stack) -> None:
    """Hold outputs for shared points, and their losses, against those of each module by itself."""
    x, targets = points_of(stack.members[0])
    outputs = stack.evaluate(x)
    losses = stack.loss_of(outputs, targets)
    for row, i in enumerate(stack.active):
        module = stack.members[i].module
        with torch.no_grad():
            expected = module.network.eval()(x)
        torch.testing.assert_close(outputs[row], expected, **EXACT)
        torch.testing.assert_close(losses[row], module.loss(expected, targets), **EXACT)


def test_what_cannot_be_a_member_is_told_by_name() -> None:
    alone = {
        group: [name for name in choices(group) if name not in members_of(group)] for group in PARTS
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
            reason = why_alone(config_of(*SMALL_MLP, f"{group}={name}"))
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
    lr = choice("optim", name)["lr"]
    variants = [("seed=0",), ("seed=1",), ("seed=0", f"optim.lr={lr / 3}")]
    overrides = (*SMALL_MLP, "activation=tanh", f"optim={name}")
    compare(variants, *overrides, num_steps=9, tolerance=EXACT)
    compare(variants, *overrides, num_steps=1, tolerance=ROUNDED, dtype=torch.float32)


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
    compare(SEEDS, *overrides, num_steps=1, tolerance=ROUNDED, dtype=torch.float32)


NETWORKS = {
    "linear": (VECTORS, ["model=linear"]),
    "mlp of images": (IMAGES, [*SMALL_MLP, "model.residual=true"]),
    "batch norm": (VECTORS, [*SMALL_MLP, "model.norm=batch"]),
    "layer norm": (VECTORS, [*SMALL_MLP, "model.norm=layer", "activation=prelu"]),
    "group norm": (VECTORS, [*SMALL_MLP, "model.norm=group", "model.norm_groups=2"]),
    "cnn of signals": (SIGNALS, [*SMALL_CNN, "activation=prelu"]),
    "cnn of images": (IMAGES, [*SMALL_CNN, "model.norm=batch", "model.dense=[5]"]),
    "small cnn of images": (IMAGES, ["model=cnn", "model.channels=[3]", "model.stride=2"]),
    "resnet": (IMAGES, ["model=resnet", "model.depth=8", "model.width=2"]),
    "gru": (SIGNALS, ["model=gru", "model.dense=[5]"]),
    "transformer": (SIGNALS, ["model=transformer", "model.dim=8", "model.depth=1"]),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    shape, overrides = NETWORKS[name]
    lr = [("seed=0",), ("seed=1", "optim.lr=0.02"), ("seed=2",)]
    stack = compare(lr, *overrides, "optim=momentum", num_steps=6, tolerance=EXACT, shape=shape)
    is_in_turn = name in ("gru", "resnet")
    assert isinstance(stack.networks, NetworksInTurn if is_in_turn else StackedNetwork)
    assert_evaluates_as_alone(stack)


@pytest.mark.parametrize("name", ["cnn of signals", "cnn of images"])
def test_larger_convolutions_one_after_the_other(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the ResNet above are."""
    monkeypatch.setattr(stacked_network, "MOST_PATCH_NUMBERS", 0)
    shape, overrides = NETWORKS[name]
    stack = compare(SEEDS, *overrides, num_steps=4, tolerance=EXACT, shape=shape)
    assert isinstance(stack.networks, NetworksInTurn)
    assert_evaluates_as_alone(stack)


@pytest.mark.parametrize("how", ["norm", "value"])
def test_gradients_are_clipped_by_each_members_own_norm(how: str) -> None:
    clipped = ("trainer.gradient_clip_val=0.05", f"trainer.gradient_clip_algorithm={how}")
    no_decay = ("optim.no_decay=[bias]", "optim.weight_decay=0.1")  # two groups
    compare(SEEDS, *SMALL_MLP, "optim=sgd", *no_decay, *clipped, num_steps=4, tolerance=EXACT)
    compare(SEEDS, *SMALL_MLP, "optim=muon", *clipped, num_steps=4, tolerance=EXACT)


NUMBERS = {
    "betas and weight decay": ("adamw", ["optim.betas=[0.8,0.99]", "optim.weight_decay=0.3"]),
    "momentum": ("momentum", ["optim.momentum=0.5"]),
    "none decayed": ("adam", ["optim.weight_decay=0.1", "optim.no_decay=[bias]"]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_members_differ_in_any_number_of_loss_optimizer_and_schedule(name: str) -> None:
    optim, numbers = NUMBERS[name]
    schedule = ["scheduler.end_factor=0.5"]
    smoothed = ["loss.label_smoothing=0.2"]
    common = numbers[1:] if "no_decay" in numbers[-1] else []
    variants = [
        ("seed=0", *smoothed),
        ("seed=1", *numbers),
        ("seed=2", *smoothed, *numbers),
        ("seed=3", *schedule),
        ("seed=4",),
        ("seed=5", *smoothed),
    ]
    overrides = (*SMALL_MLP, f"optim={optim}", "scheduler=linear", *common)
    stack = compare(variants, *overrides, num_steps=5, tolerance=EXACT)
    assert sorted(stack.active) == list(range(6))
    assert_evaluates_as_alone(stack)


def test_classes_weigh_by_member_in_weighted_losses() -> None:
    weighted = ("seed=1", "loss.weight=[1,2,3,4]")
    for loss in ("cross_entropy", "focal", "multi_margin"):
        variants = [("seed=0", "loss.weight=[4,3,2,1]"), weighted]
        compare(variants, *SMALL_MLP, f"loss={loss}", num_steps=4, tolerance=EXACT)


LOSSES = [CrossEntropy(), CrossEntropy(0.1), NLL(), NLL([1, 2, 3, 4]), Focal(), BCEWithLogits()]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_losses_of_points_that_are_mixed(loss: torch.nn.Module) -> None:
    outputs = torch.randn(3, 5, 4, dtype=torch.float64).log_softmax(2)
    shares = torch.rand(3, 5, 4, dtype=torch.float64).softmax(2)
    classes = torch.randint(4, (3, 5))
    loss = loss.double()
    for targets in (shares, classes):
        expected = torch.stack([loss(y, t) for y, t in zip(outputs, targets, strict=True)])
        got = Losses([loss] * 3, ["one"] * 3)(outputs, targets)
        torch.testing.assert_close(got, expected, **EXACT)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_regression(loss: str) -> None:
    overrides = (*SMALL_MLP, "data=diabetes", f"loss={loss}", "optim=sgd")
    compare(SEEDS, *overrides, num_steps=6, tolerance=EXACT)


RESUMED = ["adam", "adagrad", "aggmo", "asgd", "muon", "nadam", "qhadam", "schedulefree_adamw"]


@pytest.mark.parametrize("optim", RESUMED)
def test_members_go_on_from_the_states_of_runs_alone_and_these_from_members(optim: str) -> None:
    """Seven steps at a stretch, or three alone, two as members of a stack and two alone again."""
    overrides = (*SMALL_MLP, f"optim={optim}", "scheduler=cosine", "activation=swish")
    variants = [("seed=0",), ("seed=1", "optim.lr=0.003"), ("seed=2",)]
    expected = [train_alone(built(*overrides, *v), 7) for v in variants]
    runs = [train_alone(built(*overrides, *v), 7, last=3) for v in variants]
    stack = Stack(runs, 7)
    for i, run in enumerate(runs):
        stack.load(i, *state_of(run))
    train_stacked(runs, 7, first=3, last=5, stack=stack)
    for i, run in enumerate(runs):
        run.optimizer.load_state_dict(stack.optimizer_state(i))
        run.scheduler.load_state_dict(stack.scheduler_state(i))
        train_alone(run, 7, first=5)
        close(run.losses, expected[i].losses, **EXACT)
        close(run.module.network.state_dict(), expected[i].module.network.state_dict(), **EXACT)
        # Torch's own load_state_dict makes some of a state's numbers doubles.
        state = run.optimizer.state_dict()
        close(state, expected[i].optimizer.state_dict(), rtol=1e-6, atol=0.0, check_dtype=False)


@pytest.mark.parametrize("name", ["adam", "momentum", "muon", "rprop"])
@pytest.mark.parametrize("shape", [VECTORS, IMAGES])
def test_a_member_that_leaves_stays_as_it_is_and_the_others_go_on(
    name: str, shape: tuple[int, ...]
) -> None:
    network = SMALL_MLP if shape == VECTORS else (*SMALL_CNN, "model.norm=batch")
    overrides = (*network, f"optim={name}")
    variants = [("seed=0",), ("seed=1", "optim.lr=0.003"), ("seed=2",), ("seed=3",)]
    runs = [built(*overrides, *v, shape=shape) for v in variants]
    stack = Stack(runs, 6)
    left = {2: 2, 1: 4}  # member, and the steps that it makes
    done = 0
    for member, steps in [*left.items(), (None, 6)]:
        train_stacked(runs, 6, first=done, last=steps, stack=stack)
        done = steps
        if member is not None:
            stack.freeze(member)
    assert sorted(stack.active) == [0, 3]
    alone = [
        train_alone(built(*overrides, *v, shape=shape), 6, last=left.get(i, 6))
        for i, v in enumerate(variants)
    ]
    assert_alike(stack, runs, alone, **EXACT)


def test_a_member_may_leave_between_its_loss_and_its_step() -> None:
    runs = [built(*SMALL_MLP, *v) for v in SEEDS]
    before = {k: v.clone() for k, v in runs[1].module.network.state_dict().items()}
    stack = Stack(runs, 3)
    x, targets = points_of(runs[0])
    rows = torch.stack([next(batches(i, 1)) for i in stack.active])
    with torch.no_grad():  # member 1 diverges
        inputs = x[rows].clone()
        inputs[stack.active.index(1)] = torch.nan
    losses, _ = stack.backward(inputs, targets[rows])
    assert losses.isfinite().tolist() == [i != 1 for i in stack.active]
    stack.freeze(1)
    stack.update()
    close(dict(runs[1].module.network.state_dict()), before, rtol=0.0, atol=0.0)
    alone = [train_alone(built(*SMALL_MLP, *v), 3, last=1) for v in SEEDS]
    for i in stack.active:
        stack.unstack(i)
        expected = alone[i].module.network.state_dict()
        close(dict(runs[i].module.network.state_dict()), dict(expected), **EXACT)


@pytest.mark.parametrize("name", ["linear", "gru"])
def test_all_members_may_leave(name: str) -> None:
    shape, overrides = NETWORKS[name]
    runs = [built(*overrides, *v, shape=shape) for v in SEEDS]
    stack = train_stacked(runs, 2)
    for i in range(3):
        stack.freeze(i)
    assert stack.active == []
    alone = [train_alone(built(*overrides, *v, shape=shape), 2) for v in SEEDS]
    assert_alike(stack, runs, alone, **EXACT)


def test_a_step_of_several_batches_is_that_of_one_larger_batch() -> None:
    runs = [built(*SMALL_MLP, *v) for v in SEEDS]
    whole, parts = Stack(runs, 1), Stack(runs, 1)
    x, targets = points_of(runs[0])
    rows = torch.stack([next(batches(i, 1)) for i in whole.active])
    whole.backward(x[rows], targets[rows])
    for part, begins in ((rows[:, :8], True), (rows[:, 8:], False)):
        parts.backward(x[part], targets[part], part.shape[1] / rows.shape[1], begins)
    for expected, got in zip(whole.gradients, parts.gradients, strict=True):
        torch.testing.assert_close(got, expected, **EXACT)


def test_the_learning_rate_is_that_of_the_next_step() -> None:
    variants = [("seed=0", "optim.lr=0.5"), ("seed=1", "optim.lr=0.1")]
    runs = [built(*SMALL_MLP, "optim=sgd", "scheduler=linear", *v) for v in variants]
    stack = Stack(runs, 10)
    assert [stack.lr(0), stack.lr(1)] == [0.5, 0.1]
    train_stacked(runs, 10, last=5, stack=stack)
    assert [stack.lr(0), stack.lr(1)] == pytest.approx([0.25, 0.05])
