"""`loss.weight`, `data.label_noise` and `data.num_train` in a run: what it measures and records."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from running import plain
from sklearn.utils.class_weight import compute_class_weight

from experiments.config.entries import call_of
from experiments.data.datamodule import DataModule
from experiments.data.sources import DataSet, Points
from experiments.errors.messages import UserError
from experiments.training.build import build_datamodule, build_module, load_data
from experiments.training.load import Run
from experiments.training.run_parts import build_run
from experiments.training.weighted_loss import checked, fit_class_weights

TrainRun = Callable[..., Run]

SMALL = (
    "data=npz", "data.path=few.npz", "data.root=cache", "model=mlp", "model.hidden=[8]",
    "data.batch_size=16", "trainer.max_epochs=2", "optim.lr=0.01",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _points(_restored: None) -> None:
    """Write points of three classes, of which one is rare, with a test part."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], [120, 60, 20])
    y_test = np.repeat([0, 1, 2], [30, 60, 50])
    x, x_test = (rng.normal(size=(len(v), 4)) + v[:, None] for v in (y, y_test))
    np.savez("few.npz", x=x, y=y, x_test=x_test, y_test=y_test)


def test_losses_are_weighted_means_over_all_points_and_the_weights_are_kept(
    train_run: TrainRun,
) -> None:
    run = train_run(*SMALL, "loss.weight=balanced", "log_full_loss=true", "data.label_noise=0.1")
    data = build_datamodule(run.config, load_data(run.config))
    labels = data.train.targets
    weights = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    assert run.record["class_weights"] == pytest.approx(weights, rel=1e-6)
    assert run.record["num_redrawn"] == 18
    module = run.module()
    torch.testing.assert_close(module.state_dict()["loss.weight"], torch.tensor(weights).float())
    w = torch.tensor(weights).float()
    for name, part in (("test/loss", data.test), ("val/loss", data.val)):
        with torch.no_grad():
            expected = F.cross_entropy(module(part.inputs), part.targets, w)
        assert run.record["metrics"][name] == pytest.approx(expected.item(), rel=1e-5)
    last = run.module("last")
    with torch.no_grad():
        expected = F.cross_entropy(last(data.train.inputs), labels, w)
    assert run.history[-1]["train/full_loss"] == pytest.approx(expected.item(), rel=1e-5)


def test_the_mean_loss_of_an_epoch_is_weighted_over_its_points(train_run: TrainRun) -> None:
    # With a learning rate of nearly nothing the epoch's means are those of fixed weights.
    run = train_run(*SMALL, "loss.weight=[1,2,9]", "optim=sgd", "optim.lr=1e-12")
    labels = (data := build_datamodule(run.config, load_data(run.config)).train).targets
    with torch.no_grad():
        expected = F.cross_entropy(run.module()(data.inputs), labels, torch.tensor([1.0, 2, 9]))
    assert run.history[0]["train/loss"] == pytest.approx(expected.item(), rel=1e-6)
    assert run.record["class_weights"] == [1, 2, 9]


def test_a_run_without_them_keeps_neither_weights_nor_labels(train_run: TrainRun) -> None:
    run = train_run(*SMALL, "data.num_train=30", "trainer.max_epochs=1")
    assert (run.record["class_weights"], run.record["num_redrawn"]) == (None, None)
    assert (run.record["num_train"], run.record["num_val"]) == (30, 20)
    assert run.record["steps"] == 2
    assert "loss.weight" not in run.module().state_dict()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["loss.weight=[1,2]"], "allowed is none, balanced, or a list of 3 numbers above 0"),
        (["loss.weight=[1,2,0]"], "loss.weight=[1,2,0]: allowed is none, balanced"),
        (["loss.weight=2"], "loss.weight=2: allowed is none, balanced"),
        (["loss.weight=even"], "loss.weight=even: allowed is none, balanced"),
        (
            ["loss.weight=balanced", "trainer.accumulate_grad_batches=2"],
            "loss.weight does not go with trainer.accumulate_grad_batches=2",
        ),
        (
            ["loss.weight=balanced", "trainer=ddp_cpu", "trainer.devices=2"],
            "loss.weight does not go with 2 processes",
        ),
    ],
)
def test_what_cannot_be_weighted_is_told(typed: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        build_run(plain(*SMALL, *typed))
    assert said in str(caught.value)


def test_a_class_without_a_point_has_no_balanced_weight() -> None:
    points = Points(torch.randn(40, 2), torch.tensor([0, 2]).repeat(20))
    data = DataSet(points, points, "classification", ("a", "b", "c"))
    module = build_module(plain("model=linear", "loss.weight=balanced"), data.spec)
    with pytest.raises(UserError) as caught:
        fit_class_weights(module, DataModule(data, "own", val_fraction=0.0))
    assert "has no training point of b, which would weigh without end" in str(caught.value)
    assert "Try loss.weight=[1,1,1] with numbers" in str(caught.value)
    assert checked([1, 1, 1], 3).tolist() == [1, 1, 1]


def test_parts_of_steps_go_with_a_loss_that_divides_by_points() -> None:
    margin = ["loss=multi_margin", "loss.weight=[1,2,3]", "trainer.accumulate_grad_batches=2"]
    assert build_run(plain(*SMALL, *margin)).module.mass is None


def test_losses_of_torch_take_them_and_one_of_another_kind_is_asked_for_none() -> None:
    torchs = "loss._target_=torch.nn.CrossEntropyLoss"
    assert build_run(plain(*SMALL, torchs)).module.loss.weight is None
    weighted = build_run(plain(*SMALL, torchs, "loss.weight=[1,2,3]")).module
    assert weighted.loss.weight.tolist() == [1, 2, 3]
    assert weighted.mass is not None
    config = plain("loss._target_=experiments.catalogue.losses.Huber", "loss=cross_entropy")
    del config["loss"]["label_smoothing"]
    assert call_of(config, "loss")[1] == {}
    config["loss"]["weight"] = "balanced"
    with pytest.raises(UserError, match="loss.weight: there is no such key"):
        call_of(config, "loss")
