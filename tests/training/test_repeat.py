"""A run again from its own folder: the same bit for bit, or what may explain that it is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from running import QUIET, run_folders
from same_runs import assert_same_runs

from experiments import load_run
from experiments.config.arguments import readable
from experiments.training.steps import UpdateRules

Command = Callable[..., Any]
TINY = ["data=moons", "data.num_samples=200", "model=mlp", "model.hidden=[8]", "model.dropout=0.2"]
TINY += ["trainer.max_epochs=2", "seed=3", "optim.lr=0.01"]


@pytest.fixture
def original(command: Command) -> Path:
    assert command(*QUIET, *TINY, "hydra.run.dir=first").code == 0
    return Path("first")


def test_it_is_the_same_and_says_so(command: Command, original: Path) -> None:
    said = command(*QUIET, f"from={original}", "hydra.run.dir=second", "steps_per_execution=1")
    assert said.code == 0, said.err
    assert "The same as first, bit for bit: the weights, 2 rows of history, 6 metrics." in said.out
    assert "The same as first" in (Path("second") / "train.log").read_text()
    assert_same_runs(load_run(original), load_run("second"))
    assert load_run("second").config["again"] == "first"


def test_what_is_left_of_a_run_is_compared(command: Command, original: Path) -> None:
    (original / "checkpoints" / "last.ckpt").unlink()
    said = command(*QUIET, f"from={original}", "hydra.run.dir=second")
    assert said.code == 0, said.err
    told = "The same as first, bit for bit: the weights, 2 rows of history, 6 metrics."
    assert f"{told} Not there any more, and not compared: last.ckpt." in said.out
    (original / "checkpoints" / "best.ckpt").unlink()
    said = command(*QUIET, f"from={original}", "hydra.run.dir=third")
    told = "The same as first, bit for bit: 2 rows of history, 6 metrics."
    assert f"{told} Not there any more, and not compared: best.ckpt, last.ckpt." in said.out


LEFT_OUT = [
    "trainer",
    "trainer.max_steps",
    "optim._target_",
    "data.val_fraction",
    "seed",
    "compile",
]


def test_a_config_that_lacks_a_key_is_told(command: Command, original: Path) -> None:
    shutil.rmtree(original / ".hydra")  # which has a copy
    file = original / "config.yaml"
    whole = file.read_text()
    for key in LEFT_OUT:
        config = yaml.safe_load(whole)
        group, _, word = key.rpartition(".")
        del (config[group] if group else config)[word]
        file.write_text(f"---\n{yaml.safe_dump(config)}...\n")
        for asked in ("from", "resume"):
            said = command(*QUIET, f"{asked}={original}")
            told = f"{file} has no {key}, which every run is trained by: "
            assert (said.code, said.err.count("\n")) == (2, 1)
            assert said.err.startswith(told)
    assert run_folders() == []


def test_a_sweep_repeats_no_run(command: Command) -> None:
    said = command("-m", "from=first", "seed=0,1")
    assert (said.code, said.err) == (
        2,
        "from=first: it is one run that is trained again. Type python train.py from=first, without "
        "-m.\n",
    )
    assert run_folders(Path()) == []


def test_what_differs_is_told_with_what_may_explain_it(
    command: Command, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = json.loads((original / "record.json").read_text())
    version = record["environment"]["versions"]["torch"]
    record["environment"]["versions"]["torch"] = "1.0.0"
    record["environment"]["host"] = "elsewhere"
    (original / "record.json").write_text(json.dumps(record))
    same = command(*QUIET, f"from={original}", "hydra.run.dir=second")
    assert same.code == 0
    assert f"And that though: torch 1.0.0 -> {version}; host elsewhere -> " in same.out
    step, done = UpdateRules.step, []

    def other_step(rules: Any, optimizer: Any, parameters: list[Any], *more: Any) -> None:
        done.append(1)
        step(rules, optimizer, parameters, *more)
        if len(done) == 4:  # of 3 batches in an epoch
            with torch.no_grad():
                parameters[0].view(-1)[0] += 1e-3

    monkeypatch.setattr(UpdateRules, "step", other_step)
    said = command(*QUIET, f"from={original}", "hydra.run.dir=third")
    assert said.code == 1
    assert "third is not the same as first: from step 6 on: train/loss 0." in said.out
    one, other = (load_run(f).module("last").state_dict() for f in ("first", "third"))
    apart = [float((one[name] - other[name]).abs().max()) for name in one]
    differ = sum(distance > 0 for distance in apart)
    assert 0 < differ < len(one)
    told = f"last.ckpt: {differ} of {len(one)} tensors differ, by {max(apart):.3g} at most"
    assert told in " ".join(said.out.split())
    assert f"this differs: torch 1.0.0 -> {version}; host" in said.out
    assert said.err == (
        "from=first: the result is not the same; in what is said above and in third/train.log.\n"
    )
    assert load_run("third").record["status"] == "completed"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["optim.lr=0.1"], "with optim.lr=0.1 it would be another run; it has optim.lr=0.01."),
        (["trainer.max_epochs=3"], "with trainer.max_epochs=3 it would be another run"),
        (["resume=auto"], "from=first resume=auto: a run is trained again from its beginning, or"),
        (["from=nowhere"], "nowhere is not a run folder"),
        (["from="], "from=: allowed is a run's folder"),
    ],
)
def test_what_makes_another_run_is_refused(
    typed: list[str], said: str, command: Command, original: Path
) -> None:
    answer = command(*QUIET, f"from={original}", *typed)
    assert (answer.code, answer.err.count("\n")) == (2, 1)
    assert said in answer.err
    assert run_folders(Path()) == [original]


def test_a_run_that_has_not_ended_has_no_result(command: Command, original: Path) -> None:
    record = json.loads((original / "record.json").read_text())
    (original / "record.json").write_text(json.dumps({**record, "status": "interrupted"}))
    answer = command(*QUIET, f"from={original}")
    assert answer.code == 2
    assert "this run is interrupted, and has no result to compare with. resume=first" in answer.err


def test_the_folder_is_typed_as_any_other() -> None:
    assert readable(["from=outputs/a,b=1"]) == ["again='outputs/a,b=1'"]
