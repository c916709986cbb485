"""A config that was read has the types and ranges of a typed one, or is refused in one message."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from comparison.sweeps import write_run
from running import QUIET, plain

from experiments import load_run
from experiments.comparison.reading import read_runs
from experiments.config.read_values import check_read_values, misfits
from experiments.errors.messages import UserError
from experiments.record.identity import identity_of

WRONG: dict[str, tuple[str, Any, str]] = {
    "a word for a number": ("seed", "abc", "seed='abc', and seed is a whole number"),
    "a list for a number": (
        "trainer.max_epochs",
        [1],
        "trainer.max_epochs=[1], and trainer.max_epochs is a whole number",
    ),
    "a fraction": ("trainer.max_epochs", 2.5, "trainer.max_epochs is a whole number"),
    "a truth value": ("seed", True, "seed=True, and seed is a whole number"),
    "a number for a word": ("trainer.precision", 32, "trainer.precision is a word"),
    "a negative batch": ("data.batch_size", -1, "data.batch_size=-1: allowed is full, or a whole"),
    "a batch of words": ("data.batch_size", "many", "data.batch_size=many: allowed is full"),
    "a huge number": ("model.hidden", [10**40], "allowed is a number of at most 64 bits"),
    "a huge seed": ("seed", 2**40, "seed=1099511627776: allowed is 0 to 4294967295"),
    "no number": ("optim.lr", float("nan"), "optim.lr=nan: allowed is a finite number"),
    "words in a list": ("model.hidden", ["a"], "model.hidden is a list of whole numbers"),
    "a list of a group": ("checkpoint", [1], "checkpoint"),
    "a choice": ("trainer.precision", "8-bit", "trainer.precision"),
    "epochs": ("trainer.max_epochs", -5, "trainer.max_epochs=-5: allowed is a whole number of"),
}


def forged(tmp_path: Path, key: str, value: Any) -> Path:
    """Write a run with another value in its config, and a record that claims to be of that."""
    folder = write_run(tmp_path / "runs", {"activation": "relu"}, 3, 0.9)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    node = config
    *parents, last = key.split(".")
    for word in parents:
        node = node[word]
    node[last] = value
    record = json.loads((folder / "record.json").read_text())
    record["identity"] = identity_of(config, record["data_checksum"], record["code"])
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "record.json").write_text(json.dumps(record))
    return folder


@pytest.mark.parametrize(("key", "value", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_value_of_another_type_is_refused_by_its_key(
    key: str, value: Any, said: str, tmp_path: Path
) -> None:
    folder = forged(tmp_path, key, value)
    with pytest.raises(UserError) as refused:
        load_run(folder)
    assert said in str(refused.value)
    assert str(folder) in str(refused.value)
    assert "\n" not in str(refused.value)
    [left_out] = read_runs([tmp_path]).unread
    assert said in left_out.reason


def test_resume_and_figures_refuse_it_too(
    command: Callable, draw: Callable, tmp_path: Path
) -> None:
    folder = forged(tmp_path, "trainer.max_epochs", [1])
    answers = [command(*QUIET, f"resume={folder}"), command(f"from={folder}")]
    answers += [draw("figure=loss_landscape", f"run={folder}")]
    for answer in answers:
        assert answer.code == 2
        assert "trainer.max_epochs=[1], and trainer.max_epochs is a whole number" in answer.err
        assert answer.err.count("\n") == 1


def test_what_every_choice_makes_can_be_read() -> None:
    for words in (
        ["model=cnn", "data=npz", "optim=gd", "scheduler=plateau", "trainer=gpu"],
        ["model=transformer", "data=csv", "optim=muon", "trainer=ddp", "metrics=[f1_macro]"],
        ["model=gru", "data=moons", "callbacks=early_stopping", "loss.weight=[1,3]"],
        ["model=torchvision", "data=folder", "init=orthogonal", "data.augment.noise=0.5"],
        ["logger=tensorboard", "model=resnet", "trainer.max_time=00:01:00:00"],
    ):
        assert list(misfits(plain(*words))) == [], words
    check_read_values(
        plain("data.batch_size=full", "logger=csv", "checkpoint.every_seconds=null"), "x"
    )
