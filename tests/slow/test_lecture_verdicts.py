"""Each idea of the lecture is one command, which ends in what docs/lecture.md says that it does."""

from __future__ import annotations

import re

import pytest
from processes import ended, started
from running import ROOT
from typed_commands import quoted_below

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "lecture.md").read_text(encoding="utf-8")
AT_LEAST: dict[str, dict[str, float]] = {
    # No line is right on more than 3/4 of the points of an exclusive or.
    "nonlinearity": {"relu beats identity": 25},
    # Chance is a tenth, and the mean over both depths of what relu is ahead is half of that at five.
    "sigmoid_in_depth": {"relu beats sigmoid": 35, "[64] beats [64,64,64,64,64]": 30},
    "full_batch": {"sgd beats gd": 30},
    "optimizers": {"rmsprop beats sgd": 2, "adam beats sgd": 2, "adagrad beats sgd": 2},
    "cnn_vs_mlp": {"cnn beats mlp": 20},
    "shifted_images": {"0 beats 1": 30, "cnn beats mlp": 2},
}
"""What each command must find, in points of test accuracy."""
ALSO = {
    "sigmoid_in_depth": ["Whether one activation is better than another depends on model.hidden"],
    "optimizers": ["momentum and sgd are equivalent within 2 points"],
    "shifted_images": ["Whether one model is better than another depends on data.test_shift"],
}
"""And what it finds that is no difference of two."""
UNDECIDED = ("inconclusive", "withheld", "To decide", "No comparison", "not shown", "cannot show")
HOUR = 3600.0
"""More than a busy machine needs for what takes a minute on a quiet one."""


def without_numbers(sentence: str) -> str:
    return re.sub(r"−?\d+(\.\d+)?", "#", sentence)


@pytest.mark.parametrize("name", AT_LEAST)
def test_a_command_of_the_lecture_ends_decided_as_the_page_says(name: str) -> None:
    check_answer(name, ended(started(f"experiment={name}", "logger=none"), seconds=HOUR))


def check_answer(name: str, out: str) -> None:
    """Hold what a command has said against what it must find, and what the page says of it."""
    answer = out[out.index("\ntest/accuracy by ") :]
    assert not any(word in answer for word in UNDECIDED), answer
    found = re.findall(r"^(\S+ beats \S+) by (\d+\.\d+) points", answer, re.MULTILINE)
    differences = {pair: float(size) for pair, size in found}
    assert differences.keys() == AT_LEAST[name].keys()
    for pair, least in AT_LEAST[name].items():
        assert differences[pair] >= least, (pair, differences[pair])
    for sentence in ALSO.get(name, []):
        assert sentence in answer
    # The page has each of them, with numbers of its own.
    quoted = quoted_below(PAGE, f"python train.py experiment={name}")
    assert len(quoted) == len(AT_LEAST[name]) + len(ALSO.get(name, []))
    said = set(map(without_numbers, answer.splitlines()))
    assert set(map(without_numbers, quoted)) <= said
