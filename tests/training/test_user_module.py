"""A whole LightningModule of somebody's: trained as Lightning trains it, and a run like any other."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from running import QUIET, plain, run_folders
from torch import nn
from torch.nn import functional as F

from experiments import load_run
from experiments.errors.messages import UserError
from experiments.training.build import build_datamodule, load_data
from experiments.training.predict import predict
from experiments.training.run_parts import build_run

DATA = ["data=xor", "data.num_samples=60"]
MODULE = '''
import lightning as L
import torch
from torch import nn
from torch.nn import functional as F
from lightning.pytorch.callbacks import ModelCheckpoint


class Plain(L.LightningModule):
    """No steps but that of training."""

    def __init__(self, shape, num_outputs, activation, lr=0.5, dropout=0.0):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Linear(shape[0], 8), activation(), nn.Dropout(dropout), nn.Linear(8, num_outputs)
        )

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        return F.cross_entropy(self(x), y)

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), self.hparams.lr)
        scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
        return {"optimizer": optimizer, "lr_scheduler": scheduler}


class Logging(Plain):
    """Logs what ours would measure, and more."""

    def training_step(self, batch, batch_idx):
        self.log("train/seven", 7.0, on_step=True, on_epoch=True)
        return super().training_step(batch, batch_idx)

    def on_train_epoch_end(self):
        self.log("train/epoch", float(self.current_epoch))

    def validation_step(self, batch, batch_idx):
        self.log("val/loss", 3.0 + self.current_epoch)
        self.log("val/dice", 0.25 * (self.current_epoch % 3))
        self.log("val_old", 1.0)

    def test_step(self, batch, batch_idx):
        x, y = batch
        self.log("test/size", float(len(y)), reduce_fx="sum")


class Two(L.LightningModule):
    """Two optimizers by hand, and nothing that could be measured but what it logs."""

    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.a, self.b = nn.Linear(2, 4), nn.Linear(4, 2)

    def training_step(self, batch, batch_idx):
        x, y = batch
        for optimizer in self.optimizers():
            loss = F.cross_entropy(self.b(self.a(x).relu()), y)
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        self.log("train/loss", loss, on_step=False, on_epoch=True)

    def validation_step(self, batch, batch_idx):
        x, y = batch
        self.log("val/loss", F.cross_entropy(self.b(self.a(x).relu()), y))

    def test_step(self, batch, batch_idx):
        x, y = batch
        self.log("test/share", (self.b(self.a(x).relu()).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return [torch.optim.SGD(part.parameters(), 0.1) for part in (self.a, self.b)]


class Broken(Plain):
    def __init__(self, shape, num_outputs, activation, how):
        super().__init__(shape, num_outputs, activation)
        self.how = how

    def forward(self, x):
        if self.how == "forward":
            return {"logits": self.net(x)}
        return self.net(x)

    def training_step(self, batch, batch_idx):
        x, y = batch
        if self.how == "raises":
            raise RuntimeError("no such thing")  # raises
        loss = F.cross_entropy(self.net(x), y)
        return None if self.how == "none" else loss * float("nan") if self.how == "nan" else loss

    def configure_optimizers(self):
        return None if self.how == "no optimizer" else super().configure_optimizers()

    def configure_callbacks(self):
        return [ModelCheckpoint()] if self.how == "callback" else []

    def on_save_checkpoint(self, checkpoint):
        if self.how == "checkpoint":
            checkpoint["mine"] = nn.ReLU()


class Unlogged(Two):
    def validation_step(self, batch, batch_idx):
        self.log("val/dice", 0.5)


class Bare(Two):
    validation_step = L.LightningModule.validation_step
    test_step = L.LightningModule.test_step
'''


@pytest.fixture(autouse=True)
def mine(tmp_path: Path) -> Iterator[Path]:
    """A module of somebody's, and its choices, in the folder that one stands in."""
    file = tmp_path / "lit_modules.py"
    file.write_text(MODULE)
    folder = tmp_path / "conf" / "model"
    folder.mkdir(parents=True)
    for name in ("Plain", "Logging", "Two"):
        (folder / f"{name.lower()}.yaml").write_text(
            f"name: {name.lower()}\n_target_: lit_modules.{name}\n"
        )
    path = list(sys.path)
    yield file
    sys.path[:] = path
    sys.modules.pop("lit_modules", None)


def config_of(name: str, *overrides: str, **keys: object) -> dict:
    config = plain(*DATA, "model=mlp", *QUIET, *overrides)
    return config | {"model": {"name": "mine", "_target_": f"lit_modules.{name}", **keys}}


def said_of(name: str, *overrides: str, more: dict | None = None, **keys: object) -> str:
    with pytest.raises(UserError) as caught:
        build_run(config_of(name, *overrides, **keys) | (more or {}))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def trained(command: Callable, *typed: str) -> tuple[Path, str]:
    quiet = [word for word in QUIET if not any(w.startswith(word[:7]) for w in typed)]
    answer = command("--config-dir=conf", *DATA, *quiet, *typed)
    assert answer.code == 0, answer.err
    return run_folders()[-1], " ".join((answer.out + answer.err).split())


def test_it_takes_the_steps_that_it_writes_itself(command: Callable) -> None:
    full = ["data.batch_size=full", "trainer.max_epochs=3", "activation=tanh"]
    folder, told = trained(command, "model=plain", *full, "optim.lr=0.1", "seed=4")
    assert "optim.lr=0.1 has no effect with model=plain, which trains itself." in told
    assert "loss, accuracy with loss=cross_entropy" in told
    config = load_run(folder).config
    parts = build_run(config)
    net: nn.Module = parts.module.network.net
    points = parts.datamodule.train
    inputs, targets = points.inputs[:], points.targets[:]
    inputs = (inputs - inputs.mean(0)) / inputs.std(0, correction=0)
    losses = []
    for lr in (0.5, 0.25, 0.125):
        loss = F.cross_entropy(net(inputs), targets)
        losses.append(loss.item())
        net.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in net.parameters():
                p -= lr * p.grad
    run = load_run(folder)
    assert [row["train/loss"] for row in run.history] == pytest.approx(losses, rel=1e-5)
    assert [row["lr"] for row in run.history] == [0.5, 0.25, 0.125]
    last = run.module("last")
    for own, expected in zip(last.network.net.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(own, expected)
    assert run.record["num_parameters"] == 2 * 8 + 8 + 8 * 2 + 2
    assert run.record["code"] is not None
    assert list(run.record["code"]) == ["lit_modules"]
    assert (run.record["steps"], run.record["epochs"]) == (3, 3)
    # Lightning's own way of reading its file works too.
    theirs = type(parts.module.network).load_from_checkpoint(
        folder / "checkpoints" / "last.ckpt", shape=(2,), num_outputs=2, activation=nn.Tanh
    )
    assert theirs.hparams.lr == 0.5
    torch.testing.assert_close(theirs.net[0].weight, last.network.net[0].weight)


@pytest.mark.filterwarnings("ignore:.*LeafSpec")  # of Lightning's, when it predicts
def test_validation_and_test_are_measured_on_its_forward(command: Callable) -> None:
    folder, _ = trained(command, "model=plain", "trainer.max_epochs=4", "metrics=f1_macro")
    run = load_run(folder)
    module = run.module()
    data = build_datamodule(run.config, load_data(run.config))
    outputs = module(data.test.inputs)
    hits = (outputs.argmax(1) == data.test.targets).double().mean()
    assert run.record["metrics"]["test/accuracy"] == pytest.approx(hits.item())
    expected = F.cross_entropy(outputs, data.test.targets).item()
    assert run.record["metrics"]["test/loss"] == pytest.approx(expected, rel=1e-5)
    assert {"val/f1_macro", "test/f1_macro"} <= set(run.record["metrics"])
    assert run.predictions is not None
    assert run.predictions.classes.tolist() == outputs.argmax(1).tolist()
    lowest = min(run.history, key=lambda row: row["val/loss"])
    assert run.record["best_epoch"] == lowest["epoch"]
    np.save("x.npy", data.test.inputs.numpy())
    _, told = predict(folder, "x.npy", "told.csv")
    assert told.classes.tolist() == outputs.argmax(1).tolist()


def test_what_it_logs_itself_counts(command: Callable) -> None:
    typed = ["+metrics.dice.better=max", "checkpoint.monitor=val/dice", "trainer.max_epochs=5"]
    folder, told = trained(command, "model=logging", *typed, "loss=focal", "logger=csv")
    assert "loss=focal has no effect" in told
    assert "model=logging logs val_old: kept is what begins with train/, val/ or test/." in told
    run = load_run(folder)
    assert [row["val/loss"] for row in run.history] == [3.0, 4.0, 5.0, 6.0, 7.0]
    assert [row["train/epoch"] for row in run.history] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert {row["train/seven"] for row in run.history} == {7.0}
    assert "train/seven_step" not in run.history[0]
    assert all(0 <= row["val/accuracy"] <= 1 for row in run.history)
    assert run.record["best_epoch"] == 3  # the first of the highest
    assert run.record["metrics"]["val/dice"] == 0.5
    assert run.record["metrics"]["test/size"] == run.record["num_test"] == 12
    assert "test/accuracy" in run.record["metrics"]
    # The logger has each row once, and the config as it is, not what the module keeps of it.
    with (folder / "csv" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["val/dice"]]
    assert [float(row["val/dice"]) for row in rows] == [r["val/dice"] for r in run.history]
    kept = yaml.safe_load((folder / "csv" / "hparams.yaml").read_text())
    assert kept["activation"]["name"] == "relu"
    assert "lr" not in kept


def test_optimization_by_hand_and_no_forward(command: Callable) -> None:
    folder, told = trained(command, "model=two", "trainer.max_epochs=2", "data.batch_size=16")
    assert "its forward is not measured (it has none)" in told
    run = load_run(folder)
    assert run.record["steps"] == 2 * 2 * 3  # two optimizers, three batches of the 43 points
    assert {"val/loss", "test/share", "train/loss"} <= set(run.record["metrics"])
    assert "test/accuracy" not in run.record["metrics"]
    assert run.predictions is None
    assert isinstance(run.module().network.a, nn.Linear)
    np.save("x.npy", np.zeros((3, 2), dtype="float32"))
    with pytest.raises(UserError, match="whose forward"):
        predict(folder, "x.npy", "told.csv")


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(
    command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = ["model=plain", "+model.dropout=0.5", "trainer.max_epochs=4", "data.batch_size=8"]
    typed += ["checkpoint.every_n_steps=2", "trainer.log_every_n_steps=1"]
    whole, _ = trained(command, *typed)

    def stop(self, trainer, *_) -> None:
        if trainer.global_step == 15:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("experiments.training.callbacks.stay_stopped.StayStopped.on_train_batch_end", stop)  # fmt: skip
        words = ["--config-dir=conf", *DATA, "logger=none", "progress=none", *typed]
        assert command(*words).code == 130
    stopped = run_folders()[-1]
    assert stopped != whole
    assert command(*QUIET, f"resume={stopped}").code == 0
    one, other = load_run(whole), load_run(stopped)
    assert one.history == other.history
    assert one.record["metrics"] == other.record["metrics"]
    for a, b in zip(
        one.module("last").parameters(), other.module("last").parameters(), strict=True
    ):
        assert torch.equal(a, b)


def test_a_loss_that_is_no_number_ends_the_run(command: Callable) -> None:
    answer = command("--config-dir=conf", *DATA, *QUIET, "model=plain", "+model.lr=1e38")
    assert answer.code == 0, answer.err
    record = load_run(run_folders()[-1]).record
    assert record["status"] == "diverged"
    assert "at step" in record["error"]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raises", "RuntimeError: no such thing when it is tried on a few points (FILE, line LINE)"),
        ("none", "gives no loss of its training. Return the loss from training_step"),
        ("nan", "gives the loss nan at once"),
        ("no optimizer", "gives no step of an optimizer. Return one from configure_optimizers"),
        ("callback", "its configure_callbacks brings a ModelCheckpoint: this cannot be had"),
        ("checkpoint", "keeps in its checkpoint cannot be read back safely"),
        ("forward", "lacks a validation_step that logs val/loss and a test_step that logs "
         "test/loss (or test=false), and its forward cannot be measured in their place "
         "(it gives dict). Write what is missing, or a forward(x) that gives (B, 2)."),
    ],
)  # fmt: skip
def test_what_is_wrong_in_it_is_told(mine: Path, how: str, words: str) -> None:
    line = next(n for n, text in enumerate(MODULE.splitlines(), 1) if "# raises" in text)
    expected = words.replace("FILE", str(mine)).replace("LINE", str(line))
    said = said_of("Broken", how=how)
    assert expected in said, said
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("name", "overrides", "words"),
    [
        ("Plain", ["trainer.ema_decay=0.9"], "trainer.ema_decay=0.9: this cannot be had"),
        ("Plain", ["log_full_loss=true"], "Type log_full_loss=false."),
        ("Plain", ["callbacks=diagnostics"], "Type callbacks=none."),
        ("Two", ["trainer.gradient_clip_val=1.0"], "not supported for manual optimization"),
        ("Two", ["checkpoint.monitor=val/accuracy"], "checkpoint.monitor=val/accuracy"),
        ("Logging", ["checkpoint.monitor=val/dice"], "+metrics.dice.better=max, or min."),
        ("Unlogged", [], "measures no val/loss, by which the best weights are chosen"),
        ("Bare", [], "(it has none)"),
    ],
)
def test_what_cannot_be_had_of_it_is_told(name: str, overrides: list[str], words: str) -> None:
    assert words in said_of(name, *overrides)


def test_a_metric_that_it_does_not_log_is_told() -> None:
    added = {"metrics": {"f2": {"better": "max"}}}
    assert "logs no val/f2 nor test/f2; it logs" in said_of("Logging", more=added)
    unsure = {"metrics": {"dice": {"better": "more"}}}
    assert "metrics.dice.better=more: allowed is max, min." in said_of("Logging", more=unsure)
