"""What optimizers need is found by trying them, and given or refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from running import choices, plain
from torch import nn

from experiments.catalogue.optimizer_needs import KNOWN, failure, needs_of
from experiments.catalogue.optimizers import as_arguments, needs_for
from experiments.config.entries import entry
from experiments.errors.messages import UserError
from experiments.training.load import Run
from experiments.training.recipe import optimizer_of
from experiments.training.run_parts import build_run

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
        # On mini-batches it is chaotic: the last bits of a processor decide whether it diverges.
        *(["data.batch_size=full"] if name == "lbfgs" else []),
    )
    config = run.config
    bound = entry(config, "optim")
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
            "Ranger21 cannot be stepped here: .*'num_iterations'. If it misses an arg",
        ),
        (["+optim.nus=3"], r"optim.nus: there is no such key. optim=lion has: lr, betas"),
    ],
)
def test_optimizers_that_cannot_be_stepped_say_why(overrides: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        build_run(plain("optim=pytorch_optimizer", "model=mlp", *overrides))


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
            "init: experiments.catalogue.initializers.truncated_normal",
        ),
    ],
)
def test_combinations_that_cannot_be_are_told(overrides: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        build_run(plain("model=mlp", *overrides))


def test_a_run_with_lbfgs_is_the_loop_that_torch_documents(train_run: Callable[..., Run]) -> None:
    overrides = ["data=moons", "data.num_samples=200", "model=mlp", "model.hidden=[6]"]
    run = train_run(*overrides, "optim=lbfgs", "optim.max_iter=4", "trainer.max_epochs=3")
    prepared = build_run(run.config)
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
    val = build_run(run.config).datamodule.val
    with torch.no_grad():
        loss = nn.functional.cross_entropy(module(val.inputs), val.targets).item()
    assert run.history[-1]["val/loss"] == pytest.approx(loss, rel=1e-5)


def test_the_trial_leaves_the_random_state_alone() -> None:
    KNOWN.clear()
    torch.manual_seed(5)
    needs_of(torch.optim.Adam, {})
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(1), after)


def test_a_closure_computes_the_gradient_where_the_weights_are(
    train_run: Callable[..., Run],
) -> None:
    """bSAM moves the weights before it asks for the loss: a plain loop is the reference."""
    overrides = ["data=moons", "data.num_samples=200", "model=mlp", "model.hidden=[6]"]
    overrides += ["optim=pytorch_optimizer", "optim.name=bsam", "optim.num_data=144"]
    run = train_run(*overrides, "optim.lr=0.01", "trainer.max_epochs=2", "data.batch_size=full")
    prepared = build_run(run.config)
    network, train = prepared.module.network, prepared.datamodule.train
    order = prepared.datamodule.train_dataloader().sampler
    optimizer = optimizer_of(run.config).make(network)
    torch.set_rng_state(torch.load(run.folder / "checkpoints/last.ckpt")["torch_rng_state"])
    losses = []
    for epoch in range(2):
        order.set_epoch(epoch)
        rows = next(iter(order)).rows
        x, y = prepared.module.normalize(train.inputs[rows]), train.targets[rows]
        evaluated = []

        def closure(
            x: torch.Tensor = x, y: torch.Tensor = y, kept: list = evaluated
        ) -> torch.Tensor:
            kept.append([p.detach().clone() for p in network.parameters()])
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(x), y)
            loss.backward()
            return loss.detach()

        losses.append(closure().item())
        optimizer.step(closure)
        # It did move them before it asked.
        assert not all(map(torch.equal, evaluated[0], evaluated[1]))
    assert run.history[0]["train/loss"] == pytest.approx(losses[0], rel=1e-5)


def test_a_cycle_leaves_the_mean_of_a_schedule_free_optimizer_alone() -> None:
    config = plain("optim=schedulefree_sgd", "scheduler=onecycle", "model=linear")
    parts = build_run(config)
    optimizer = parts.recipe.optimizer.make(parts.module.network)
    before = [dict(group) for group in optimizer.param_groups]
    scheduler = parts.recipe.make_scheduler(optimizer, 10)
    for group, old in zip(optimizer.param_groups, before, strict=True):
        assert group["momentum"] == old["momentum"]
    assert scheduler.get_last_lr()[0] < 0.1


def test_one_word_is_a_list_of_one() -> None:
    config = plain("optim=adamw", "optim.no_decay=bias", "model=linear")
    parts = build_run(config)
    assert len(parts.recipe.optimizer.make(parts.module.network).param_groups) == 2


@pytest.mark.parametrize(
    ("optim", "fits"),
    [("adam", True), ("muon", True), ("lbfgs", False), ("qhadam", True), ("adamp", False)],
)
def test_kernels_lie_as_the_optimizer_can_step_them(optim: str, fits: bool) -> None:
    choice = (
        ["optim=pytorch_optimizer", "optim.name=adamp"] if optim == "adamp" else [f"optim={optim}"]
    )
    config = plain(*choice, "model=cnn")
    recipe = optimizer_of(config)
    assert recipe.takes_channels_last() is fits
    # The trial's answer is that of the class on a real network.
    network = build_run(config).module.network
    network.to(memory_format=torch.channels_last)
    optimizer = recipe.make(network)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = network(torch.ones(2, 1, 8, 8)).square().mean()
        loss.backward()
        return loss.detach()

    closure()
    arguments = [closure] if recipe.needs.closure else []
    if fits:
        optimizer.step(*arguments)
    else:
        with pytest.raises(RuntimeError, match="view"):
            optimizer.step(*arguments)


def test_torchs_own_take_any_layout_but_one() -> None:
    """What the shortcut for torch's classes takes for granted."""
    for name in choices("optim"):
        recipe = optimizer_of(plain(f"optim={name}"))
        if "torch.optim" not in plain(f"optim={name}")["optim"]["_target_"]:
            continue
        bound = entry(plain(f"optim={name}"), "optim")
        layout = torch.channels_last
        needs = recipe.needs
        reason = failure(
            bound.func, as_arguments(bound.keywords), needs.form, needs.closure, layout
        )
        assert bool(reason) is (name == "lbfgs")
