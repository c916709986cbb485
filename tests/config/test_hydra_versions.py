"""Hydra of two versions: what the newer one is told more, and that jobs are composed as by Hydra.

tests/slow/test_next_hydra.py runs commands under the newer one.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.types import RunMode
from omegaconf import OmegaConf
from running import CONF

from experiments.config import hydra_versions
from experiments.config.composer import Composer, composer_at
from experiments.config.hydra_versions import (
    CONTROLS,
    job_config,
    may_call,
    version_base,
    with_controls_of,
    with_mode,
)

SWEPT = "hydra.sweeper.swept=[activation]"


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hydra_versions, "IS_1_3", False)


@pytest.fixture
def older(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hydra_versions, "IS_1_3", True)


@pytest.fixture(scope="module")
def multirun() -> Composer:
    return composer_at(CONF, "config", ["model=mlp"], mode=RunMode.MULTIRUN)


def test_the_newer_one_is_given_a_list_of_what_it_may_call(newer: None, tmp_path: Path) -> None:
    (tmp_path / "conf" / "callbacks").mkdir(parents=True)
    own = "# @package _global_\nhydra:\n  callbacks:\n    a:\n      _target_: of_a_file.Tell\n"
    (tmp_path / "conf" / "callbacks" / "tells.yaml").write_text(own)
    words = ["+hydra.callbacks.a={_target_:mine.nets.Tell}", "trusted=[theirs.part]", "seed=1"]
    allowed = may_call(words)["execution_whitelist"]
    named = {"experiments", "torch", "lightning", "hydra.experimental.callbacks"}
    named |= {"mine", "theirs.part", "of_a_file"}
    assert named | {f"{name}.*" for name in named} < set(allowed)
    assert not {"os", "os.*", "hydra.*", "*", "theirs", "theirs.*"} & set(allowed)
    assert version_base() == {}


def test_the_older_one_knows_no_such_list(older: None) -> None:
    assert may_call(["seed=1"]) == {}
    assert version_base() == {"version_base": "1.3"}
    assert with_mode(["sweeps=activations"], CONF) == ["sweeps=activations"]


@pytest.mark.parametrize(
    ("words", "added"),
    [
        (["sweeps=activations", "model=mlp"], ["hydra.mode=MULTIRUN"]),
        (["sweeps=mine"], ["hydra.mode=MULTIRUN"]),
        (["sweeps=mute"], []),
        (["sweeps=broken"], []),
        (["sweeps=none"], []),
        (["sweeps=there_is_none"], []),
        (["sweeps=activations", "-m"], []),
        (["sweeps=activations", "hydra.mode=RUN"], []),
        (["experiment=whole"], ["hydra.mode=MULTIRUN"]),
        (["model=mlp", "seed=1"], []),
    ],
)
def test_the_newer_one_hears_the_mode_of_a_file(
    words: list[str], added: list[str], newer: None, tmp_path: Path
) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    mode = "# @package _global_\nhydra:\n  mode: MULTIRUN\n"
    (tmp_path / "sweeps" / "mine.yaml").write_text(mode)
    (tmp_path / "sweeps" / "mute.yaml").write_text("mode: MULTIRUN\n")
    (tmp_path / "sweeps" / "broken.yaml").write_text("hydra: [\nmode: MULTIRUN\n")
    (tmp_path / "conf" / "experiment" / "whole.yaml").write_text(mode)
    assert with_mode(words, CONF) == [*words, *added]


def test_a_job_is_composed_as_hydra_composes_it(multirun: Composer) -> None:
    loader, master = multirun.loader, multirun.master
    words = ["activation=tanh", "optim.lr=0.5"]
    ours, hydras = job_config(loader, master, words), loader.load_sweep_config(master, words)
    for config in (ours, hydras):
        OmegaConf.set_readonly(config, False)
    assert OmegaConf.to_container(ours, resolve=False) == OmegaConf.to_container(
        hydras, resolve=False
    )
    assert ours.optim.lr == 0.5
    assert ours.hydra.runtime.choices.activation == "tanh"


def test_launchers_of_hydras_own_see_the_sweeper_that_a_job_has(multirun: Composer) -> None:
    job = job_config(multirun.loader, multirun.master, [SWEPT])
    seen = with_controls_of(multirun.master, job)
    assert seen.hydra.sweeper.swept == ["activation"]
    assert multirun.master.hydra.sweeper.swept is None
    for name in CONTROLS:
        group = f"hydra/{name}"
        assert seen.hydra[name] == job.hydra[name]
        assert seen.hydra.runtime.choices[group] == job.hydra.runtime.choices[group]
