"""`callbacks=diagnostics`: it changes nothing of the run, and says what is so."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from killing import killed_run
from running import QUIET, plain, run_folders

from experiments import load_run
from experiments.config.launch import Launch
from experiments.errors.messages import UserError
from experiments.training.build import build_datamodule, load_data
from experiments.training.diagnostics.probe import drawn
from experiments.training.load import Run
from experiments.training.run import train
from experiments.training.run_parts import build_run

# 18 batches of 16 points in an epoch.
SMALL = ["data=moons", "data.num_samples=400", "data.batch_size=16", "trainer.max_epochs=2"]
SMALL += ["model=mlp", "model.hidden=[8,8]", "model.dropout=0.2", "model.norm=batch"]
WITH = ["callbacks=diagnostics", "callbacks.diagnostics.probe_size=64"]
EVERY_5 = [*WITH, "callbacks.diagnostics.every_n_steps=5"]

CASES = {
    "plain": [],
    "accumulation, clipping and bf16": [
        "trainer.accumulate_grad_batches=4",
        "trainer.gradient_clip_val=0.1",
        "trainer.precision=bf16-mixed",
    ],
    "average, max_steps and rows of steps": [
        "trainer.ema_decay=0.9",
        "trainer.max_steps=29",
        "trainer.log_every_n_steps=4",
    ],
    "weights to evaluate": ["optim=schedulefree_adamw", "trainer.val_check_interval=5"],
    "a loss computed again": [
        "optim=lbfgs",
        "optim.full_batch=false",
        "optim.max_iter=3",
        "trainer.max_epochs=1",
    ],
}


def values_of(row: dict[str, Any]) -> dict[str, float]:
    """Return what diagnostics say in a row."""
    return {n: v for n, v in row.items() if n.startswith("diagnostics/") and v is not None}


def rest_of(run: Run) -> list[dict[str, float]]:
    """Return the rows of a history without diagnostics, and without those that have nothing else."""
    rows = [
        {n: v for n, v in sorted(row.items()) if "diagnostics/" not in n and v is not None}
        for row in run.history
    ]
    return [row for row in rows if set(row) - {"epoch", "step", "lr"}]


def weights_of(run: Run) -> dict[str, torch.Tensor]:
    """Return the last weights and all that is saved with them."""
    path = run.folder / "checkpoints" / "last.ckpt"
    saved = torch.load(path, map_location="cpu", weights_only=True)
    return {**saved["state_dict"], "rng": saved["torch_rng_state"]}


def assert_same_training(one: Run, other: Run) -> None:
    """Fail unless two runs came to the same weights, random state and rows, bit for bit."""
    assert repr(rest_of(one)) == repr(rest_of(other))
    assert one.record["metrics"] == other.record["metrics"]
    assert one.record["identity"] == other.record["identity"]
    mine, others = weights_of(one), weights_of(other)
    assert all(torch.equal(value, others[name]) for name, value in mine.items())


@pytest.mark.parametrize("case", CASES)
def test_changes_nothing_for_any_number_of_steps_at_once(case: str, train_run: Callable) -> None:
    reference = train_run(*SMALL, *CASES[case])
    for cadence, others in ((WITH, "auto"), (EVERY_5, 7)):
        one, other = (
            train_run(*SMALL, *CASES[case], *cadence, f"steps_per_execution={k}")
            for k in (1, others)
        )
        for run in (one, other):
            assert_same_training(reference, run)
            assert any(values_of(row) for row in run.history)
        text = (one.folder / "history.csv").read_text()
        assert text == (other.folder / "history.csv").read_text()


@pytest.mark.parametrize(("dies_in", "every"), [(12, 5), (15, 5), (20, "auto")])
def test_a_run_killed_goes_on_as_if_nothing_had_happened(
    dies_in: int,
    every: Any,
    train_run: Callable,
    command: Callable,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Checkpoints stand at every other step: right before a measurement, and right after one."""
    overrides = [*SMALL, *WITH, f"callbacks.diagnostics.every_n_steps={every}"]
    overrides += ["checkpoint.every_n_steps=2"]
    reference = train_run(*overrides)
    killed = killed_run(monkeypatch, overrides, dies_in)
    assert command(*QUIET, f"resume={killed}").code == 0
    run = load_run(killed)
    assert_same_training(reference, run)
    assert (run.folder / "history.csv").read_text() == (
        reference.folder / "history.csv"
    ).read_text()


def test_says_what_a_loop_by_hand_finds(train_run: Callable) -> None:
    """Gradient norms, update ratios and the cosine of the very steps, written out."""
    overrides = [*SMALL, "model.dropout=0.0", "model.norm=none", "optim=momentum"]
    run = train_run(*overrides, "trainer.max_epochs=1", *EVERY_5)
    prepared = build_run(run.config)
    network, normalize = prepared.module.network, prepared.module.normalize
    optimizer = prepared.recipe.optimizer.make(network)
    datamodule = build_datamodule(run.config, load_data(run.config))
    found, former = {}, None
    for step, batch in enumerate(datamodule.train_dataloader(), 1):
        optimizer.zero_grad()
        F.cross_entropy(network(normalize(batch.inputs)), batch.targets).backward()
        before = network.layers[0].affine.weight.detach().clone()
        gradient = torch.cat([p.grad.flatten() for p in network.parameters()])
        optimizer.step()
        after = network.layers[0].affine.weight.detach()
        weight = network.layers[0].affine.weight
        found[step] = {
            "diagnostics/network/gradient_norm": gradient.norm(),
            "diagnostics/layers.0/gradient_norm": weight.grad.norm(),
            "diagnostics/layers.0/update_ratio": (after - before).norm() / before.norm(),
        }
        if former is not None:
            cosine = F.cosine_similarity(gradient, former, dim=0)
            found[step]["diagnostics/network/gradient_cosine"] = cosine
        former = gradient.clone()
    rows = {int(row["step"]): values_of(row) for row in run.history if values_of(row)}
    assert list(rows) == [5, 10, 15]
    for step, values in rows.items():
        for name, value in found[step].items():
            assert values[name] == pytest.approx(float(value), rel=1e-4), (step, name)


def test_says_what_the_trained_units_do_on_the_probe(train_run: Callable) -> None:
    """Of a convolution a unit is a channel; the probe is all training points here."""
    run = train_run(
        "data=digits", "model=cnn", "model.channels=[4,6]", "trainer.max_epochs=1",
        "callbacks=diagnostics", "callbacks.diagnostics.probe_size=5000",
    )  # fmt: skip
    [row] = [values_of(row) for row in run.history]
    module = run.module("last").eval()
    points = build_run(run.config).datamodule.train
    points = points.take(drawn(len(points), 5000, seed=0)[: len(points) // 8 * 8])
    with torch.no_grad():
        x = module.normalize(points.inputs)
        layer = module.network.convs[0]
        h = layer.activation(layer.affine(x))
        per_channel = h.transpose(0, 1).flatten(1)
    told = {name.removeprefix("diagnostics/convs.0/"): value for name, value in row.items()}
    assert told["dead"] == pytest.approx(float((per_channel.amax(1) == 0).float().mean()))
    # Of a ReLU the derivative is 0 exactly where the output is.
    assert told["saturated"] == pytest.approx(float((h == 0).float().mean()), abs=1e-5)
    assert told["mean"] == pytest.approx(float(h.mean()), rel=1e-4)
    assert told["variance"] == pytest.approx(float(h.var()), rel=1e-3)
    assert {name.split("/")[1] for name in row} == {"convs.0", "convs.1", "head", "network"}


def test_measures_epochs_ends_at_the_default_cadence(train_run: Callable) -> None:
    """The first and the last epoch, and those that end 500 steps after the last measurement."""
    few = ["data=moons", "data.num_samples=400", "data.batch_size=2", "model=linear"]
    run = train_run(*few, "callbacks=diagnostics", "trainer.max_epochs=8")  # 144 steps an epoch
    measured = [int(row["epoch"]) for row in run.history if values_of(row)]
    assert measured == [1, 5, 8]
    assert run.record["steps"] == 8 * 144


def test_a_network_without_hidden_layers_has_gradients_and_steps(train_run: Callable) -> None:
    run = train_run("model=linear", "trainer.max_epochs=1", *WITH)
    [row] = [values_of(row) for row in run.history]
    head = {n.rpartition("/")[2] for n in row if "/head/" in n}
    assert head == {"gradient_norm", "update_ratio", "mean", "variance"}
    assert all(math.isfinite(value) for value in row.values())


def test_of_many_layers_a_bounded_number_is_measured_and_it_is_said(train_run: Callable) -> None:
    deep = ["data=moons", "data.num_samples=200", "model=mlp", "model.hidden=[4,4,4,4,4,4,4]"]
    run = train_run(*deep, "trainer.max_epochs=1", *WITH, "callbacks.diagnostics.max_layers=3")
    [row] = [values_of(row) for row in run.history]
    layers = list(dict.fromkeys(name.split("/")[1] for name in row))
    assert sorted(layers) == ["head", "layers.0", "layers.4", "network"]
    assert len(row) <= 3 * 6 + 3
    log = (run.folder / "train.log").read_text()
    assert log.count("3 of 8 layers are measured, evenly from the first to the last") == 1


def test_the_values_are_where_others_read_them(train_run: Callable, command: Callable) -> None:
    """In the history that the torch-free mirror follows, and in Lightning's own files."""
    from experiments.tracking.growth import GrowingHistory

    assert command("progress=none", "logger=csv", "model=linear", "trainer.max_epochs=2", *WITH)
    [folder] = run_folders()
    _, rows = GrowingHistory(folder).new_rows()
    assert [values_of(row) for row in rows] == [values_of(row) for row in load_run(folder).history]
    assert len(values_of(rows[0])) == 4 + 3
    [lightnings] = folder.glob("csv/metrics.csv")
    with lightnings.open() as file:
        assert "diagnostics/head/update_ratio" in next(csv.reader(file))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("callbacks.diagnostics.every_n_steps=0", "every_n_steps=0: allowed is auto or a whole"),
        ("callbacks.diagnostics.every_n_steps=often", "every_n_steps=often: allowed is auto"),
        ("callbacks.diagnostics.max_layers=0", "max_layers=0: allowed is a whole number of at"),
        ("callbacks.diagnostics.probe_size=1.5", "probe_size=1.5: allowed is a whole number"),
        ("+callbacks.diagnostics.layers=3", "layers"),
    ],
)
def test_values_that_cannot_be_are_told(given: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        train(plain(*QUIET, *SMALL, *WITH, given), Launch([]))
    assert said in str(caught.value)
    assert "callbacks.diagnostics" in str(caught.value)
    assert not Path("outputs").exists()
