"""docs/own.md: what it shows is typed as it stands there."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from own_parts import PAGE, blocks_of
from processes import SCRIPT, finished
from running import run_folders

from experiments.record.record import read_record

pytestmark = pytest.mark.slow


def block(kind: str, number: int = 0) -> str:
    return blocks_of(PAGE, kind)[number]


def test_the_commands_of_the_page_do_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(block("python"))
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "net.yaml").write_text(block("yaml"))
    lines = [line for line in PAGE.splitlines() if line.startswith("python ~/experiments/train.py")]
    assert len(lines) == 2
    for line in lines:
        words = shlex.split(line)[2:]
        answer = finished(SCRIPT, *words, "trainer.max_epochs=2")
        assert answer.returncode == 0, answer.stderr
    records = [read_record(folder) for folder in run_folders()]
    assert len(records) == 5
    own = [r for r in records if "model=net" in r["overrides"]]
    assert [list(r["code"] or {}) for r in own] == [["nets"]] * 3
    assert all(r["num_parameters"] == 2 * 16 + 16 + 16 * 2 + 2 for r in own)
    command = [SCRIPT, "--config-dir=mine", "model=net", "data=digits", "loss=mse"]
    wrong = finished(*command, "model.widht=8")
    assert wrong.returncode == 2
    assert "Did you mean model.width=8?" in wrong.stderr


def test_the_lightning_module_of_the_page_trains(tmp_path: Path) -> None:
    (tmp_path / "lit.py").write_text(block("python", 1))
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "lit.yaml").write_text(
        "name: lit\n_target_: lit.Lit\nlr: 0.02\n"
    )
    words = ["model=lit", "logger=[csv]", "metrics=f1_macro", "trainer.max_epochs=5"]
    answer = finished(SCRIPT, *words)
    assert answer.returncode == 0, answer.stderr
    [folder] = run_folders()
    metrics = read_record(folder)["metrics"]
    assert metrics["test/accuracy"] > 0.85
    assert metrics["test/f1_macro"] > 0.85
    assert "lr: 0.02" in (folder / "csv" / "hparams.yaml").read_text()


def test_the_folder_of_your_own_does_what_the_page_says(tmp_path: Path) -> None:
    section = PAGE.partition("## A folder of your own")[2].partition("\n## ")[0]
    lines = blocks_of(section)[0].splitlines()
    assert [shlex.split(line)[:2] for line in lines[:2]] == [["experiments", "new"], ["cd", "mine"]]
    here = tmp_path
    for line in lines:
        first, *words = shlex.split(line)
        if first == "cd":
            here = here / words[0]
            continue
        program = ["-m", "experiments"] if first == "experiments" else []
        answer = finished(*program, *words, folder=here)
        assert answer.returncode == 0, line + answer.stdout + answer.stderr
    statuses = [read_record(folder)["status"] for folder in run_folders(here / "outputs")]
    assert statuses == ["completed"] * (1 + 4 + 12)
    assert (here / "outputs/reports/nets/report.html").is_file()
