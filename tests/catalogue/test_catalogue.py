"""One contract over every entry of every group; a new YAML is covered without touching a test."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from running import CONF, QUIET, ROOT, choices, composed, plain
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader  # noqa: F401  (imported early: it warns on first import)

from experiments.catalogue.optimizer_needs import is_switched
from experiments.config.entries import entry
from experiments.data.sources import DataSet
from experiments.errors.messages import UserError
from experiments.training.build import (
    build_datamodule,
    build_module,
    fit_normalization,
    load_data,
    loss_of,
)
from experiments.training.recipe import build_recipe, optimizer_of

DOWNLOADED = {"california_housing", "cifar10", "cifar100", "emnist", "fashion_mnist", "kmnist"}
DOWNLOADED |= {"mnist", "qmnist", "stl10", "svhn", "torchvision", "usps"}
"""Data whose files are not part of any package; tests/data has small ones in their format."""

OWN = {"npz", "folder", "csv"}
"""A user's own files; tests/data writes some."""

BY_NAME = {"torchvision", "pytorch_optimizer"}
"""Choices whose `name` says which of a collection."""


FIGURES = "figure"
"""The group of figures.py; tests/figures draws each of its choices."""
GROUPS = sorted(f.name for f in CONF.iterdir() if f.is_dir() and f.name != FIGURES)
ENTRIES = [(group, choice) for group in GROUPS for choice in choices(group)]
NAMED = {"model", "activation", "init", "loss", "optim", "scheduler", "data", "logger"}


@pytest.mark.parametrize(("group", "choice"), ENTRIES, ids=lambda word: str(word))
def test_every_choice_composes_and_bears_its_own_name(group: str, choice: str) -> None:
    config = composed(f"{group}={choice}")
    if group in NAMED and choice not in BY_NAME:
        assert config[group].name == choice


@pytest.mark.parametrize(("group", "choice"), ENTRIES, ids=lambda word: str(word))
def test_every_file_says_what_it_is_in_its_first_lines(group: str, choice: str) -> None:
    text = (CONF / group / f"{choice}.yaml").read_text(encoding="utf-8")
    if choice != "none":
        first = next(line for line in text.splitlines() if not line.startswith("# @package"))
        assert first.startswith("# ")


@functools.cache
def data_of(choice: str) -> DataSet:
    """Return data that are read or generated once for all parts and models."""
    return load_data(plain(f"data={choice}"))


def two_steps(*overrides: str) -> list[float]:
    """Return the losses of two optimizer steps on one batch, and the loss after them."""
    return two_steps_of(plain("trainer.max_epochs=1", *overrides))


def two_steps_of(config: dict[str, Any]) -> list[float]:
    if config["optim"].get("full_batch"):
        config["data"]["batch_size"] = "full"
    data = data_of(config["data"]["name"])
    datamodule = build_datamodule(config, data)
    recipe = build_recipe(config)
    module = build_module(config, data.spec, recipe)
    fit_normalization(module, datamodule, config["data"]["normalize"])
    optimizer = recipe.optimizer.make(module.network)
    scheduler = recipe.make_scheduler(optimizer, 2)
    [batch, *_] = datamodule.train_dataloader()

    def loss_and_gradients() -> torch.Tensor:
        optimizer.zero_grad()
        loss = module.loss_of(module(batch.inputs), batch.targets)
        loss.backward()
        return loss

    if is_switched(optimizer):
        optimizer.train()
    losses = []
    for _ in range(2):
        losses.append(loss_and_gradients().item())
        optimizer.step(*([loss_and_gradients] if module.rules.closure else []))
        scheduler.step(*([losses[-1]] if isinstance(scheduler, ReduceLROnPlateau) else []))
    if is_switched(optimizer):
        optimizer.eval()
    return [*losses, module.loss_of(module(batch.inputs), batch.targets).item()]


PARTS = [(g, c) for g, c in ENTRIES if g in {"activation", "init", "loss", "optim", "scheduler"}]
MODELS = [m for m in choices("model") if m not in BY_NAME]
"""Without those of torchvision, whose smallest would take as long as all that is tested here."""
TINY = {
    "resnet": ("model.depth=8", "model.width=4", "model.shortcut=projection"),
    "gru": ("model.hidden_size=4", "model.dense=[8]"),
    "transformer": ("model.dim=8", "model.depth=1", "model.num_heads=2", "model.dim_feedforward=8"),
}
"""What makes a model quick, where its defaults are not."""
SOME = {"activation": None, "init": None, "optim": {"muon", "schedulefree_adamw"}}
"""Parts that are tried in a model of `TINY`: of the others it cannot know whose they are."""
IN_MODELS = [
    (model, *part)
    for part in PARTS
    for model in MODELS
    if model not in TINY or (part[0] in SOME and part[1] in (SOME[part[0]] or {part[1]}))
]
PHI_OUT_OF = {"log-probabilities": "log_softmax", "probabilities": "softmax"}


@pytest.mark.parametrize(("model", "group", "choice"), IN_MODELS, ids=lambda word: str(word))
def test_every_part_trains_two_steps_in_every_model(group: str, choice: str, model: str) -> None:
    takes = (
        getattr(entry(plain(f"loss={choice}"), "loss").func, "takes", "") if group == "loss" else ""
    )
    phi_out = PHI_OUT_OF.get(takes, "identity")
    # Put together from two configs that other tests have composed already.
    config = plain(f"model={model}", f"model.phi_out={phi_out}", *TINY.get(model, ()))
    config[group] = plain(f"{group}={choice}")[group]
    is_for_matrices = group == "optim" and optimizer_of(config).needs.form != "plain"
    if is_for_matrices and model == "linear":
        with pytest.raises(UserError, match="made for the matrices of hidden layers"):
            two_steps_of(config)
        return
    losses = two_steps_of(config)
    assert all(math.isfinite(loss) for loss in losses)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("choice", sorted(set(choices("data")) - DOWNLOADED - OWN))
def test_every_data_set_trains_two_steps(choice: str, model: str) -> None:
    data = data_of(choice)
    loss = "mse" if data.task == "regression" else "cross_entropy"
    parts = (f"data={choice}", f"model={model}", f"loss={loss}", "optim.lr=1e-4")
    overrides = (*parts, *TINY.get(model, ()))
    if model not in ("linear", "mlp") and len(data.spec.shape) == 1:
        with pytest.raises(UserError, match="and one data point of .* has the shape"):
            two_steps(*overrides)
        return
    losses = two_steps(*overrides)
    assert losses[-1] < losses[0]


def test_a_search_space_and_a_name_are_not_arguments_of_the_optimizer() -> None:
    config = plain("optim=adam")
    assert set(entry(config, "optim").keywords) == {
        "lr",
        "betas",
        "eps",
        "weight_decay",
    }


def test_a_new_entry_is_one_class_and_one_yaml(tmp_path: Path) -> None:
    # What CONTRIBUTING.md promises, with a class that the package does not know.
    config = plain("activation=relu")
    config["activation"] = {"name": "softplus", "_target_": "torch.nn.Softplus", "beta": 2.0}
    module = build_module(config, load_data(config).spec)
    assert any(isinstance(m, torch.nn.Softplus) and m.beta == 2 for m in module.modules())


def file_of(tmp_path: Path, group: str, *lines: str) -> list[str]:
    """Write a file of one's own for a group, and return the overrides that choose it."""
    (tmp_path / group).mkdir()
    (tmp_path / group / "mine.yaml").write_text("\n".join(lines) + "\n")
    return ["--config-dir", str(tmp_path), f"{group}=mine"]


LINEAR = "_target_: experiments.catalogue.models.linear.Linear"
DIGITS = "_target_: experiments.data.embedded.digits"


@pytest.mark.parametrize(
    ("group", "lines"),
    [
        ("model", ["name: mine", LINEAR]),
        ("model", ["name: mine", "_target_: experiments.catalogue.models.mlp.MLP", "hidden: [8]"]),
        ("scheduler", ["name: mine", "_target_: experiments.catalogue.schedulers.step"]),
        ("optim", ["name: mine", "_target_: torch.optim.SGD", "lr: 0.1"]),
    ],
)
def test_a_file_without_shared_keys_has_the_defaults(
    command: Callable, tmp_path: Path, group: str, lines: list[str]
) -> None:
    quick = [*QUIET, "debug=fast_dev", *([] if group == "model" else ["model=linear"])]
    answer = command(*file_of(tmp_path, group, *lines), *quick)
    assert answer.code == 0, answer.err


class RawScores(torch.nn.Linear):
    """A model that knows nothing of phi_out."""

    def __init__(self, shape: tuple[int, ...], num_outputs: int, activation: object) -> None:
        super().__init__(math.prod(shape), num_outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.flatten(1))


def test_the_outputs_of_a_model_without_phi_out_are_what_the_loss_takes() -> None:
    config = plain("data=digits", "loss=brier")
    config["model"] = {"name": "mine", "_target_": f"{__name__}.RawScores"}
    spec = load_data(config).spec
    assert loss_of(config, spec).takes == "probabilities"
    with pytest.raises(UserError, match="loss=brier takes probabilities, but model.phi_out=ident"):
        loss_of(plain("data=digits", "loss=brier"), spec)


@pytest.mark.parametrize(
    ("group", "lines", "typed", "said"),
    [
        (
            "data",
            ["name: mine", DIGITS],
            [],
            "data=mine has no batch_size, val_fraction, augment, pixel_shuffle and 10 more. "
            "Add this as the first line of conf/data/mine.yaml: defaults: [shared/batches@_here_]",
        ),
        ("data", ["name: mine", DIGITS, "batch_size: 8"], [], "data=mine has no val_fraction, aug"),
        ("data", ["name: mine", DIGITS], ["data.batch_size=8"], "Add this as the first line of"),
        ("data", ["name: mine", DIGITS], ["optim=gd"], "Add this as the first line of conf/data/"),
        ("data", [DIGITS], [], "in conf/data/ says it in lines of its own: name: ..."),
        ("trainer", ["accelerator: cpu", "devices: 1", "strategy: auto", "max_epochs: 1"], [],
         "defaults: [/schema/trainer@_here_]"),
        ("logger", ["name: wandb"], [], "logger has no project, entity, mode, media and 4 more. "
         "Add this as the first line of its file in conf/logger/: "
         "defaults: [/schema/logger/wandb@_here_]"),
    ],
)  # fmt: skip
def test_keys_that_a_file_must_have_are_told_with_the_line_that_brings_them(
    command: Callable, tmp_path: Path, group: str, lines: list[str], typed: list[str], said: str
) -> None:
    answer = command(*file_of(tmp_path, group, *lines), *typed)
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("group", "target", "keys", "said"),
    [
        ("scheduler", "torch.optim.lr_scheduler.StepLR", {"step_size": 3}, "scheduler=step?"),
        ("scheduler", "torch.optim.lr_scheduler.ExponentialLR", {}, "scheduler=exponential?"),
        ("scheduler", "torch.optim.lr_scheduler.ReduceLROnPlateau", {}, "scheduler=plateau?"),
        ("init", "torch.nn.init.xavier_uniform_", {"gain": 2.0}, "init=xavier?"),
        ("init", "torch.nn.init.zeros_", {}, "is called with (tensor, place, generator, ...)"),
    ],
)
def test_a_target_that_is_called_otherwise_is_told(
    group: str, target: str, keys: dict[str, object], said: str
) -> None:
    with pytest.raises(UserError) as caught:
        entry({group: {"name": "mine", "_target_": target, **keys}}, group)
    assert said in str(caught.value)
    assert "src/experiments/catalogue/" in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["+activation.slope=1"], "activation.slope: there is no such key"),
        (["optim.lr=fast"], "optim.lr=fast: allowed is a number"),
        (["data=moons", "model=mlp", "data.nois=1"], "Did you mean data.noise=...?"),
        (["data=moons", "model=mlp", "data.noise=-1"], "data.noise=-1: allowed is a standard dev"),
        (["data=moons", "model=mlp", "data.num_samples=3"], "data.num_samples=3: allowed is"),
        (["data=xor", "model=mlp", "data.margin=1"], "data.margin=1: allowed is"),
        (["activation._target_=torch.nn.Rleu"], "activation._target_=torch.nn.Rleu: this cannot"),
        (["loss.label_smoothing=2"], "loss: experiments.catalogue.losses.CrossEntropy refuses"),
        (["activation=maxout", "activation.num_pieces=1"], "num_pieces=1: at least 2 pieces"),
        (["optim.betas=[2,0.9]"], "optim: Adam refuses these values: Invalid beta"),
        (["optim=sgd", "~optim.lr"], None),
        (
            ["scheduler=step", "scheduler.step_size=0"],
            "scheduler: experiments.catalogue.schedulers.step",
        ),
    ],
)
def test_values_that_an_entry_cannot_use_are_told(overrides: list[str], said: str | None) -> None:
    config = plain(*overrides)
    if said is None:  # torch has a default of its own for lr
        build_recipe(config)
        return
    with pytest.raises(UserError) as caught:
        build_module(config, load_data(config).spec, build_recipe(config))
    assert said in str(caught.value)


def test_an_argument_that_is_needed_and_missing_is_told() -> None:
    config = plain("activation=relu")
    config["activation"] = {"name": "glu", "_target_": "torch.nn.Threshold", "value": 1.0}
    with pytest.raises(UserError, match=r"needs a value for threshold. Type activation.threshold="):
        build_module(config, load_data(config).spec)


def test_every_sweep_composes() -> None:
    for path in (ROOT / "sweeps").glob("*.yaml"):
        config = composed(f"sweeps={path.stem}")
        assert isinstance(OmegaConf.to_container(config, resolve=True), dict)
