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


LAUGHS = "\n".join(
    ["a0: &a0 [1, 1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
)


TOO_MUCH = {
    "aliases of aliases": (LAUGHS, "stands for more than 1,000,000 values"),
    "itself": ("a: &a [*a]", "holds itself"),
    "deep": ("a: " + "[" * 200 + "]" * 200, "nested more than 100 deep"),
    "very deep": ("a: " + "[" * 10**5, "nested more than 100 deep"),
    "deep lines": ("\n".join(" " * n + "a:" for n in range(10**4)), "nested more than 100 deep"),
    "deep dashes": ("- " * 10**5, "nested more than 100 deep"),
    "a call": ("a: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
    "a function": ("a: !!python/name:os.system", "could not determine a constructor"),
    "bytes": ("a: !!binary aGFsbG8=", "it holds a bytes"),
    "a set": ("a: !!set {b, c}", "it holds a set"),
    "a date": ("a: !!timestamp 2001-01-01", "it holds a date"),
    "a list as key": ("? [1, 2]\n: 3", "unhashable"),
    "an escape": ('a: "\\e[2J"', "a sign that is no text"),
    "5000 digits": ("a: " + "9" * 5000, "digits"),
    "400 digits": ("a: " + "9" * 400, "no float can hold"),
}


@pytest.mark.parametrize(("text", "said"), TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_what_is_more_than_plain_values_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        from_yaml(text)


def test_aliases_that_stand_for_little_are_read() -> None:
    assert from_yaml("a: &a [1, 2]\nb: *a\nc: [*a, *a]")["c"] == [[1, 2], [1, 2]]
