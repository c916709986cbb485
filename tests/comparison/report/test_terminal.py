"""What the terminal says of a verdict."""

from __future__ import annotations

import io

import pytest
from comparison import verdicts
from rich.console import Console

from experiments.comparison.report.sentences import how_compared
from experiments.comparison.report.terminal import MOST_ROWS, print_verdict


def printed(verdict: verdicts.Verdict, width: int = 140) -> str:
    out = io.StringIO()
    print_verdict(verdict, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def line_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.split()[:1] == [name] and "±" in line)


def test_the_headline_comes_before_the_table_and_confounds_before_both() -> None:
    text = printed(verdicts.troubled())
    places = [
        text.index(part)
        for part in ("trainer.max_epochs: relu 5", "elu and leaky_relu are", "mean ± sd")
    ]
    assert places == sorted(places)


def test_each_setting_has_its_numbers_and_its_verdict() -> None:
    verdict = verdicts.small()
    text = printed(verdict)
    [task] = verdict["tasks"]
    for pair in task["pairs"]:
        setting = task["settings"][pair["a"]]
        line = line_of(text, setting["name"])
        assert f"{setting['mean'] * 100:.2f} ± {setting['sd'] * 100:.2f}" in line
        assert verdicts.signed(pair["difference"]) in line
        assert pair["verdict"] in line
        assert " / ".join(f"{chance:.0%}"[:-1] for chance in pair["chances"].values()) in line
    assert (
        "Chances given these seeds: better by more than 0.5 points, within that, worse"
        in " ".join(text.split())
    )
    assert "control" in line_of(text, "relu")
    assert "10,000 test points" in text


def test_withheld_missing_unread_and_left_out_are_said_with_the_command() -> None:
    text = printed(verdicts.troubled())
    for part in (
        "elu against relu: trainer.max_epochs differs", "tanh: seed 4", "python train.py sweeps=activations",
        "corrupt record", "still running",
    ):  # fmt: skip
        assert part in text


def test_a_hundred_columns_hold_a_row_in_one_line() -> None:
    text = printed(verdicts.small(), width=100)
    assert line_of(text, "maxout").rstrip().endswith("▲ better")
    assert line_of(text, "sigmoid").rstrip().endswith("0 / 0 / 100  ▼ worse")
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 100


@pytest.mark.parametrize("kind", ["small", "matrix", "troubled"])
def test_eighty_columns_cut_neither_names_nor_verdicts(kind: str) -> None:
    verdict = verdicts.KINDS[kind]()
    text = printed(verdict, width=80)
    [rows] = {task["name"]: task for task in verdict["tasks"]}.values()
    lines = [line.strip() for line in text.splitlines() if "±" in line]
    assert max(map(len, text.splitlines())) <= 80
    for pair in rows["pairs"]:
        name = rows["settings"][pair["a"]]["name"]
        [line] = [line for line in lines if line.startswith(name + "  ")]
        assert line.endswith(pair["verdict"])
    assert "parameters" in printed(verdict, width=140)


@pytest.mark.parametrize("width", [70, 76, 80, 88])
def test_a_narrow_terminal_keeps_p_before_the_number_of_parameters(width: int) -> None:
    text = printed(verdicts.small(), width=width)
    heads = next(line for line in text.splitlines() if "mean ± sd" in line)
    assert "parameters" not in heads
    assert ("p (Holm)" in heads) == (width >= 80)
    assert "chances" not in heads
    assert all("]" in line for line in text.splitlines() if "[" in line and "±" in line)


@pytest.mark.parametrize(
    ("family", "alpha", "control", "said"),
    [
        (1, 0.05, ["relu"], "with a t 95 % interval; p is that of an exact sign-flip test."),
        (1, 0.01, None, "with a t 99 % interval; p is that of an exact sign-flip test."),
        (2, 0.05, ["relu"], "t interval at 1 - 0.05/2; p is that of an exact sign-flip test, by Holm over the 2 comparisons with the control."),
        (6, 0.1, None, "t interval at 1 - 0.1/6; p is that of an exact sign-flip test, by Holm over the 6 comparisons of all pairs."),
    ],
)  # fmt: skip
def test_one_comparison_is_told_as_one(
    family: int, alpha: float, control: list[str] | None, said: str
) -> None:
    design = {"alpha": alpha, "family": family, "control": control}
    assert said in how_compared({"design": design})


def test_without_a_control_there_is_a_line_for_each_pair() -> None:
    text = printed(verdicts.all_pairs())
    assert sum(" against " in line for line in text.splitlines()) >= 10


def test_markup_in_names_means_nothing() -> None:
    verdict = verdicts.small()
    verdict["headline"] = ["[bold]x[/bold] [/nonsense]"]
    verdict["tasks"][0]["settings"][1]["name"] = "[red]elu[/red]"
    text = printed(verdict)
    assert "[bold]x[/bold] [/nonsense]" in text
    assert "[red]elu[/red]" in text


@pytest.mark.parametrize("kind", verdicts.KINDS)
def test_every_kind_of_verdict_is_shown(kind: str) -> None:
    verdict = verdicts.KINDS[kind]()
    text = " ".join(printed(verdict, width=200).split())
    assert " ".join(verdict["headline"][0].split()) in text


def test_of_a_long_table_the_first_rows_are_printed() -> None:
    verdict = verdicts.small()
    setting = verdict["tasks"][0]["settings"][1]
    verdict["tasks"][0]["settings"] += [
        {**setting, "id": 100 + index, "name": f"other{index}"} for index in range(60)
    ]
    text = printed(verdict)
    more = len(verdict["tasks"][0]["settings"]) - MOST_ROWS
    assert f"and {more} more rows, in the report" in text
