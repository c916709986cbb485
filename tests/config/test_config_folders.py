"""A folder of one's own: its groups join ours wherever words are looked up."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from composers import composer_of
from running import CONF, QUIET, choices

from experiments.config.config_folders import own_confs, own_folder, shipped
from experiments.interactive import config_of

NET = "name: net\n_target_: nets.Net\npieces: 16\n"
RINGS = "defaults: [shared/batches@_here_]\nname: rings\n_target_: rings.rings\n"
NETS = """\
# @package _global_
hydra:
  mode: MULTIRUN
  sweeper:
    cases: [{model: net, model.pieces: "8,16"}, {model: mlp}]
"""
CURVES = (CONF / "figure" / "activation_curves.yaml").read_text(encoding="utf-8")


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")


@pytest.fixture
def own() -> None:
    write(
        {
            "conf/model/net.yaml": NET,
            "conf/data/rings.yaml": RINGS,
            "conf/figure/my_curves.yaml": CURVES.replace(
                "name: activation_curves", "name: my_curves"
            ),
            "sweeps/nets.yaml": NETS,
        }
    )


@pytest.fixture
def typed(own: None) -> list[str]:
    """Return what is typed where the folder is another one than that which one stands in."""
    Path("mine").mkdir()
    Path("conf").rename("mine/conf")
    Path("sweeps").rename("mine/conf/sweeps")
    return ["--config-dir", "mine/conf"]


@pytest.mark.usefixtures("own")
def test_own_groups_are_listed_composed_completed_and_meant(
    command: Callable, draw: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_to([], command, draw, monkeypatch)


def test_so_are_those_of_a_folder_that_is_typed(
    typed: list[str], command: Callable, draw: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_to(typed, command, draw, monkeypatch)


def known_to(
    typed: list[str], command: Callable, draw: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = command(*typed, "model=net", "--help").out
    assert f"\nmodel: {', '.join(sorted([*choices('model'), 'net']))}\n" in listed
    assert re.search(r"\nsweeps: .*\bnets\b", listed)
    assert "\n  pieces: 16\n" in listed
    assert re.search(r"\nfigure: .*\bmy_curves\b", draw(*typed, "--help").out)
    shown = command(*typed, "model=net", "data=rings", "--cfg", "job")
    assert shown.out.startswith("seed: 0\n")  # nothing is said before it
    assert "_target_: rings.rings" in shown.out
    assert "name: my_curves" in draw(*typed, "figure=my_curves", "--cfg", "job").out
    for words, meant in {
        "model=net model.peices=3": "Did you mean model.pieces=3?",
        "sweeps=net": "Did you mean sweeps=nets?",
        "model={name: net}": "Type model=net",
    }.items():
        said = command(*typed, *QUIET, *words.split(maxsplit=0 if "{" in words else -1))
        assert said.code == 2
        assert meant in said.err, words
    line = f"train.py {' '.join(typed)} model=ne"
    monkeypatch.setenv("COMP_LINE", line)
    assert command("-sc", "query=bash").out.split() == ["model=net"]


@pytest.mark.usefixtures("own")
def test_what_joins_is_said_in_one_line(command: Callable, draw: Callable) -> None:
    said = (
        "Of your own, from conf/ and sweeps/: data=rings, figure=my_curves, model=net, sweeps=nets."
    )
    answer = command(*QUIET, "data=xor", "model=linear", "optim.lr=-1")
    assert answer.out.splitlines().count(said) == 1
    # What is typed needs no telling.
    answer = command("--config-dir=conf", *QUIET, "data=xor", "model=linear", "optim.lr=-1")
    assert answer.out.startswith("Of your own, from sweeps/: sweeps=nets.\n")
    assert draw("figure=my_curves", "dpi=1").out.startswith(said)


@pytest.mark.usefixtures("own")
def test_rows_of_a_sweep_of_ones_own_are_composed() -> None:
    assert config_of("model=net")["model"]["pieces"] == 16
    with composer_of("sweeps=nets") as composer:
        assert composer.config(["model=net", "model.pieces=8"])["model"]["pieces"] == 8
        assert "net" in composer.group_options("model")
        assert "nets" in composer.group_options("sweeps")


def test_a_configuration_of_another_program_is_left_alone(command: Callable) -> None:
    write({"conf/config.yaml": "x: 1\n", "conf/model/cnn.yaml": NET, "sweeps/depth.yaml": NETS})
    assert (own_folder("conf"), own_folder("sweeps"), own_confs()) == (None, None, [])
    assert command("--cfg", "job").code == 0


def test_a_folder_without_configs_is_none_of_ones_own() -> None:
    Path("conf").mkdir()
    write({"conf/nginx.conf": "", "sweeps/notes.txt": ""})
    assert (own_folder("conf"), own_folder("sweeps")) == (None, None)


@pytest.mark.parametrize("name", ["conf/model/cnn", "sweeps/depth"])
def test_a_file_here_that_ours_would_hide(command: Callable, name: str) -> None:
    write({f"{name}.yaml": NET})
    answer = command(*QUIET)
    assert answer.code == 2
    assert answer.err.startswith(f"{name}.yaml: there is a choice of this name already")


def test_the_folders_of_the_package_are_found_beside_it_and_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shipped("conf") == CONF
    package = tmp_path / "src" / "experiments"
    package.mkdir(parents=True)
    monkeypatch.setattr("experiments.config.config_folders.PACKAGE", package)
    assert shipped("conf") == tmp_path / "conf"
    (package / "conf").mkdir()
    assert shipped("conf") == package / "conf"
