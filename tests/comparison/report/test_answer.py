"""What a sweep ends with: means by setting, what they say, and what would decide what is open."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pytest
from comparison.sweeps import Score, declare, write_run, write_sweep
from rich.console import Console

from experiments.comparison.report.answer import print_answer
from experiments.comparison.report.terminal import in_plain_signs
from experiments.comparison.statistics.planning import fewest_seeds

NOISE = [0.004, -0.003, 0.001, -0.002, 0.003, -0.004, 0.002, -0.001, 0.0005, -0.0005]


def around(level: float) -> Score:
    return lambda seed: level + NOISE[seed]


def far(level: float) -> Score:
    """Return scores whose noise is their own, so that differences vary too."""
    return lambda seed: level - NOISE[seed]


def answer_of(sweep: Path, width: int = 100, is_terminal: bool = False, **typed: Any) -> str:
    out = io.StringIO()
    shown = Console(file=out, width=width, force_terminal=is_terminal, highlight=False)
    told = {"metric": "test/accuracy", "more_seeds": "sweep.seeds={n}", **typed}
    print_answer(sweep, console=shown, **told)
    return re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())


def test_a_decided_sweep_has_its_means_and_its_sentences_and_nothing_open(tmp_path: Path) -> None:
    arms = {"relu": around(0.9), "tanh": far(0.85), "elu": around(0.9001)}
    text = answer_of(write_sweep(tmp_path / "s", "activation", arms))
    lines = {line.split()[0]: line for line in text.splitlines() if "±" in line and "." in line}
    for name, score in arms.items():
        scores = [100 * (score(seed) or 0) for seed in range(10)]
        assert f"10   {mean(scores):.2f} ± {stdev(scores):.2f}" in lines[name]
    assert lines["tanh"].split()[-1] == "worse"
    assert lines["elu"].split()[-1] == "equivalent"
    assert "relu beats tanh by 5.0 points [" in text
    assert "elu and relu are equivalent within 0.5 points." in text
    assert "To decide" not in text


@pytest.mark.parametrize("number", [1, 3])
def test_too_few_seeds_are_told_with_the_fewest_that_can_decide(
    tmp_path: Path, number: int
) -> None:
    arms = {"relu": around(0.9), "tanh": far(0.8), "elu": far(0.7)}
    text = answer_of(write_sweep(tmp_path / "s", "activation", arms, range(number)))
    fewest = fewest_seeds(family=2)
    assert f"To decide: at least {fewest} seeds instead of {number}" in text
    assert text.rstrip().endswith(f"the same command with sweep.seeds={fewest}.")
    typed = answer_of(tmp_path / "s", more_seeds="'seed=range(0,{n})'")
    assert typed.rstrip().endswith(f"the same command with 'seed=range(0,{fewest})'.")
    # And so many do.
    write_sweep(tmp_path / "s", "activation", arms, range(number, fewest), declares=False)
    assert "To decide" not in answer_of(tmp_path / "s")


def test_enough_seeds_that_leave_it_open_ask_for_more(tmp_path: Path) -> None:
    arms = {"relu": around(0.9), "tanh": far(0.902)}
    text = answer_of(write_sweep(tmp_path / "s", "activation", arms))
    assert "tanh against relu: inconclusive" in text
    [number] = re.findall(r"To decide: about (\d+) seeds instead of 10, .*=\1\.$", text, re.M)
    assert int(number) > 10
    # Without a smallest difference that matters, equal settings cannot be told to be so.
    same = {"relu": around(0.9), "tanh": around(0.9)}
    text = answer_of(write_sweep(tmp_path / "t", "activation", same, delta=None))
    assert "sweep.delta=..." in text


def write_two_batches(sweep: Path, **declared: Any) -> Path:
    for name, size, level in (("sgd", 64, 0.9), ("gd", "full", 0.3)):
        for seed in range(6):
            changes = {"optim": name, "data.batch_size": size}
            write_run(sweep, changes, seed, level + NOISE[seed] * (1 if name == "gd" else -1))
    declare(sweep, factor=["optim"], control=["gd"], seeds=list(range(6)), **declared)
    return sweep


def test_what_differs_beside_the_factor_withholds_until_the_sweep_allows_it(
    tmp_path: Path,
) -> None:
    text = answer_of(write_two_batches(tmp_path / "s"))
    assert "withheld" in text
    assert "the two also differ in data.batch_size" in text
    [keys] = re.findall(r"^To decide: .*sweep\.allow=\[(.*)\]", text, re.M)
    allowed = answer_of(write_two_batches(tmp_path / "t", allow=keys.split(",")))
    assert "sgd beats gd by 60" in allowed
    assert "To decide" not in allowed


def nothing(sweep: Path) -> None:
    sweep.mkdir()


def one_setting(sweep: Path) -> None:
    write_sweep(sweep, "activation", {"relu": around(0.9)}, range(3), declares=False)
    declare(sweep, factor=[], control=None)


def not_yet(sweep: Path) -> None:
    write_run(sweep, {"activation": "relu"}, 0, None, status="failed", error="boom")
    write_run(sweep, {"activation": "tanh"}, 0, None, status="failed", error="boom")
    declare(sweep)


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (nothing, "No comparison: no run has come to a result yet."),
        (one_setting, "One setting, test/accuracy 90.07 ± 0.35 % (3 seeds): there is nothing"),
        (not_yet, "To decide: "),
    ],
    ids=["nothing", "one setting", "all failed"],
)
def test_a_sweep_that_compares_nothing_says_so(
    tmp_path: Path, write: Callable[[Path], None], told: str
) -> None:
    write(tmp_path / "s")
    assert told in answer_of(tmp_path / "s")


def test_several_data_sets_stand_side_by_side_in_one_table(tmp_path: Path) -> None:
    for data in ("digits", "moons"):
        arms = {"relu": around(0.9), "tanh": far(0.8)}
        changes = {"data.name": data, "data._target_": f"experiments.data.points.{data}"}
        write_sweep(tmp_path / "s", "activation", arms, changes=changes, declares=data == "moons")
    text = answer_of(tmp_path / "s", width=120)
    assert text.count("mean ± sd") == 2
    assert "digits: relu beats tanh by 10" in text
    assert "moons: relu beats tanh by 10" in text


def test_no_width_breaks_a_number(tmp_path: Path) -> None:
    arms = {"relu": around(0.9), "leaky_relu_of_a_long_name": far(0.7), "tanh": far(0.85)}
    sweep = write_sweep(tmp_path / "s", "activation", arms, range(8))
    wide = answer_of(sweep, 1000, is_terminal=True)
    numbers = set(re.findall(r"\d+\.\d+", wide))
    sentences = [line for line in wide.splitlines() if "beats" in line]
    assert len(sentences) == 2
    for width in (40, 60, 80, 100):
        narrow = answer_of(sweep, width, is_terminal=True)
        assert max(map(len, narrow.splitlines())) <= width
        # What a narrow terminal leaves out is a whole column.
        assert set(re.findall(r"\d+\.\d+", narrow)) <= numbers
        assert "±" in narrow
        assert all(" ".join(line.split()) in " ".join(narrow.split()) for line in sentences)


def test_a_minus_stays_one_where_the_output_has_no_sign_for_it(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "s", "activation", {"relu": around(0.9), "tanh": far(0.85)})
    for encoding in ("latin-1", "ascii"):
        raw = io.BytesIO()
        out = io.TextIOWrapper(raw, encoding=encoding, errors="replace")
        shown = Console(file=out, width=100, highlight=False)
        with in_plain_signs(shown):
            print_answer(sweep, "test/accuracy", "sweep.seeds={n}", shown)
        text = raw.getvalue().decode(encoding)
        assert "-5.0" in text
        assert "?" not in text
