"""Loggers of anyone's: they are started, told every row, and refused where they are none."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from lightning.pytorch.callbacks import Callback
from running import run_folders

from experiments import load_run

FAST = ["progress=none", "model=mlp", "trainer.max_epochs=3"]
KINDS = "logger=mine", "--config-dir=mine"


def own_logger(text: str) -> None:
    Path("mine/logger").mkdir(parents=True)
    Path("mine/logger/mine.yaml").write_text(text)


def test_a_logger_of_ones_own_is_told_every_row(command: Callable) -> None:
    own_logger("name: mine\n_target_: lightning.pytorch.loggers.CSVLogger\nversion: here\n")
    assert command(*FAST, *KINDS).code == 0
    [folder] = run_folders()
    [path] = folder.rglob("here/metrics.csv")
    with path.open() as file:
        rows = [row for row in csv.DictReader(file) if row["train/loss"]]
    run = load_run(folder)
    assert [float(row["train/loss"]) for row in rows] == [r["train/loss"] for r in run.history]
    assert run.record["wandb_id"] is None
    assert not Path("outputs/wandb").exists()


def test_several_loggers_are_told_alike(command: Callable) -> None:
    other = "lightning.pytorch.loggers.CSVLogger"
    own_logger(f"name: mine\n_target_: {other}\nversion: here\n")
    typed = [f"+logger.also.other={{_target_:{other},version:there}}"]
    answer = command(*FAST, *typed, "+logger.also.more.version=1", "logger=csv")
    assert "logger.also.more: this is no logger, as it has no _target_." in answer.err
    assert not Path("outputs").exists()
    assert command(*FAST, *typed, *KINDS).code == 0
    assert command(*FAST, *typed, "logger=csv").code == 0
    one, other = run_folders()
    [here], [there] = one.rglob("here/metrics.csv"), one.rglob("there/metrics.csv")
    assert here.read_text() == there.read_text()
    assert list(other.rglob("there/metrics.csv"))


REFUSED = {
    "name: mine\n": "logger.name=mine: there is no such logger.",
    "name: mine\n_target_: no.such.Class\n": "logger",
    "name: mine\n_target_: collections.Counter\n": "logger._target_=collections.Counter: this is no",
    "name: mine\n_target_: torch.nn.ReLU\n": "logger.name=mine: torch.nn.ReLU is no",
    "name: mine\n_target_: lightning.pytorch.loggers.CSVLogger\nwrong: 1\n": "logger",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_logger_is_refused(text: str, command: Callable) -> None:
    own_logger(text)
    answer = command(*FAST, *KINDS)
    assert answer.code != 0
    assert REFUSED[text] in answer.err
    assert "Traceback" not in answer.err


class Interrupted(Callback):
    """Ctrl-C in the third epoch."""

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        if trainer.current_epoch == 2:
            raise KeyboardInterrupt


def test_lightnings_csv_file_has_all_rows_of_a_run_that_went_on(
    command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("experiments.training.build.build_callbacks", lambda config: [Interrupted()])
        assert command(*FAST, "logger=csv").code == 130
    [folder] = run_folders()
    assert command(f"resume={folder}", "logger=csv").code == 0
    with (folder / "csv" / "metrics.csv").open() as file:
        epochs = [int(row["epoch"]) for row in csv.DictReader(file) if row["train/loss"]]
    assert epochs == [1, 2, 3]


LINES = '''
import json
from pathlib import Path

from lightning.pytorch.loggers.logger import Logger


class Lines(Logger):
    """All that it is told, a line of JSON each."""

    name = version = "lines"

    def __init__(self, save_dir):
        super().__init__()
        self.path = Path(save_dir, "lines.txt")
        self.path.write_text("")

    def write(self, kind, values, step=None):
        with self.path.open("a") as file:
            print(json.dumps([kind, step, values]), file=file)

    def log_metrics(self, metrics, step=None):
        self.write("metrics", dict(metrics), step)

    def log_hyperparams(self, params):
        self.write("params", params)

    def finalize(self, status):
        self.write("end", status)
'''


@pytest.fixture
def lines(tmp_path: Path) -> None:
    (tmp_path / "line_loggers.py").write_text(LINES)
    own_logger("name: mine\n_target_: line_loggers.Lines\n")


def told(folder: Path, kind: str) -> list[list[Any]]:
    written = [json.loads(line) for line in (folder / "lines.txt").read_text().splitlines()]
    return [line for line in written if line[0] == kind]


def test_a_list_of_loggers_is_told_rows_hyperparameters_and_the_test(
    command: Callable, lines: None
) -> None:
    answer = command("--config-dir=mine", *FAST, "logger=[csv,mine]", "optim.lr=0.02")
    assert answer.code == 0, answer.err
    [folder] = run_folders()
    run = load_run(folder)
    rows = [dict(values) for _, _, values in told(folder, "metrics")]
    steps = [step for _, step, _ in told(folder, "metrics")]
    expected = [{k: v for k, v in r.items() if k != "step" and v is not None} for r in run.history]
    assert rows[:-1] == expected
    assert rows[-1] == {k: v for k, v in run.record["metrics"].items() if k.startswith("test/")}
    assert steps == [*(row["step"] for row in run.history), run.record["steps"]]
    [[_, _, params]] = told(folder, "params")
    assert (params["optim"]["lr"], params["seed"]) == (0.02, 0)
    assert told(folder, "end")[-1] == ["end", None, "success"]
    with (folder / "csv" / "metrics.csv").open() as file:
        written = [row for row in csv.DictReader(file) if row["test/accuracy"]]
    assert [float(row["test/accuracy"]) for row in written] == [rows[-1]["test/accuracy"]]
    assert "lr: 0.02" in (folder / "csv" / "hparams.yaml").read_text()


def test_a_run_that_goes_on_tells_the_loggers_that_it_had(
    command: Callable, lines: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("experiments.training.build.build_callbacks", lambda config: [Interrupted()])
        answer = command(*FAST, "logger=[mine,csv]", "--config-dir=mine")
        assert answer.code == 130, answer.err
    [folder] = run_folders()
    answer = command("--config-dir=mine", "progress=none", f"resume={folder}")
    assert answer.code == 0, answer.err
    epochs = [values["epoch"] for _, _, values in told(folder, "metrics") if "epoch" in values]
    assert epochs == [1, 2, 3]
    assert (folder / "csv" / "metrics.csv").is_file()
    assert load_run(folder).record["wandb_id"] is None


@pytest.mark.parametrize("name", ["tensorboard", "mlflow"])
def test_a_package_that_is_not_installed_is_told(
    name: str, command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    for typed in (f"logger={name}", f"logger=[csv,{name}]"):
        answer = command(*FAST, typed)
        assert answer.code == 2
        assert f"the package {name} is not installed. Type pip install {name}" in answer.err
        assert len(answer.err.splitlines()) == 1
    assert not Path("outputs").exists()


class Writer:
    """Stands for the SummaryWriter of the package tensorboard, which is not among the test's."""

    def __init__(self, log_dir: str, **_: Any) -> None:
        Path(log_dir).mkdir(parents=True)
        self.path, self.is_open = Path(log_dir, "events.txt"), True

    def add_scalar(self, *values: Any) -> None:
        assert self.is_open  # one that is opened anew may take the place of the first
        with self.path.open("a") as file:
            print(json.dumps(values), file=file)

    def _get_file_writer(self) -> Writer:
        return self

    def add_summary(self, summary: Any, step: int) -> None:
        self.add_scalar("hparams", summary, step)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.is_open = False


def test_lightnings_tensorboard_gets_all_in_the_run_folder(
    command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    package, summaries = ModuleType("torch.utils.tensorboard"), ModuleType("summary")
    package.SummaryWriter = Writer
    summaries.hparams = lambda params, metrics: (params, metrics, None)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", package)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.summary", summaries)
    monkeypatch.setitem(sys.modules, "tensorboard", ModuleType("tensorboard"))
    for module in ("lightning.fabric.loggers.tensorboard", "lightning.pytorch.loggers.tensorboard"):
        monkeypatch.setattr(f"{module}._TENSORBOARD_AVAILABLE", True)
    monkeypatch.setattr("importlib.util.find_spec", lambda module: True)
    answer = command(*FAST, "logger=tensorboard", "seed=3")
    assert answer.code == 0, answer.err
    [folder] = run_folders()
    run = load_run(folder)
    lines = (folder / "tensorboard" / "events.txt").read_text().splitlines()
    written = [json.loads(line) for line in lines]
    for name in ("train/loss", "val/accuracy", "lr"):
        expected = [[name, row[name], row["step"]] for row in run.history]
        assert [line[:3] for line in written if line[0] == name] == expected
    assert ["test/accuracy", run.record["metrics"]["test/accuracy"]] in [w[:2] for w in written]
    params = next(values for name, values, _ in written if name == "hparams")
    assert (params["seed"], params["model/name"]) == (3, "mlp")


def test_a_wrong_word_among_several_loggers_is_told(command: Callable) -> None:
    answer = command(*FAST, "logger=[csv,tensorbord]")
    assert answer.code == 2
    assert "logger=tensorbord: there is no such logger" in answer.err
    assert "logger=tensorboard" in answer.err
