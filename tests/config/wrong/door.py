"""A door for hundreds of commands: each up to where it would train, in one process."""

from __future__ import annotations

import contextlib
import functools
import io
import re
import runpy
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from comparison.sweeps import write_run
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException
from PIL import Image
from running import ROOT, composer
from typed_commands import compose_sweep

from experiments.config.launch import Launch
from experiments.errors.messages import UserError
from experiments.training.check import check_config, check_launch
from experiments.training.run_parts import build_run

ACCEPTED = 100
"""In place of an exit code: the command would have begun its work."""
EVERY = 10
"""Which rows the fast tests try."""
PLACEHOLDER = re.compile(r"\.\.|\b[A-Z]{3,}\b")
ADVICE = re.compile(r"(?:Did you mean|[Tt]ry|[Tt]ype) (.+?)(?:\?(?= |$)|[.,;](?= |$)|$)")


class Begun(BaseException):
    """Raised where a command begins its work, past all that handles errors.

    Of a run it has the config.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config


@dataclass
class Answer:
    """The exit code of a command, what it said, and of a run that would begin the config."""

    code: int
    said: str
    config: dict[str, Any]


def begin(*arguments: Any, **values: Any) -> None:
    raise Begun(getattr(arguments[0], "config", {}) if arguments else {})


@contextlib.contextmanager
def nothing_begins() -> Iterator[None]:
    """Have every command end where it would train, draw, fetch or write."""
    with pytest.MonkeyPatch.context() as patch:
        for place in (
            "experiments.training.run.RunLoggers",
            "experiments.sweep.sweep.Sweep.declare",
            "experiments.sweep.sweep.Sweep.complete",
            "experiments.figures.page.making.write_drawing",
            "experiments.comparison.compare.write_files",
            "experiments.data.downloads.load",
        ):
            patch.setattr(place, begin)
        yield


def answer_of(script: str, words: Sequence[str]) -> Answer:
    """Return what a script answers to these words, in this process and folder."""
    GlobalHydra.instance().clear()
    HydraConfig.instance().cfg = None
    path, said = str(ROOT / script), io.StringIO()
    code: int = 0
    config: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(said):
        patch.setattr("sys.argv", [path, *words])
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                runpy.run_path(path, run_name="__main__")
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 0
        except Begun as begun:
            code, config = ACCEPTED, begun.config
    return Answer(code, said.getvalue().strip(), config)


def advice_in(said: str) -> list[list[str]]:
    """Return the words of each piece of advice that can be typed as it stands.

    >>> advice_in("a: no. Try b=1 c=2 or d=3.") == [["b=1", "c=2"], ["d=3"]]
    True
    >>> advice_in("Type runs=FOLDER. Did you mean optim.lr=0.1?")
    [['optim.lr=0.1']]
    """
    pieces = [
        piece for text in ADVICE.findall(said) for piece in re.split(r",? or (?:try )?", text)
    ]
    found = []
    for piece in pieces:
        words = typed_words(piece)
        if words and not PLACEHOLDER.search(" ".join(words)):
            found.append(words)
    return found


def typed_words(piece: str) -> list[str]:
    """Return the words at the beginning of a text that are typed: overrides, -m, a script."""
    with contextlib.suppress(ValueError):
        words = shlex.split(piece)
        is_typed = [bool(re.match(r"-m$|python$|\w+\.py$|[~+]*[\w./]+=|~\w", w)) for w in words]
        return words[: [*is_typed, False].index(False)]
    return []


def followed(script: str, words: Sequence[str], said: str, advice: Sequence[str]) -> list[str]:
    """Return the command that a user types who follows an advice."""
    if advice[0] == "python":
        return list(advice)
    given = said.partition(": ")[0]
    keys = {key_of(word) for word in advice if "=" in word}
    kept = list(words)
    for first in range(len(kept)):
        for last in range(first + 1, len(kept) + 1):
            if " ".join(words[first:last]) == given:
                kept[first:last] = [""] * (last - first)
    stays = [w for w in kept if w and not (key_of(w) in keys or is_of(w, given))]
    flags = [w for w in (*stays, *advice) if w == "-m"][:1]
    return ["python", script, *flags, *(w for w in (*stays, *advice) if w != "-m")]


def key_of(word: str) -> str:
    return word.partition("=")[0].lstrip("+~")


def is_of(word: str, given: str) -> bool:
    """Return whether a word sets the key that a message begins with."""
    return "=" not in given and (key_of(word) == given or key_of(word).startswith(f"{given}."))


def wrong_advice(script: str, words: Sequence[str], said: str) -> list[str]:
    """Return each advice of an answer that leads to no run, with what is said of it."""
    faults = []
    for advice in advice_in(said):
        line, told = ["python", script, *words], said
        step: list[str] | None = advice
        for _ in range(3):  # a command may have several faults, each with its advice
            if step is None:
                break
            line = followed(line[1], line[2:], told, step)
            told = refusal_of(line[1], line[2:])
            step = next(iter(advice_in(told)), None)
        # What this machine lacks is no fault of the words.
        if told and not re.search(r"no such device|Compare which|no such folder", told):
            faults.append(f"{' '.join(advice)} -> {' '.join(line)}: {told}")
    return faults


def refusal_of(script: str, words: Sequence[str]) -> str:
    """Return what a script says against a command; an empty text where it would begin."""
    is_plain = all(re.match(r"[\w.]+=", w) and not w.startswith("hydra") for w in words)
    if script == "train.py" and is_plain and can_train(tuple(words)):
        return ""
    if "-m" in words and script == "figures.py":
        return ""  # several figures, each of which Hydra's own launcher draws
    if "-m" in words:  # whose processes would be started
        return refusal_of_sweep([word for word in words if word != "-m"])
    answer = answer_of(script, words)
    return "" if answer.code == ACCEPTED else answer.said or f"exit code {answer.code}"


def refusal_of_sweep(overrides: list[str]) -> str:
    """Return what Hydra says against the jobs of a sweep; an empty text where they compose."""
    try:
        # Which choices a glob stands for is asked of Hydra's loader, in tests/sweep/test_grid.py.
        compose_sweep([word for word in overrides if "glob(" not in word] or ["seed=0,1"])
    except (UserError, HydraException, OmegaConfBaseException, ValueError) as error:
        return " ".join(str(error).split()) or repr(error)
    return ""


@functools.cache
def can_train(words: tuple[str, ...]) -> bool:
    """Return whether a run of these overrides can be built, without its command.

    Choices of groups are composed once for all of them.
    """
    try:
        config = composer().config(list(words))
        check_config(config)
        check_launch(config, Launch(list(words)), is_resumed=False)
        build_run(config)
    except Begun:
        return True
    except (UserError, HydraException, OmegaConfBaseException, ValueError):
        return False
    return config["resume"] in (None, "auto")


def make_folder() -> None:
    """Write the files of the tables into the folder that the tests stand in."""
    Path("notes.txt").write_text("some words\n")
    rows = [f"{20 + i},{150 + i % 30},{'ab'[i % 2]}" for i in range(60)]
    Path("table.csv").write_text("\n".join(["age,height,class", *rows, ""]))
    Path("empty.csv").write_text("")
    Path("empty").mkdir()
    for shade, name in enumerate(("cats", "dogs")):
        Path("images", name).mkdir(parents=True)
        for number in range(10):
            image = Image.new("L", (8, 8), 20 * number + 5 * shade)
            image.save(Path("images", name, f"{number}.png"))
    for activation in ("relu", "tanh"):
        for seed in range(6):
            score = (0.9 if activation == "relu" else 0.8) - 0.01 * seed
            write_run(Path("mine"), {"activation": activation}, seed, score)


Row = tuple[str, str, str]


def faults_of(script: str, row: Row) -> list[str]:
    """Return what is wrong with the answer to a wrong command."""
    typed, said, instead = row
    words = shlex.split(typed)
    answer = answer_of(script, words)
    parts = [*said.split(" | "), instead]
    faults = [f"not said: {part}" for part in parts if part not in answer.said]
    faults += [f"exit code {answer.code}"] if answer.code != 2 else []
    faults += ["several lines"] if len(answer.said.splitlines()) > 1 else []
    faults += wrong_advice(script, words, answer.said)
    return (
        [f"$ python {script} {typed}\n  {answer.said}\n  " + "\n  ".join(faults)] if faults else []
    )


def faults_of_right(row: tuple[str, str, Any]) -> list[str]:
    """Return what is wrong with the answer to a command that is right, or with what it means."""
    typed, key, value = row
    answer = answer_of("train.py", shlex.split(typed))
    faults = [] if answer.code == ACCEPTED else [answer.said]
    own: Any = answer.config
    for part in key.split(".") if not faults else ():
        own = own[part]
    faults += [f"{key} is {own!r}"] if not faults and own != value else []
    return [f"$ python train.py {typed}\n  " + "\n  ".join(faults)] if faults else []
