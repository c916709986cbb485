"""A user's own files in a run: what they are called, what they are for, and what is told of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from running import plain

from experiments.errors.messages import UserError
from experiments.record.identity import identity_of
from experiments.sweep.plan import data_key
from experiments.training.build import load_data
from experiments.training.notices import tell_of_data
from experiments.training.run_parts import build_run

TABLE = "x,y\n" + "".join(f"{i}.5,{i % 3}\n" for i in range(30))


def own(*overrides: str, text: str = TABLE, path: str = "iris.data") -> dict:
    """Return the config of a run on a table of one's own."""
    Path(path).write_text(text, encoding="utf-8")
    return plain("data=csv", f"data.path={path}", "model=linear", *overrides)


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        (["data=csv", "data.path=sets/iris.csv"], "iris"),
        (["data=csv", "data.path=iris.csv.gz"], "iris"),
        (["data=csv", "data.path=sets/wine.v2.data"], "wine.v2"),
        (["data=csv", "data.path=iris.csv", "data.name=flowers"], "flowers"),
        (["data=csv"], "csv"),
        (["data=npz", "data.path=sets/mine.npz"], "mine"),
        (["data=folder", "data.path=photos/"], "photos"),
        (["data=folder", "data.path=photos.v2"], "photos.v2"),
    ],
)
def test_own_data_are_called_by_their_file_or_as_one_likes(overrides: list[str], name: str) -> None:
    assert plain(*overrides)["data"]["name"] == name


def test_the_folder_one_stands_in_has_its_own_name() -> None:
    assert plain("data=folder", "data.path=.")["data"]["name"] == Path.cwd().name


def test_a_file_that_is_renamed_or_written_otherwise_is_the_same_data() -> None:
    usual = identity_of(own(), "checksum")
    for changes in (
        ["data.path=wine.csv"],
        ["data.name=flowers"],
        ["data.delimiter=comma", "data.header=true"],
        ["data.decimal=point", "data.encoding=latin-1", "data.missing=drop"],
    ):
        assert identity_of(own(*changes), "checksum") == usual
    assert identity_of(own("data.target=x"), "checksum") != usual
    assert identity_of(own(), "another") != usual


@pytest.mark.parametrize(
    ("overrides", "task"),
    [
        ([], "classification"),
        (["loss=mse"], "regression"),
        (["loss=huber"], "regression"),
        (["loss=mse", "data.task=classification"], "classification"),
        (["loss=focal"], "classification"),
    ],
)
def test_the_loss_says_what_a_target_of_numbers_is_for(overrides: list[str], task: str) -> None:
    assert load_data(own(*overrides)).task == task
    assert load_data(plain("data=digits", "loss=mse")).task == "classification"


def test_500_whole_prices_are_a_regression_with_its_loss_and_a_question_without() -> None:
    prices = "x,price\n" + "".join(f"{i}.5,{100_000 + 731 * i}\n" for i in range(500))
    data = load_data(own("loss=mse", text=prices))
    assert data.task == "regression"
    assert data.train.targets.max() > 400_000
    with pytest.raises(UserError, match="500 different whole numbers in 500 rows.*data.task=regr"):
        load_data(own(text=prices))


def test_a_sweep_reads_the_data_again_for_another_kind_of_loss() -> None:
    assert data_key(own()) != data_key(own("loss=mse"))
    assert data_key(own("data.task=regression")) == data_key(
        own("data.task=regression", "loss=mse")
    )


def test_the_panel_says_how_a_table_was_read() -> None:
    facts = build_run(own(text=TABLE.split("\n", 1)[1].replace(",", ";"))).facts
    assert facts["table"] == "30 rows, 1 feature, delimiter semicolon, no header"
    assert facts["target"] == "2, 3 classes: 0 10, 1 10, 2 10"


def test_notes_and_a_batch_that_was_cut_are_told_at_every_start(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = own("data.batch_size=500", text="# by hand\n" + TABLE)
    for _ in range(2):
        caplog.clear()
        parts = build_run(config)
        with caplog.at_level("INFO"):
            tell_of_data(config, parts.datamodule)
        assert "Data: iris: 1 comment line (#) left out." in caplog.text
        assert "data.batch_size=500: the 22 training points are one batch." in caplog.text
        assert parts.datamodule.batch_size == 22


def test_a_command_shows_what_it_understood(command: Callable) -> None:
    Path("flowers.csv").write_text(TABLE.replace("0.5,0\n", "0.5,0\n\n"), encoding="utf-8")
    typed = ["data=csv", "data.path=flowers.csv", "model=linear", "trainer.max_epochs=1"]
    answer = command("logger=none", *typed)
    assert answer.code == 0, answer.err
    assert "─ flowers ─" in answer.out
    assert "30 rows, 1 feature, delimiter comma, header" in answer.out
    assert "batch 22 (all)" in answer.out
    answer = command("logger=none", *typed, "data.name=blumen", "seed=1")
    assert "─ blumen ─" in answer.out


def test_validation_points_that_a_file_brings_validate(command: Callable) -> None:
    x = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    y = (np.arange(40) % 2)[:, None]
    parts = {"train": 40, "val": 30, "test": 20}
    arrays = {f"{part}_images": x[:number] for part, number in parts.items()}
    arrays |= {f"{part}_labels": y[:number] for part, number in parts.items()}
    np.savez("ownmnist.npz", **arrays)
    usual = ["data=npz", "data.path=ownmnist.npz", "model=cnn", "logger=none"]
    answer = command(*usual, "trainer.max_epochs=1", "data.val_fraction=0.2")
    assert answer.code == 0, answer.err
    for said in (
        "data.val_fraction=0.2 has no effect with data that bring validation points.",
        "ownmnist: its own 30 validation points validate",
        "train_images of shape (40, 8, 8) is read as grey images; type data.channels_last=true",
        "train_images (40, 8, 8), test_images (20, 8, 8), val_images (30, 8, 8), train_labels",
        "40 training, 30 validation, 20 test points of shape (1, 8, 8), 2 classes",
    ):
        assert said in answer.out
