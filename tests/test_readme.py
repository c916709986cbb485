"""What the README tells people to type composes, and what it says of the choices is complete."""

from __future__ import annotations

import json
import re
import runpy
import shlex
import statistics

import pytest
from composers import composer_of
from omegaconf import OmegaConf
from running import CONF, ROOT, composed
from typed_commands import composed_by

from experiments.figures.typed import understood
from experiments.sweep.grid import grid_of

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMPARISONS = sorted(set(re.findall(r"^(?:\$ )?python compare\.py (.*)$", TEXT, re.MULTILINE)))
FIGURES = sorted(set(re.findall(r"^(?:\$ )?python figures\.py (.*)$", TEXT, re.MULTILINE)))
COMMANDS = sorted(set(re.findall(r"^(?:\$ )?python train\.py (.*)$", TEXT, re.MULTILINE)))


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_composes(line: str) -> None:
    words = shlex.split(line, comments=True)
    if "-m" in words:  # a sweep: each value by itself
        with composer_of(*(word for word in words if word != "-m")) as composer:
            node = OmegaConf.to_container(composer.master.hydra.sweeper)
            search = [word for word in words if "interval(" in word]
            typed = [
                w for w in words if w != "-m" and not w.startswith("hydra") and w not in search
            ]
            given = node["params"] or {}, node.get("cases", []), node.get("when", {})
            cells = grid_of(typed, *given, seeds=[0]).cells(composer.value_of)
            assert all(composer.config(cell.overrides) for cell in cells)
    else:
        composed(*words)


@pytest.mark.parametrize("line", COMPARISONS)
def test_every_comparison_composes(line: str) -> None:
    config = composed_by("compare", shlex.split(line, comments=True))
    assert config.runs or config.source


@pytest.mark.parametrize("line", FIGURES)
def test_every_figure_composes(line: str) -> None:
    config = composed_by("figures", understood(shlex.split(line, comments=True), CONF))
    assert config.figure.name in line


def test_every_figure_stands_in_the_table() -> None:
    [table] = re.findall(r"^\| `figure=` \| shows \|\n(.*?)\n\n", TEXT, re.MULTILINE | re.DOTALL)
    told = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(told) == sorted(path.stem for path in (CONF / "figure").glob("*.yaml"))


def test_the_study_is_the_one_that_is_kept() -> None:
    study = runpy.run_path(str(ROOT / "benchmarks" / "study.py"))
    shown = TEXT.partition(study["BEGIN"])[2].partition(study["END"])[0]
    assert shown == study["section"]()


def test_there_are_commands() -> None:
    assert len(COMMANDS) >= 8
    assert len(COMPARISONS) >= 3


def test_the_figures_come_from_the_benchmarks() -> None:
    table = runpy.run_path(str(ROOT / "benchmarks" / "table.py"))
    shown = TEXT.partition(table["BEGIN"])[2].partition(table["END"])[0]
    assert shown == table["tables"]()


def test_the_published_table_is_that_of_the_kept_runs() -> None:
    kept = json.loads((ROOT / "benchmarks" / "results" / "published.json").read_text())
    rows = re.findall(r"^\| `experiment=(\w+)` \| (.*) \|$", TEXT, re.MULTILINE)
    assert [name for name, _ in rows] == list(kept["published_percent"])
    for name, cells in rows:
        values = kept["test_accuracy_percent"][name]
        ours = f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"
        published = kept["published_percent"][name]
        assert cells == f"{kept['num_parameters'][name]:,} | {published} | {ours}"
        assert len(values) == 5
        assert abs(statistics.mean(values) - published) <= 2


def test_every_choice_stands_in_the_table() -> None:
    for folder in [*CONF.iterdir(), ROOT / "sweeps"]:
        if not folder.is_dir() or folder.name == "figure":
            continue
        [row] = re.findall(rf"^\| `{folder.name}` \| (.*) \|$", TEXT, re.MULTILINE)
        for path in folder.glob("*.yaml"):
            assert re.search(rf"\b{path.stem}\b", row), f"{folder.name}={path.stem}"
