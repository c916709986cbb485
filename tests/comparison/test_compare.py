"""`python compare.py`, from the command line to the files of the report."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from comparison.sweeps import declare, write_run, write_sweep
from conftest import Said
from running import ROOT

Compare = Callable[..., Said]
SWEEP = Path("outputs/sweeps/activations")
FOLDER = Path("outputs/reports/activations")


@pytest.fixture
def compare_alone(compare: Compare, monkeypatch: pytest.MonkeyPatch) -> Compare:
    """Return `compare` without the files of pictures, which take most of its time."""
    files = "experiments.comparison.plots.picture.write_pictures"
    monkeypatch.setattr(files, lambda specs, folder: [])
    return compare


@pytest.fixture
def sweep() -> Path:
    arms = {
        "relu": lambda s: 0.90 + s / 1000,
        "elu": lambda s: 0.901 + s / 1000 + (s % 3) / 5000,
        "sigmoid": lambda s: 0.80 + s / 1000 + (s % 3) / 5000,
    }
    return write_sweep(SWEEP, "activation", arms)


def test_a_sweep_is_compared_as_it_declared(sweep: Path, compare: Compare) -> None:
    said = compare(f"runs={sweep}")
    assert (said.code, said.err) == (0, "")
    assert "relu beats sigmoid by 10" in said.out
    assert "elu and relu are equivalent within 0.5 points." in said.out
    assert f"Report: {FOLDER / 'report.html'}" in said.out
    assert "W&B" not in said.out  # the runs did not go there either
    verdict = json.loads((FOLDER / "verdict.json").read_text())
    assert verdict["headline"][0] in (FOLDER / "table.md").read_text()
    rows = list(csv.DictReader(io.StringIO((FOLDER / "table.csv").read_text())))
    assert len(rows) == 3
    assert "sigmoid" in (FOLDER / "table.tex").read_text()
    assert "relu beats sigmoid" in (FOLDER / "report.html").read_text()
    pictures = {path.name for path in (FOLDER / "plots").iterdir()}
    assert len(pictures) >= 6
    assert {Path(name).suffix for name in pictures} == {".svg", ".png"}


def test_the_same_report_again_replaces_the_first(sweep: Path, compare_alone: Compare) -> None:
    compare_alone(f"runs={sweep}")
    before = sorted(FOLDER.rglob("*"))
    assert compare_alone(f"runs={sweep}", "delta=0.2").code == 0
    assert sorted(FOLDER.rglob("*")) == before
    verdict = json.loads((FOLDER / "verdict.json").read_text())
    assert verdict["design"]["changes"] == ["delta was declared as 0.005; typed: 0.2"]


def test_any_key_may_be_the_factor(compare_alone: Compare) -> None:
    for hidden in ([64], [64, 64]):
        for seed in range(3):
            write_run(SWEEP, {"model.hidden": hidden}, seed, 0.9 + len(hidden) / 100)
    said = compare_alone(f"runs={SWEEP}", "factor=model.hidden", "control=[[64]]", "name=widths")
    assert said.code == 0, said.err
    verdict = json.loads(Path("outputs/reports/widths/verdict.json").read_text())
    assert [one["name"] for one in verdict["tasks"][0]["settings"]] == ["[64,64]", "[64]"]


def test_single_runs_are_compared_too(compare_alone: Compare) -> None:
    folders = [
        write_run(Path("outputs/runs/2026-11-27"), {"activation": name}, seed, score)
        for name, score in (("relu", 0.9), ("elu", 0.8))
        for seed in (0, 1)
    ]
    said = compare_alone(f"runs=[{','.join(map(repr, map(str, folders)))}]")
    assert said.code == 0, said.err
    assert "relu against elu" in said.out
    assert Path("outputs/reports/runs/report.html").is_file()
    assert "No smallest difference that matters was declared" in said.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "Compare which runs? Type runs=FOLDER"),
        (["runs=outputs/sweeps/activation"], "there is no such folder"),
        (["runs=outputs/empty"], "no run lies there or below"),
        (["runs=outputs/sweeps/activations", "source=wandb:a/b"], "Compare which runs?"),
        (
            ["runs=outputs/sweeps/activations", "factor=activatoin"],
            "Did you mean factor=activation?",
        ),
        (["runs=outputs/sweeps/activations", "delta=half"], "delta"),
        (["runs=outputs/sweeps/activations", "wandb=of"], "wandb"),
        (["runs=outputs/sweeps/activations", "facotr=activation"], "Did you mean factor"),
        (["runs=outputs/sweeps/activations", "model=cnn"], "The configuration has: runs, source"),
        (
            ["runs=outputs/sweeps/activations", "sweeps=depth"],
            "The configuration has: allow, alpha",
        ),
    ],
)
def test_bad_input_is_one_message_and_nothing_written(
    compare: Compare, arguments: list[str], words: str
) -> None:
    write_sweep(SWEEP, "activation", {"relu": lambda s: 0.9, "elu": lambda s: 0.8}, [0])
    Path("outputs/empty").mkdir()
    said = compare(*arguments)
    assert said.code == 2
    assert words in said.err
    assert "Traceback" not in said.err
    assert len(said.err.strip().splitlines()) == 1
    assert not Path("outputs/reports").exists()


def test_what_can_be_reported_is_and_what_cannot_is_named(
    sweep: Path, compare_alone: Compare
) -> None:
    folders = sorted(path for path in sweep.iterdir() if path.is_dir())
    (folders[0] / "record.json").write_text("{")
    record = json.loads((folders[1] / "record.json").read_text())
    (folders[1] / "record.json").write_text(json.dumps({**record, "status": "running"}))
    said = compare_alone(f"runs={sweep}")
    assert said.code == 0
    assert "cannot be read as a record" in " ".join(said.out.split())
    page = (FOLDER / "report.html").read_text()
    assert folders[0].name in page
    assert "python train.py sweeps=mine" in page


def test_no_run_that_can_be_read(compare: Compare) -> None:
    folder = write_run(SWEEP, {"activation": "relu"}, 0, 0.9)
    (folder / "record.json").write_text("{")
    said = compare(f"runs={SWEEP}")
    assert said.code == 2
    assert "None of the 1 runs there can be read; the first:" in said.err


def test_runs_without_a_result(compare_alone: Compare) -> None:
    for name in ("relu", "elu"):
        write_run(SWEEP, {"activation": name}, 0, None, status="running")
    declare(SWEEP)
    said = compare_alone(f"runs={SWEEP}")
    assert said.code == 0, said.err
    assert "There is nothing to compare" in said.out or "withheld" in said.out.lower()
    assert json.loads((FOLDER / "verdict.json").read_text())["missing"]


def test_neither_torch_nor_wandb_is_imported(sweep: Path) -> None:
    script = (
        "import sys, runpy\n"
        "from experiments.comparison.plots import picture\n"
        "picture.write_pictures = lambda specs, folder: []\n"
        f"sys.argv = ['compare.py', 'runs={sweep}']\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(sorted({'torch', 'lightning', 'wandb', 'torchvision'} & set(sys.modules)))"
    ).replace("'compare.py'", repr(str(ROOT / "compare.py")))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
