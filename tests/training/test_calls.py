"""How many steps a call does changes nothing, and neither does being killed between two of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from killing import clock_of_steps, killed_again, killed_run
from lightning.pytorch.callbacks import Callback, LambdaCallback
from running import QUIET, plain, run_folders
from same_runs import assert_same, assert_same_runs
from torch.nn.utils import clip_grad_norm_

from experiments import load_run
from experiments.config.launch import Launch
from experiments.errors.messages import RunFailed, UserError
from experiments.training.build import build_datamodule, load_data
from experiments.training.calls import per_batch_hooks
from experiments.training.devices import computing_with
from experiments.training.run import train
from experiments.training.run_parts import build_run

# 18 batches of 16 points in an epoch.
SMALL = ["data=moons", "data.num_samples=400", "data.batch_size=16", "trainer.max_epochs=3"]
SMALL += ["model=mlp", "model.hidden=[8,8]", "model.dropout=0.2", "model.norm=batch"]

SHORT = [*SMALL, "trainer.max_epochs=2"]
"""An end of an epoch that another one follows, and the last one."""

CASES = {
    "plain": [],
    "schedule per step": ["scheduler=cosine", "scheduler.interval=step"],
    "schedule per epoch": ["scheduler=step", "scheduler.step_size=1"],
    "clipping by norm": ["trainer.gradient_clip_val=0.1"],
    "clipping by value": [
        "trainer.gradient_clip_val=0.01",
        "trainer.gradient_clip_algorithm=value",
    ],
    "accumulation": ["trainer.accumulate_grad_batches=4", "scheduler=cosine"],
    "bf16": ["trainer.precision=bf16-mixed"],
    "average of weights": ["trainer.ema_decay=0.9"],
    "max_steps": ["trainer.max_steps=29"],
    "limit_train_batches": ["trainer.limit_train_batches=5"],
    "limit and accumulation": [
        "trainer.limit_train_batches=5",
        "trainer.accumulate_grad_batches=2",
    ],
    "part of the batches": ["trainer.limit_train_batches=0.4"],
    "overfit_batches": ["trainer.overfit_batches=3"],
    "validation by steps": ["trainer.val_check_interval=5"],
    "validation by parts": ["trainer.val_check_interval=0.25"],
    "validation amid accumulation": [
        "trainer.val_check_interval=0.3",
        "trainer.accumulate_grad_batches=4",
    ],
    "rows of steps": ["trainer.log_every_n_steps=4"],
    "rows of accumulated steps": [
        "trainer.log_every_n_steps=2",
        "trainer.accumulate_grad_batches=4",
    ],
    "checkpoints of steps": ["checkpoint.every_n_steps=4"],
    "weights to evaluate": ["optim=schedulefree_adamw", "trainer.val_check_interval=5"],
    "a loss computed again": [
        "optim=lbfgs",
        "optim.full_batch=false",
        "optim.max_iter=3",
        "trainer.gradient_clip_val=1.0",
    ],
    "two optimizers in one": ["optim=muon", "scheduler=onecycle"],
    "a plateau": [
        "scheduler=plateau",
        "scheduler.patience=0",
        "scheduler.threshold=0.2",
        "trainer.max_epochs=3",
    ],
    "a cycle of momentum": ["optim=momentum", "scheduler=onecycle"],
    "mixed points and the loss of all": ["data.augment.mixup=0.4", "log_full_loss=true"],
    "drawn points and weighted classes": [
        "data.sampler=balanced",
        "data.label_noise=0.2",
        "loss.weight=[1,3]",
    ],
    "all at once": [
        "scheduler=cosine",
        "scheduler.interval=step",
        "trainer.gradient_clip_val=0.5",
        "trainer.accumulate_grad_batches=2",
        "trainer.ema_decay=0.5",
        "trainer.val_check_interval=4",
        "trainer.log_every_n_steps=3",
        "checkpoint.every_n_steps=5",
        "optim=nesterov",
    ],
}


@pytest.mark.parametrize("case", CASES)
def test_the_number_of_steps_at_once_changes_nothing(case: str, train_run: Callable) -> None:
    one, *others = (train_run(*SHORT, *CASES[case], f"steps_per_execution={k}") for k in (1, 7, 64))
    for other in others:
        assert_same_runs(one, other)


@pytest.mark.parametrize("case", ["plain", "all at once"])
def test_the_time_that_a_call_may_take_changes_nothing(
    case: str, train_run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default a call ends after a time, where it has not ended before."""
    one = train_run(*SHORT, *CASES[case], "steps_per_execution=1")
    for seconds in (0.0, math.inf):
        monkeypatch.setattr("experiments.training.trainer.LONGEST_CALL", seconds)
        assert_same_runs(one, train_run(*SHORT, *CASES[case]))


def test_the_clock_stops_a_run_after_the_same_step(
    train_run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock_of_steps(monkeypatch, "lightning.pytorch.callbacks.timer")
    runs = [
        train_run(*SMALL, "trainer.max_time=00:00:00:23", f"steps_per_execution={k}")
        for k in (1, 7, 64)
    ]
    assert [run.record["steps"] for run in runs] == [23] * 3
    for run in runs[1:]:
        assert_same_runs(runs[0], run)


@pytest.mark.parametrize("optim", ["momentum", "adam", "rmsprop"])
def test_a_run_is_the_hand_written_loop(optim: str, train_run: Callable) -> None:
    """Bit for bit what a plain loop over the same batches gives, clipping and schedule included."""
    overrides = [*SMALL, f"optim={optim}", "model.dropout=0.0", "trainer.gradient_clip_val=0.3"]
    overrides += ["scheduler=cosine", "scheduler.interval=step", "init=xavier"]
    run = train_run(*overrides)
    prepared = build_run(run.config)
    network, normalize = prepared.module.network, prepared.module.normalize
    optimizer = prepared.recipe.optimizer.make(network)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3 * 18)
    network.train()
    loader = build_datamodule(run.config, load_data(run.config)).train_dataloader()
    with computing_with(prepared.num_threads, "highest"):
        for epoch in range(3):
            loader.sampler.set_epoch(epoch)
            for batch in loader:
                loss = F.cross_entropy(network(normalize(batch.inputs)), batch.targets)
                optimizer.zero_grad()
                loss.backward()
                clip_grad_norm_(network.parameters(), 0.3)
                optimizer.step()
                scheduler.step()
    assert_same(run.module("last").network.state_dict(), network.state_dict())


def test_an_accumulated_step_is_the_step_of_one_larger_batch(train_run: Callable) -> None:
    alike = ["model.dropout=0.0", "model.norm=none", "optim=momentum"]
    whole = train_run(*SMALL, *alike, "data.batch_size=64")
    parts = train_run(*SMALL, *alike, "trainer.accumulate_grad_batches=4")
    assert parts.record["steps"] == whole.record["steps"] == 3 * 5
    for row, reference in zip(parts.history, whole.history, strict=True):
        assert row == pytest.approx(reference, rel=1e-5)
    for name, value in whole.module().state_dict().items():
        torch.testing.assert_close(parts.module().state_dict()[name], value)


def test_the_average_of_weights_is_what_is_validated_and_tested(train_run: Callable) -> None:
    decay = 0.8
    overrides = [*SMALL, "model.norm=none", "model.dropout=0.0", "optim=sgd"]
    run = train_run(*overrides, f"trainer.ema_decay={decay}", "trainer.max_epochs=1")
    prepared = build_run(run.config)
    network, normalize = prepared.module.network, prepared.module.normalize
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    average: dict[str, torch.Tensor] = {}
    for batch in build_datamodule(run.config, load_data(run.config)).train_dataloader():
        optimizer.zero_grad()
        F.cross_entropy(network(normalize(batch.inputs)), batch.targets).backward()
        optimizer.step()
        for name, value in network.named_parameters():
            old = average.get(name, value.detach())
            average[name] = decay * old + (1 - decay) * value.detach()
    module = run.module()
    for name, value in average.items():
        torch.testing.assert_close(module.average.module.get_parameter(name), value)
    val = prepared.datamodule.val
    with torch.no_grad():
        network.load_state_dict(average)
        loss = F.cross_entropy(network(normalize(val.inputs)), val.targets).item()
    assert run.record["metrics"]["val/loss"] == pytest.approx(loss, rel=1e-5)
    trained = module.network.state_dict()
    assert any(not torch.equal(average[name], trained[name]) for name in average)


# 21 batches of 64 points in an epoch.
IMAGES = ["data=digits", "model=cnn", "model.channels=[4]", "model.dropout=0.3"]
IMAGES += ["data.augment.random_crop=1", "data.augment.horizontal_flip=0.5", "trainer.max_epochs=2"]
IMAGES += ["scheduler=cosine", "scheduler.interval=step", "trainer.log_every_n_steps=5"]
IMAGES += ["trainer.val_check_interval=8", "trainer.ema_decay=0.9"]


class Killed(RuntimeError):
    """The end of the process, as far as a test can have it in its own."""


@pytest.mark.parametrize("steps", [1, 5, 25])
def test_a_run_killed_after_any_step_goes_on_as_if_nothing_had_happened(
    steps: int, train_run: Callable, command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run dies six times. Checkpoints stand at steps 4, 8, 12, ... and at the ends of epochs:
    it goes on from none, and from 8, 12, 20, 21 and 28.
    """
    overrides = [*IMAGES, f"steps_per_execution={steps}", "checkpoint.every_n_steps=4"]
    reference = train_run(*overrides)
    killed = killed_run(monkeypatch, overrides, 3)
    for dies_at in (9, 16, 21, 22, 30):
        killed_again(monkeypatch, killed, dies_at)
    answer = command(*QUIET, f"resume={killed}")
    assert answer.code == 0, answer.err
    assert run_folders()[-1] == killed
    assert_same_runs(reference, load_run(killed))


RESUMED = [
    *("schedule per epoch", "accumulation", "bf16", "max_steps", "limit and accumulation"),
    *("validation by parts", "validation amid accumulation", "rows of accumulated steps"),
    *("all at once", "every other epoch", "max_steps without validation", "early stopping"),
    *("weights to evaluate", "a loss computed again", "two optimizers in one", "a plateau"),
    *("a cycle of momentum", "mixed points and the loss of all"),
]
MORE_CASES = {
    "every other epoch": ["trainer.check_val_every_n_epoch=2", "scheduler=step"],
    "max_steps without validation": ["trainer.max_steps=40", "data.val_fraction=0"],
    "early stopping": [
        "callbacks=early_stopping",
        "callbacks.early_stopping.patience=1",
        "callbacks.early_stopping.min_delta=0.5",
    ],
}


@pytest.mark.parametrize("case", RESUMED)
def test_a_killed_run_goes_on_in_every_combination(
    case: str, train_run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed amid its first epoch, and again after its end."""
    overrides = [*SMALL, *(CASES | MORE_CASES)[case], "checkpoint.every_n_steps=3"]
    reference = train_run(*overrides)
    ends = [row["step"] for row in reference.history if row["epoch"] == 1]
    killed = killed_run(monkeypatch, overrides, 4)
    killed_again(monkeypatch, killed, int(max(ends)) + 1)
    # Other numbers of steps at once, as nothing hangs on them.
    typed = [f"resume={killed}", "steps_per_execution=3", "trainer.threads=1"]
    train(plain(*QUIET, *typed), Launch(typed))
    assert run_folders()[-1] == killed
    assert_same_runs(reference, load_run(killed))


def test_a_stop_that_was_decided_holds_when_the_run_is_resumed(
    train_run: Callable, command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it was tested, after early stopping had ended the training."""
    overrides = [*SMALL, *MORE_CASES["early stopping"], "trainer.max_epochs=9"]
    reference = train_run(*overrides)
    assert reference.record["epochs"] < 9

    def dies(*arguments: Any, **values: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("lightning.Trainer.test", dies)
        with pytest.raises(RunFailed):
            train(plain(*QUIET, *overrides), Launch([]))
    killed = run_folders()[-1]
    assert command(*QUIET, f"resume={killed}").code == 0
    assert_same_runs(reference, load_run(killed))


class PerBatch(Callback):
    """A callback that wants to hear of every step."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []

    def on_train_batch_start(self, trainer, module, batch, batch_idx) -> None:  # type: ignore[no-untyped-def]
        self.heard.append(("start", (batch_idx, len(batch.targets))))

    def on_before_zero_grad(self, trainer, module, optimizer) -> None:  # type: ignore[no-untyped-def]
        self.heard.append(("zero_grad", None))

    def on_before_backward(self, trainer, module, loss) -> None:  # type: ignore[no-untyped-def]
        self.heard.append(("backward", float(loss.detach())))

    def on_after_backward(self, trainer, module) -> None:  # type: ignore[no-untyped-def]
        self.heard.append(("gradients", None))

    def on_before_optimizer_step(self, trainer, module, optimizer) -> None:  # type: ignore[no-untyped-def]
        self.heard.append(("step", trainer.global_step))

    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx) -> None:  # type: ignore[no-untyped-def]
        self.heard.append(("end", (batch_idx, float(outputs["loss"]))))


def test_a_callback_that_wants_every_step_gets_every_step(
    train_run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = PerBatch()
    unheard = train_run(*SMALL, "trainer.max_epochs=1")
    monkeypatch.setattr("experiments.training.build.build_callbacks", lambda config: [mine])
    heard = train_run(*SMALL, "trainer.max_epochs=1")
    assert_same(heard.module().state_dict(), unheard.module().state_dict())
    order = [word for word, _ in mine.heard]
    assert order == ["start", "zero_grad", "backward", "gradients", "step", "end"] * 18
    told = {word: [v for w, v in mine.heard if w == word] for word in order}
    assert told["start"] == [(i, 16) for i in range(18)]
    assert told["step"] == list(range(18))
    assert [loss for _, loss in told["end"]] == told["backward"]
    log = (heard.folder / "train.log").read_text()
    assert "PerBatch.on_train_batch_start" in log


def test_which_hooks_ask_for_single_steps() -> None:
    # Lightning's LambdaCallback has its hooks on the instance.
    told = LambdaCallback(on_train_batch_end=lambda *arguments: None)
    assert per_batch_hooks([told]) == ["LambdaCallback.on_train_batch_end"]

    class Quiet(Callback):
        def on_train_epoch_end(self, trainer, module) -> None:  # type: ignore[no-untyped-def]
            pass

    assert per_batch_hooks([Quiet()]) == []
    assert per_batch_hooks([Quiet(), PerBatch()])[0] == "PerBatch.on_train_batch_start"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("steps_per_execution=0", "steps_per_execution=0: allowed is auto or a whole number"),
        ("steps_per_execution=many", "steps_per_execution=many: allowed is auto or"),
        ("trainer.val_check_interval=0", "trainer.val_check_interval=0: allowed is a number of"),
        ("trainer.val_check_interval=1.5", "trainer.val_check_interval=1.5: allowed is a number"),
        ("trainer.val_check_interval=19", "allowed is 1 to 18 (the whole optimizer steps of an"),
        ("trainer.ema_decay=1.0", "trainer.ema_decay=1.0: allowed is a number from 0 up to below"),
        ("trainer.threads=0", "trainer.threads=0: allowed is auto or a whole number"),
        ("trainer.matmul_precision=low", "trainer.matmul_precision=low"),
        ("checkpoint.every_n_steps=-1", "checkpoint.every_n_steps=-1: allowed is a whole number"),
        ("data.memory_limit=-1", "data.memory_limit=-1.0: allowed is a number of at least 0"),
        ("data.augment.random_crop=2", "data.augment.random_crop: moons has points of shape (2,)"),
        ("+data.augment.rotate=10", "data.augment"),
        ("trainer.limit_train_batches=0.001", "a part of the 18 that holds one"),
        ("trainer.limit_val_batches=0.01", "trainer.limit_val_batches=0.01: allowed is a number"),
    ],
)
def test_values_that_cannot_be_are_told(given: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        train(plain(*QUIET, *SMALL, given), Launch([]))
    assert said in str(caught.value)
    assert not Path("outputs").exists()


def test_a_crop_is_smaller_than_the_image() -> None:
    with pytest.raises(UserError, match="allowed is 0 .none. to 8 pixels, the size of a point"):
        train(plain(*QUIET, "data=digits", "data.augment.random_crop=9"), Launch([]))


def test_data_above_the_memory_limit_give_the_same_run(train_run: Callable) -> None:
    inside = train_run(*IMAGES)
    outside = train_run(*IMAGES, "data.memory_limit=0", "data.num_workers=1")
    assert_same_runs(inside, outside)
    log = (outside.folder / "train.log").read_text()
    assert "above data.memory_limit=0; read by 1 workers" in log
    assert "memory_limit" not in (inside.folder / "train.log").read_text()
