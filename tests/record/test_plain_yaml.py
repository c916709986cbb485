"""Configs are written and read as OmegaConf would, whose numbers are not all those of YAML."""

from __future__ import annotations

import math

import pytest
from omegaconf import OmegaConf
from running import plain

from experiments.record.plain_yaml import from_yaml, to_yaml

NUMBERS = [0, -3, 10**20, 0.1, 1e-5, -2.5e300, 1e16, 1.0, math.inf, -math.inf]
LIKE_NUMBERS = ["1e-3", "1e5", "1.5E+3", "-1e3", ".5e-3", "1_000", "0x1F", "0o7", "010", "1:30"]
LIKE_NUMBERS += ["190:20.5", "nan", "inf", ".nan", ".inf", "-.INF", "infinity", "+1", "1.", "1e"]
LIKE_NUMBERS += ["true", "Yes", "off", "n", "null", "~", "2001-12-14", "2001-12-14 21:59:43"]
WORDS = [
    "-",
    ".",
    "=",
    "",
    " a",
    "a ",
    "a: b",
    "a #b",
    "- a",
    "[a",
    "{a",
    "<<",
    "*a",
    "&a",
    "!a",
    "@a",
]
WORDS += ["val/loss", "a,b", "'a'", '"a"', "a\\b", "two\nlines", "\t", "\u00fc\n", "${a}"]


@pytest.mark.parametrize(
    "value", [*NUMBERS, *LIKE_NUMBERS, *WORDS, None, True, [1, "1e3", []], {"a": {"b": "1e3"}}]
)
def test_what_one_writes_the_other_reads(value: object) -> None:
    config = {"key": value, "other": [value]}
    assert OmegaConf.to_container(OmegaConf.create(to_yaml(config))) == config
    assert from_yaml(OmegaConf.to_yaml(OmegaConf.create(config))) == config
    assert from_yaml(to_yaml(config)) == config


@pytest.mark.parametrize("word", LIKE_NUMBERS)
def test_a_word_without_quotes_means_what_it_means_to_omegaconf(word: str) -> None:
    text = f"key: {word}\n"
    assert repr(from_yaml(text)) == repr(OmegaConf.to_container(OmegaConf.create(text)))


@pytest.mark.parametrize("overrides", [[], ["optim=adam", "optim.lr=1e-5", "data=moons"]])
def test_the_text_of_a_config_is_that_of_omegaconf(overrides: list[str]) -> None:
    config = plain(*overrides)
    assert to_yaml(config) == OmegaConf.to_yaml(OmegaConf.create(config))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no mapping"),
        ("- a", "no mapping"),
        ("a: [", "expected"),
        ("a: 1\na: 2", "duplicate key a"),
        ("a: !!python/name:os.system", "constructor"),
    ],
)
def test_what_is_no_mapping_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_yaml(text)
