"""`experiments ...`: the doors of the scripts from any folder, and sentences in the words typed."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Said
from hydra.core.global_hydra import GlobalHydra
from running import ROOT

from experiments import __main__ as commands
from experiments.config.arguments import command_line
from experiments.errors.commands import (
    DISTRIBUTION,
    TYPED,
    as_typed_here,
    command_of,
    typed_as,
)
from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError

SCRIPT = re.compile(r"\w+\.py\b")
BY_MODULE = "/anywhere/experiments/__main__.py"


@pytest.fixture
def experiments(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Said]:
    """Return a function that calls `experiments ARGUMENTS` in this process."""

    def call(*arguments: str, program: str = "/bin/experiments") -> Said:
        monkeypatch.setattr("sys.argv", [program, *arguments])
        GlobalHydra.instance().clear()
        capfd.readouterr()
        try:
            code = commands.main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        captured = capfd.readouterr()
        return Said(code, captured.out, captured.err)

    return call


def test_the_scripts_of_the_checkout_are_doors_of_the_table() -> None:
    scripts = {path.stem for path in ROOT.glob("*.py")} - {"setup"}
    assert scripts == set(commands.DOORS)
    for name in scripts:
        assert "@hydra.main" in (ROOT / f"{name}.py").read_text(encoding="utf-8")  # fish looks


def test_the_name_among_packages_is_the_one_that_is_built() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == DISTRIBUTION
    module, _, function = project["scripts"]["experiments"].partition(":")
    assert (module, getattr(commands, function)) == (commands.__name__, commands.main)


def test_help_names_every_command(experiments: Callable) -> None:
    for words in ([], ["--help"], ["-h"], ["help"]):
        said = experiments(*words)
        assert said.code == 0
        for name in [*commands.DOORS, *commands.PLAIN]:
            assert f"\nexperiments {name} " in said.out
    assert "\npython -m experiments train" in experiments("--help", program=BY_MODULE).out
    assert experiments("--version").out.startswith(f"{DISTRIBUTION} ")


def test_help_is_that_of_the_script_in_the_words_typed(
    experiments: Callable, command: Callable, compare: Callable
) -> None:
    script = command("--help").out
    assert script.count("python train.py ") == 3
    as_typed = script.replace("python train.py", "experiments train")
    assert experiments("train", "--help").out == as_typed
    script = compare("--help").out
    by_module = experiments("compare", "--help", program=BY_MODULE).out
    assert by_module == script.replace("python compare.py", "python -m experiments compare")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["trian", "model=mlp"],
            "Did you mean train? Commands: train, compare, figures, predict, new; ",
        ),
        (["model=mlp", "seed=1"], "Did you mean experiments train model=mlp seed=1?"),
        (["train", "figure=convolution"], "Did you mean experiments figures figure=convolution?"),
        (["train", "what"], "experiments train --help lists"),
        (["compare", "runs=nowhere"], "runs=nowhere: there is no such folder."),
        (["figures", "figure=none"], "figure=none: there is no such figure."),
        (["new", "one", "two"], "Type experiments new mine"),
        (["predict", "run=nowhere", "inputs=x"], "nowhere is not a run folder"),
    ],
)
def test_a_mistake_is_told_with_the_command_that_was_typed(
    experiments: Callable, words: list[str], told: str
) -> None:
    said = experiments(*words)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
    assert len(said.err.splitlines()) == 1
    assert TYPED not in os.environ


def test_no_sentence_names_a_script_to_who_typed_none() -> None:
    known = {f"{name}.py" for name in commands.DOORS}
    named = [text for text in TABLE.values() if known & set(SCRIPT.findall(text))]
    assert named
    for typed in ("experiments train", "python -m experiments compare"):
        with typed_as(typed):
            for text in named:
                assert not known & set(SCRIPT.findall(as_typed_here(text))), text
    with typed_as("python compare.py"):
        assert [as_typed_here(text) for text in named] == named


def test_the_launchers_command_and_the_extras_are_those_of_a_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with typed_as("experiments train"):
        torchrun = str(UserError("Try torchrun --nnodes=2 --nproc-per-node=1 train.py ...; or"))
        assert torchrun == "Try torchrun --nnodes=2 --nproc-per-node=1 -m experiments train ...; or"
    assert as_typed_here("pip install -e '.[search]'") == "pip install -e '.[search]'"
    monkeypatch.setattr("experiments.errors.commands.CHECKOUT", Path("no", "checkout"))
    monkeypatch.delenv(TYPED, raising=False)
    assert as_typed_here("pip install -e '.[search]'") == f"pip install '{DISTRIBUTION}[search]'"
    assert command_of("compare") == "experiments compare"  # where nobody typed a command


def test_a_command_to_paste_is_of_the_kind_that_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.orig_argv", ["my env/bin/python", "..."])
    monkeypatch.setattr("sys.argv", ["a b/train.py", "seed=1"])
    pasted = [
        ("python train.py", ["my env/bin/python", "a b/train.py"], "a b/compare.py"),
        ("python -m experiments train", ["my env/bin/python", "-m", "experiments", "train"], ""),
        ("experiments train", ["experiments", "train"], ""),
    ]
    for typed, words, other in pasted:
        with typed_as(typed):
            assert shlex.split(command_line("resume=a b")) == [*words, "resume=a b"]
            other_words = [*words[:-1], other or "compare", "runs=x"]
            assert shlex.split(command_line("runs=x", door="compare")) == other_words
    # The shell would find another program of this name, or none: its path is told.
    monkeypatch.setattr("sys.argv", ["/other env/bin/experiments", "seed=1"])
    with typed_as("experiments train"):
        assert shlex.split(command_line())[0] == "/other env/bin/experiments"


def test_a_shell_completes_commands_and_then_their_words(
    experiments: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def completed(line: str) -> list[str]:
        monkeypatch.setenv("COMP_LINE", line)
        return experiments("-sc", "query=bash").out.split()

    assert completed("experiments ") == ["train", "compare", "figures", "predict", "new"]
    assert completed("experiments tr") == ["train"]
    assert completed("/home/train/bin/experiments tr") == ["train"]
    assert completed("experiments train optim=adamw") == ["optim=adamw"]
    assert completed("experiments compare contr") == ["control="]
    assert completed("experiments new ") == []
    install = experiments("-sc", "install=bash").out
    assert install.splitlines()[-1].endswith("-F hydra_bash_completion experiments")
