"""docs/lecture.md: its numbers are those of conf/, and nothing is missing."""

from __future__ import annotations

import re

import yaml
from running import CONF, ROOT, composed
from typed_commands import commands_in, quoted_below

PAGE = ROOT / "docs" / "lecture.md"
TEXT = PAGE.read_text(encoding="utf-8")
IDEAS = [
    "nonlinearity",
    "sigmoid_in_depth",
    "full_batch",
    "optimizers",
    "cnn_vs_mlp",
    "shifted_images",
]


def sections() -> dict[int, str]:
    """Return the text of each idea, by its number."""
    parts = re.split(r"^## (\d+) ", TEXT, flags=re.MULTILINE)[1:]
    return {int(number): text for number, text in zip(parts[::2], parts[1::2], strict=True)}


def test_each_of_the_eleven_slides_has_a_command() -> None:
    assert list(sections()) == list(range(1, 12))
    for number, text in sections().items():
        assert commands_in(text), number


def test_every_figure_and_every_idea_of_the_experiments_is_there() -> None:
    for path in (CONF / "figure").glob("*.yaml"):
        assert f"figure={path.stem}" in TEXT, path.stem
    for name in IDEAS:
        assert f"experiment={name}" in TEXT, name


def test_every_idea_of_the_experiments_ends_in_sentences_that_its_file_has_too() -> None:
    for name in IDEAS:
        text = (CONF / "experiment" / f"{name}.yaml").read_text(encoding="utf-8")
        told = " ".join(re.sub(r"^# ", "", text, flags=re.MULTILINE).split())
        sentences = quoted_below(TEXT, f"python train.py experiment={name}")
        assert sentences, name
        for sentence in sentences:
            assert f'"{sentence}"' in told, sentence
            assert sentence.startswith("Whether") or re.search("beats|are equivalent", sentence)


def test_every_measured_value_is_that_of_the_experiments_file() -> None:
    found = 0
    for text in sections().values():
        told = "".join(
            (CONF / "experiment" / f"{name}.yaml").read_text(encoding="utf-8")
            for name in re.findall(r"experiment=(\w+)", text)
        )
        for mean, deviation in re.findall(r"(\d+(?:\.\d+)?) ±\s(\d+(?:\.\d+)?)", text):
            assert f"{mean} +- {deviation}" in told, f"{mean} ± {deviation}"
            found += 1
    assert found >= 19


def test_numbers_of_the_text_are_those_of_the_configuration() -> None:
    seeds = yaml.safe_load((ROOT / "sweeps" / "activations.yaml").read_text(encoding="utf-8"))
    assert seeds["sweep"]["seeds"] == 10
    arms = [f"experiment/cnn_vs_mlp@_global_={arm}" for arm in ("cnn", "mlp")]
    cnn, mlp = (composed("experiment=cnn_vs_mlp", arm).model for arm in arms)
    assert list(cnn.channels) == [25, 25, 25]
    assert list(mlp.hidden) == [102]
