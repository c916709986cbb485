"""Run folders: names that nobody else has, and files that are whole."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from experiments.errors.messages import UserError
from experiments.record.folder import (
    claim_folder,
    read_back,
    read_config,
    write_atomic,
    write_config,
)


def test_many_claims_of_one_name_give_many_folders() -> None:
    with ThreadPoolExecutor(8) as pool:
        claimed = list(pool.map(lambda _: claim_folder(Path("runs/a")), range(20)))
    assert len(set(claimed)) == 20
    assert sorted(p.name for p in claimed) == sorted(["a", *(f"a-{n}" for n in range(2, 21))])


def test_a_place_that_cannot_be_written_is_told() -> None:
    Path("file").write_text("")
    with pytest.raises(
        UserError, match="file/a: the folder cannot be written to .* paths.output=F"
    ):
        claim_folder(Path("file/a"))


def test_a_failed_write_leaves_the_old_content_and_no_other_file() -> None:
    path = Path("record.json")
    write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "new \ud800")
    assert path.read_text() == "old"
    assert list(Path().iterdir()) == [path]


def test_a_config_is_read_as_omegaconf_has_written_it() -> None:
    words = ["1e-3", "on", "2024-01-01", "null", "~", "0x1F", "a: b", "é", "", ".inf", "1_000"]
    odd: Any = {"words": words, "numbers": [1e-08, 1e22, math.inf, -0.0, 10**20, True, None]}
    OmegaConf.save(odd, "config.yaml")
    assert read_config(Path()) == odd


def test_a_config_that_was_cut_short_is_none_wherever_it_was_cut() -> None:
    write_config(Path(), {"seed": 3, "optim": {"lr": 0.1, "name": "sgd"}})
    text = Path("config.yaml").read_text()
    assert read_back(text) == {"seed": 3, "optim": {"lr": 0.1, "name": "sgd"}}
    for end in range(len(text)):
        with pytest.raises(ValueError, match="cut short|no mapping"):
            read_back(text[:end])
