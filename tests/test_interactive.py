"""The three commands as functions: the same runs, pictures and verdicts."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from experiments import interactive
from experiments.errors.messages import UserError
from experiments.training.load import load_run

SMALL = [
    "data=xor",
    "data.num_samples=100",
    "model=mlp",
    "model.hidden=[8]",
    "trainer.max_epochs=2",
]


def test_training_leaves_an_ordinary_run_and_the_same_words_find_it() -> None:
    run = interactive.train(*SMALL, "optim=sgd", "seed=3")
    assert run.record["status"] == "completed"
    assert run.folder.parent == Path("outputs/interactive")
    config = load_run(run.folder).config
    assert (config["optim"]["name"], config["seed"], config["data"]["name"]) == ("sgd", 3, "xor")
    assert [row["epoch"] for row in run.history] == [1, 2]
    again = interactive.train("seed=3", "optim=sgd", *SMALL)
    assert again.folder == run.folder
    assert again.record["started_at"] == run.record["started_at"]


def test_full_batch_means_the_same_as_on_the_command_line() -> None:
    run = interactive.train(*SMALL, "optim=gd", folder="here")
    assert run.folder.parent == Path("here")
    assert run.record["steps"] == 2


def test_a_picture_is_a_png_that_notebooks_show() -> None:
    shown = interactive.draw("figure=activation_curves", "activation=[relu]", dpi=40)
    assert list(shown.numbers["curves"]) == ["relu"]
    assert "relu" in repr(shown)
    light = Image.open(io.BytesIO(shown._repr_png_())).convert("RGB")
    dark = interactive.draw("figure=activation_curves", "activation=[relu]", theme="dark", dpi=40)
    page = Image.open(io.BytesIO(dark._repr_png_())).convert("RGB")
    assert light.size == page.size
    assert light.getpixel((1, 1)) == (255, 255, 255)
    assert page.getpixel((1, 1)) == (0x14, 0x1A, 0x20)
    assert not Path("outputs").exists()


def test_names_of_an_expression_are_typed_as_on_the_command_line() -> None:
    shown = interactive.draw("figure=computational_graph", "expr=a * b", "a=3", "b=2")
    assert "a" in repr(shown)


def test_a_verdict_on_runs() -> None:
    for activation in ("relu", "identity"):
        for seed in range(2):
            interactive.train(*SMALL, f"activation={activation}", f"seed={seed}", folder="two")
    [*_, sentence] = interactive.compare("runs=two", "factor=activation", "control=identity")
    assert "relu" in sentence
    assert "identity" in sentence


def test_mistakes_are_told_in_our_words() -> None:
    with pytest.raises(UserError, match="there is no such optim.*Did you mean optim=adam"):
        interactive.train(*SMALL, "optim=adm")
    with pytest.raises(UserError, match="seed=abc"):
        interactive.train("seed=abc")
    with pytest.raises(UserError, match="there is no such figure"):
        interactive.draw("figure=nothing")
    with pytest.raises(UserError, match="lowest"):
        interactive.draw("figure=activation_curves", "lowest=3")
    with pytest.raises(UserError, match="there is no such folder"):
        interactive.compare("runs=nowhere")
