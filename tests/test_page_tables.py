"""The tables of docs/: complete, and what conf/ and the kept results of benchmarks/ say."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import statistics
from pathlib import Path

import pytest
from running import CONF, ROOT


def text_of(page: str) -> str:
    """Return the text of a page of docs/."""
    return (ROOT / "docs" / page).read_text(encoding="utf-8")


def test_every_choice_stands_in_the_table_of_groups() -> None:
    text = text_of("training.md")
    for folder in [*CONF.iterdir(), ROOT / "sweeps"]:
        if not folder.is_dir() or folder.name == "figure":
            continue
        [row] = re.findall(rf"^\| `{folder.name}` \| (.*) \|$", text, re.MULTILINE)
        for path in folder.glob("*.yaml"):
            assert re.search(rf"\b{path.stem}\b", row), f"{folder.name}={path.stem}"


def test_every_named_sweep_stands_in_its_table() -> None:
    named = re.findall(r"^\| `sweeps=(\w+)` \|", text_of("sweeps.md"), re.MULTILINE)
    assert sorted([*named, "none"]) == sorted(
        path.stem for path in (ROOT / "sweeps").glob("*.yaml")
    )


def test_every_figure_stands_in_its_table() -> None:
    pattern = r"^\| `figure=` \| shows \|\n(.*?)\n\n"
    [table] = re.findall(pattern, text_of("figures.md"), re.MULTILINE | re.DOTALL)
    figures = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert sorted(figures) == sorted(path.stem for path in (CONF / "figure").glob("*.yaml"))


@pytest.mark.parametrize(
    ("page", "script", "writer"),
    [
        ("comparison.md", "study", "section"),
        ("comparison.md", "looks", "tables"),
        ("speed.md", "table", "tables"),
    ],
)
def test_what_a_script_writes_is_what_is_kept(page: str, script: str, writer: str) -> None:
    module = runpy.run_path(str(ROOT / "benchmarks" / f"{script}.py"))
    assert module["PAGE"] == ROOT / "docs" / page
    shown = text_of(page).partition(module["BEGIN"])[2].partition(module["END"])[0]
    assert shown == module[writer]()


def test_what_is_looked_up_when_something_fails_is_what_is_said() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    said = re.sub(r'"\s+f?"', "", code)  # a sentence over several lines
    ours = text_of("troubleshooting.md").partition("## The command is refused")[2]
    rows = re.findall(r"^\| ([^|]*`[^|]*) \|", ours, re.MULTILINE)
    assert len(rows) >= 12
    for row in rows:
        if not re.search(r"\((?:zsh|bash|Windows)|`cmd`", row):
            for quoted in re.findall(r"`([^`]+)`", row):
                assert all(part in said for part in quoted.split(" ... ")), quoted


def test_the_fewest_seeds_are_those_of_the_sign_flip_test() -> None:
    table = re.search(r"^\| comparisons.*\n.*\n.*$", text_of("faq.md"), re.MULTILINE)
    assert table
    numbers = [list(map(int, re.findall(r"\d+", line))) for line in table[0].splitlines()]
    assert len(numbers[0]) == 6
    for family, seeds in zip(numbers[0], numbers[2], strict=True):
        assert family * 2 / 2**seeds <= 0.05 < family * 2 / 2 ** (seeds - 1)


def test_the_published_table_is_that_of_the_kept_runs() -> None:
    kept = json.loads((ROOT / "benchmarks" / "results" / "published.json").read_text())
    rows = re.findall(r"^\| `experiment=(\w+)` \| (.*) \|$", text_of("training.md"), re.MULTILINE)
    assert [name for name, _ in rows] == list(kept["published_percent"])
    for name, cells in rows:
        values = kept["test_accuracy_percent"][name]
        ours = f"{statistics.mean(values):.2f} ± {statistics.stdev(values):.2f}"
        published = kept["published_percent"][name]
        assert cells == f"{kept['num_parameters'][name]:,} | {published} | {ours}"
        assert len(values) == 5
        assert abs(statistics.mean(values) - published) <= 2


def test_the_curve_of_double_descent_is_that_of_the_kept_runs_and_rises_and_falls() -> None:
    module = runpy.run_path(str(ROOT / "benchmarks" / "table.py"))
    begin, end = module["CURVE_BEGIN"], module["CURVE_END"]
    shown = text_of("training.md").partition(begin)[2].partition(end)[0]
    assert shown == module["double_descent"]()
    kept = json.loads((ROOT / "benchmarks" / "results" / "double_descent.json").read_text())
    errors = {h: statistics.mean(values) for h, values in kept["test_error_percent"].items()}
    # One run each here and there: the standard deviation of one is about a point.
    for width, published in kept["published_error_percent"].items():
        assert abs(errors[width] - published) <= 3
    assert errors["47"] > errors["16"] + 4
    assert errors["47"] > errors["300"] + 4


def test_figures_of_ones_own_machine_are_published_with_the_pages_or_not_at_all(
    tmp_path: Path,
) -> None:
    # A benchmark that was run beside them changes nothing that these tests read.
    measured = runpy.run_path(str(ROOT / "benchmarks" / "report.py"))["MEASURED"]
    assert measured == ROOT / "outputs" / "benchmarks"
    copies = {name: tmp_path / name for name in ("RESULTS", "MEASURED", "PAGE", "PUBLISHED")}
    shutil.copytree(ROOT / "benchmarks" / "results", copies["RESULTS"])
    shutil.copyfile(ROOT / "docs" / "speed.md", copies["PAGE"])
    shutil.copyfile(ROOT / "docs" / "training.md", copies["PUBLISHED"])
    copies["MEASURED"].mkdir()
    for name, key in (("step", "milliseconds"), ("published", "test_accuracy_percent")):
        figures = json.loads((copies["RESULTS"] / f"{name}.json").read_text())
        part = figures[key]["mlp"] if name == "step" else figures[key]
        part[next(iter(part))] = [98.75] * 5
        (copies["MEASURED"] / f"{name}.json").write_text(json.dumps(figures))
    main = runpy.run_path(str(ROOT / "benchmarks" / "table.py"))["main"]
    main.__globals__.update(copies)
    main()
    assert "| bare loop | 98.75 |" in copies["PAGE"].read_text(encoding="utf-8")
    assert "| 98.75 ± 0.00 |" in copies["PUBLISHED"].read_text(encoding="utf-8")
    assert json.loads((copies["RESULTS"] / "step.json").read_text())["milliseconds"]["mlp"]
    before = (ROOT / "docs" / "training.md").read_text(encoding="utf-8").splitlines()
    after = copies["PUBLISHED"].read_text(encoding="utf-8").splitlines()
    assert len([1 for old, new in zip(before, after, strict=True) if old != new]) == 1
