"""What README, docs/ and the tutorial tell people to type is typed, page by page, to its end.

In the order of a page, in a folder of its own, in this process: the three commands are called with
the words that stand there, and with a few that shorten what shows no answer (`SHORT`). What a page
shows of an answer must be said, in its words; numbers differ from machine to machine.
`page_commands` has the tables of what is not typed here, and why.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_commands import (
    PLANNED,
    REFUSED,
    TEXTS,
    TUTORIAL,
    Typed,
    tutorial_cells,
    typed_in,
    words_of,
)
from PIL import Image
from running import run_folders

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("lent_server")]

ALL = {**TEXTS, TUTORIAL: "\n\n".join(tutorial_cells())}
PAGES = {
    page: [command for command in typed_in(text) if not command.reason]
    for page, text in ALL.items()
}
Say = Callable[..., Any]


def first_pages() -> dict[str, str]:
    """Return the page on which each command stands first."""
    first: dict[str, str] = {}
    for page, commands in PAGES.items():
        for command in commands:
            first.setdefault(str(command), page)
    return first


FIRST = first_pages()
BEGINNING = "Loading PyTorch ..."
"""What a process of one's own says, in which torch is not there yet."""


def files_of_ones_own() -> None:
    """Write what docs/data.md presumes: arrays, a table, a folder of images."""
    drawn = np.random.default_rng(0)
    np.savez("mine.npz", x=drawn.normal(size=(60, 4)), y=np.arange(60) % 3)
    rows = [f"{a:.3f},{b:.3f},{3 * a - b:.3f}" for a, b in drawn.normal(size=(60, 2))]
    Path("table.csv").write_text("\n".join(["rooms,age,price", *rows]))
    for name in ("cats", "dogs"):
        (Path("photos") / name).mkdir(parents=True)
        for number in range(20):
            pixels = drawn.integers(0, 255, size=(40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(Path("photos") / name / f"{number}.png")


BEFORE: dict[str, list[str]] = {
    "docs/catalogue.md": ["train experiment=double_descent trainer.max_epochs=2"],
    "docs/comparison.md": [
        "train -m activation=relu,sigmoid seed=range(0,6) model=mlp data=moons trainer.max_epochs=1 "
        "hydra.sweep.dir=outputs/sweeps/activations",
    ],
    "docs/lecture.md": [
        "train sweeps=optimizers protocol=tuned optim=sgd,adam model=linear data=moons "
        "trainer.max_epochs=1 sweep.seeds=2 sweep.tuning.seeds=[1000] sweep.tuning.trials=3",
    ],
}
"""What a page presumes that its reader has typed before: sweeps of these names, here small ones."""
SHORT = {
    "train": {"trainer.max_epochs": "3"},
    "figures": {"themes": "[light]", "dpi": "60"},
    "figure=optimizer_trajectories": {"frames": "8"},
}
"""What is typed behind a command whose answer is not shown, where it says nothing of these itself: it
trains for 3 epochs, and draws for a light page in few dots and frames. tests/training and tests/figures
have all. By the script, or a word of the command."""


@pytest.mark.parametrize("page", [page for page, commands in PAGES.items() if commands])
def test_what_a_page_says_can_be_typed(
    page: str,
    command: Say,
    compare: Say,
    draw: Say,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    doors = {"train": command, "compare": compare, "figures": draw}
    monkeypatch.setenv("COLUMNS", "100")
    if page == "docs/data.md":
        files_of_ones_own()
    wrong = []
    for line in BEFORE.get(page, []):
        script, *words = line.split()
        assert doors[script](*words).code == 0
    done = set()
    for typed in PAGES[page]:
        is_new = FIRST[str(typed)] == page or needed_below(typed, page)
        if typed.shown or (is_new and str(typed) not in done):
            done.add(str(typed))
            wrong += faults(
                typed, doors[typed.script](*map(filled, typed.words), *shortened(typed))
            )
    wrong += [f"{name} is not there" for name in missing_animations(ALL[page])]
    assert not wrong, "\n".join(wrong)


def test_what_takes_minutes_is_planned(command: Say) -> None:
    wrong = []
    for line, number in PLANNED.items():
        answer = command(*shlex.split(line)[1:], "sweep.dry_run=true")
        if answer.code or number not in answer.out:
            wrong.append(f"{line}: {number}, but\n{answer.out}{answer.err}")
    assert not wrong, "\n".join(wrong)


def needed_below(typed: Typed, page: str) -> bool:
    """Return whether the page compares what a command of it leaves, though another page has it too."""
    compared = {word for each in PAGES[page] if each.script == "compare" for word in each.words}
    names = [word.partition("=")[2] for word in typed.words if word.startswith("sweeps=")]
    return any(word.endswith(name) for word in compared for name in names)


def shortened(typed: Typed) -> list[str]:
    """Return what is typed behind a command, so that it takes seconds."""
    own = {word.partition("=")[0] for word in typed.words}
    if typed.shown or own & {"resume", "from", "trainer.max_steps", "trainer.max_time", "--cfg"}:
        return []
    added = [SHORT[word] for word in (typed.script, *typed.words) if word in SHORT]
    return [f"{k}={v}" for words in added for k, v in words.items() if k not in own]


def filled(word: str) -> str:
    """Return a word, FOLDER replaced by what its reader has: the newest run, or the newest sweep."""
    if "FOLDER" not in word:
        return word
    if word.startswith("runs="):
        return word.replace("FOLDER", str(run_folders(Path("outputs/sweeps"))[-1].parent))
    return word.replace("FOLDER", str(run_folders(Path("outputs/runs"))[-1]))


def faults(typed: Typed, answer: Any) -> list[str]:
    """Return what is wrong with the answer to a command."""
    said = f"{answer.out}\n{answer.err}"
    sentence = REFUSED.get(str(typed))
    expected = 0 if sentence is None else 2
    wrong = []
    if answer.code != expected:
        wrong.append(f"{typed}: exit code {answer.code}\n{said}")
    if sentence and sentence not in answer.err:
        wrong.append(f"{typed}: does not say {sentence!r}\n{answer.err}")
    has = set(map(words_of, said.splitlines()))
    lines = [line for line in typed.shown if line.strip() not in ("...", BEGINNING)]
    not_said = [line for line in lines if words_of(line) not in has]
    if not_said:
        wrong.append("\n".join([f"{typed}: is not said:", *not_said, "but:", said]))
    return wrong


def missing_animations(text: str) -> set[str]:
    """Return the animations that a page names and that its commands have not drawn."""
    names = set(re.findall(r"`([\w-]+\.gif)`", text))
    return names - {path.name for path in Path("outputs").rglob("*.gif")}


def test_an_answer_that_is_not_as_shown_is_found() -> None:
    class Answer:
        code, out, err = 1, "tanh beats relu by 3.1 points.\n", ""

    shown = Typed("train", ["seed=1"], ["relu beats tanh by 2 points.", "..."])
    code, words = faults(shown, Answer())
    assert "exit code 1" in code
    assert words.startswith("train seed=1: is not said:\nrelu beats tanh by 2 points.\nbut:")
    shown.shown = ["tanh beats relu by 12 points."]
    assert len(faults(shown, Answer())) == 1
