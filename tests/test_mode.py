"""Hydra's first composition is skipped only where it could not have found a multirun."""

from __future__ import annotations

import re

import pytest
from hydra._internal.hydra import Hydra
from running import CONF, ROOT

from experiments.mode import MAY_SET_MODE, known_beforehand, may_set_mode


def test_only_the_groups_that_make_sweeps_set_the_mode() -> None:
    files = [p for p in CONF.glob("**/*.yaml") if re.search(r"^\s*mode:", p.read_text(), re.M)]
    setting = [p for p in files if "hydra:" in p.read_text() and p != CONF / "config.yaml"]
    assert all(p.parent.name in MAY_SET_MODE for p in setting)
    config = (CONF / "config.yaml").read_text()
    assert "mode:" not in config.partition("\nhydra:")[2]
    assert any("mode: MULTIRUN" in p.read_text() for p in (ROOT / "sweeps").glob("*.yaml"))


UNCERTAIN = ["sweeps=activations", "+sweeps=x", "sweeps@_global_=x", "experiment=mine"]
UNCERTAIN += ["hydra.mode=MULTIRUN", "debug=fast_dev", "--config-dir=mine", "-cd mine"]


@pytest.mark.parametrize("arguments", [words.split() for words in UNCERTAIN], ids=UNCERTAIN)
def test_hydra_is_asked_where_it_is_not_certain(arguments: list[str]) -> None:
    asked = Hydra.get_mode
    with known_beforehand(arguments):
        assert Hydra.get_mode is asked


def test_hydra_is_not_asked_where_it_is() -> None:
    asked = Hydra.get_mode
    assert not may_set_mode(["model=cnn", "-m", "seed=0,1"])
    with known_beforehand(["model=cnn"]):
        assert Hydra.get_mode is not asked
    assert Hydra.get_mode is asked
