"""Markdown, LaTeX, CSV: their numbers are the verdict's, and no name breaks out of its cell."""

from __future__ import annotations

import csv
import io
import re

import pytest
from comparison import verdicts

from experiments.comparison.lookups import best
from experiments.comparison.report.table_files import csv_of, latex_escaped, latex_of, markdown_of


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def markdown_rows(text: str) -> dict[str, list[str]]:
    lines = [cells(line) for line in text.splitlines() if line.startswith("|")]
    return {name: rest for name, *rest in lines}


def test_markdown_shows_percent_points_and_verdicts() -> None:
    verdict = verdicts.small()
    rows = markdown_rows(markdown_of(verdict))
    for pair in verdict["tasks"][0]["pairs"]:
        setting = verdict["tasks"][0]["settings"][pair["a"]]
        name = (
            f"**{setting['name']}**"
            if setting["id"] == best(verdict["tasks"][0])
            else setting["name"]
        )
        _, seeds, mean, interval, difference, _, _, chances, word = rows[name]
        assert mean == f"{setting['mean'] * 100:.2f} ± {setting['sd'] * 100:.2f}"
        assert seeds == "10"
        assert (
            interval == f"[{setting['interval'][0] * 100:.2f}, {setting['interval'][1] * 100:.2f}]"
        )
        assert difference == verdicts.signed(pair["difference"])
        assert word == pair["verdict"]
        parts = [float(part) for part in chances.split(" / ")]
        assert parts == pytest.approx([100 * p for p in pair["chances"].values()], abs=0.5)


def test_confounds_stand_before_any_number_of_the_verdict() -> None:
    text = markdown_of(verdicts.troubled())
    assert text.index("trainer.max_epochs") < text.index("equivalent") < text.index("| setting")
    assert "python train.py sweeps=activations" in text
    assert "sigmoid | 235,146 | 10 (2 failed)" in text


def test_a_metric_without_a_unit_is_shown_as_it_is() -> None:
    text = markdown_of(verdicts.of_loss())
    assert "%)" not in text
    assert re.search(r"\| elu \|.*\| 0\.34\d\d ± 0\.00\d\d \|", text)


def test_one_seed_leaves_dashes_in_place_of_what_is_not_known() -> None:
    rows = markdown_rows(markdown_of(verdicts.one_seed()))
    assert rows["tanh"][3] == "–"
    assert rows["tanh"][6] == rows["tanh"][7] == "–"


def test_best_is_marked_only_where_the_verdict_says_so() -> None:
    with_control = verdicts.small()
    assert best(with_control["tasks"][0]) is None  # maxout was compared with relu only
    assert "**" not in markdown_of(with_control)
    pairs = verdicts.all_pairs()
    top = max(pairs["tasks"][0]["settings"], key=lambda s: s["mean"])
    assert best(pairs["tasks"][0]) == top["id"]
    assert f"**{top['name']}**" in markdown_of(pairs)
    pairs["tasks"][0]["pairs"][3]["verdict"] = "inconclusive"
    assert best(pairs["tasks"][0]) is None


@pytest.mark.parametrize("kind", verdicts.KINDS)
def test_every_row_of_markdown_has_as_many_cells_as_its_heading(kind: str) -> None:
    lines = markdown_of(verdicts.KINDS[kind]()).splitlines()
    width = 0
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("|"):
            width = width if before.startswith("|") else len(cells(line))
            assert len(cells(line)) == width


def test_no_name_breaks_a_cell_of_markdown() -> None:
    text = markdown_of(verdicts.hostile())
    assert "<img" not in text.split("```")[0]
    assert "```" in text.splitlines()[-1] or text.rstrip().endswith("```")


@pytest.mark.parametrize("kind", verdicts.KINDS)
def test_every_row_of_latex_has_as_many_cells_as_its_columns(kind: str) -> None:
    text = latex_of(verdicts.KINDS[kind]())
    for columns, body in re.findall(
        r"\\begin\{tabular\}\{([lr]+)\}\n(.*?)\\end\{tabular\}", text, re.S
    ):
        for line in body.splitlines():
            if line.endswith("\\\\") and "multicolumn" not in line:
                assert len(re.findall(r"(?<!\\)&", line)) == len(columns) - 1
    assert text.count("\\toprule") == text.count("\\bottomrule") == text.count("\\begin{table}") > 0


def test_latex_has_groups_of_columns_over_several_tasks() -> None:
    text = latex_of(verdicts.several_tasks(5))
    assert "\\multicolumn{3}{c}{fashion\\_mnist}" in text
    assert "\\cmidrule(lr){2-4}" in text


def test_latex_escapes_every_special_character() -> None:
    text = latex_escaped(verdicts.HOSTILE)
    assert "\\textbackslash{}" in text
    bare = (
        text.replace("\\textbackslash{}", "")
        .replace("$<$", "")
        .replace("$>$", "")
        .replace("$|$", "")
    )
    assert not re.search(r"(?<!\\)[&%$#_{}]", bare)


def csv_rows(verdict: verdicts.Verdict) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_of(verdict))))


def test_csv_has_every_number_of_the_verdict_as_it_is() -> None:
    verdict = verdicts.small()
    [task] = verdict["tasks"]
    rows = {row["setting"]: row for row in csv_rows(verdict)}
    assert list(rows) == [s["name"] for s in task["settings"]]
    for setting in task["settings"]:
        row = rows[setting["name"]]
        assert float(row["fashion_mnist/mean"]) == setting["mean"]
        assert float(row["fashion_mnist/sd"]) == setting["sd"]
        assert float(row["fashion_mnist/interval_low"]) == setting["interval"][0]
        assert row["activation"] == setting["levels"]["activation"]
    for pair in task["pairs"]:
        row = rows[task["settings"][pair["a"]]["name"]]
        assert float(row["fashion_mnist/difference"]) == pair["difference"]
        assert float(row["fashion_mnist/p_holm"]) == pair["p_holm"]
        assert row["fashion_mnist/verdict"] == pair["verdict"]
        for key, chance in pair["chances"].items():
            assert float(row[f"fashion_mnist/chance_{key}"]) == chance
    assert rows["relu"]["fashion_mnist/verdict"] == ""


def test_csv_has_a_group_of_columns_for_each_task_and_one_row_a_setting() -> None:
    verdict = verdicts.several_tasks(5)
    rows = csv_rows(verdict)
    assert len(rows) == 5
    for task in verdict["tasks"]:
        for setting, row in zip(task["settings"], rows, strict=True):
            assert float(row[f"{task['name']}/mean"]) == setting["mean"]


def test_csv_without_a_control_has_a_row_for_each_pair() -> None:
    verdict = verdicts.all_pairs()
    rows = csv_rows(verdict)
    pairs = [row for row in rows if row["kind"] == "pair"]
    assert [row["setting"] for row in pairs] == [p["name"] for p in verdict["tasks"][0]["pairs"]]
    assert (
        float(pairs[0]["fashion_mnist/difference"]) == verdict["tasks"][0]["pairs"][0]["difference"]
    )


def test_csv_cells_are_no_formulas() -> None:
    verdict = verdicts.small()
    verdict["tasks"][0]["settings"][1]["name"] = "=HYPERLINK(1)"
    assert "'=HYPERLINK(1)" in {row["setting"] for row in csv_rows(verdict)}
