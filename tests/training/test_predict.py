"""New points by a trained run: of the test set's own files it tells what the run kept."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from experiments.training.load import Run
from experiments.training.predict import main

Train = Callable[..., Run]
SHORT = ("trainer.max_epochs=1", "optim.lr=0.01")


def rows_of(path: str = "predictions.csv") -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def predicted(*words: str, capsys: Any) -> list[dict[str, str]]:
    code = main(words)
    assert code == 0, capsys.readouterr().err
    return rows_of()


def refused(*words: str, capsys: Any) -> str:
    capsys.readouterr()
    assert main(words) == 2
    said: str = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    return said


def is_what_was_kept(run: Run, rows: list[dict[str, str]], names: list[str]) -> bool:
    kept = run.predictions
    assert kept is not None
    if kept.values is not None:
        told = np.array([float(row["price"]) for row in rows], kept.values.dtype)
        return bool((told == kept.values[:, 0]).all())
    assert kept.classes is not None
    assert kept.probabilities is not None
    words = [names[number] for number in kept.classes]
    chosen = kept.probabilities[range(len(kept)), kept.classes]
    told = np.array([float(row["probability"]) for row in rows], np.float32).astype(np.float16)
    return [row["class"] for row in rows] == words and bool((told == chosen).all())


def table(path: str, num: int, seed: int, target: str = "kind") -> None:
    """Write a table: two features in any units, and a target that follows from them."""
    rng = np.random.default_rng(seed)
    lines = [f"width,height,{target}"]
    for width, height in rng.normal(2460310, 50, (num, 2)):
        value = f"{3 * width - height:.3f}" if target == "price" else "ab"[int(width > height)]
        lines.append(f"{width:.2f},{height:.2f},{value}")
    Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize("target", ["kind", "price"])
def test_of_a_table_it_tells_what_was_kept(train_run: Train, capsys: Any, target: str) -> None:
    table("train.csv", 60, 0, target)
    table("test.csv", 33, 1, target)
    loss = ["loss=mse"] if target == "price" else []
    own = ("data=csv", "data.path=train.csv", "data.test_path=test.csv", "model=mlp")
    run = train_run(*own, "model.hidden=[8]", *loss, *SHORT)
    # The target need not be there, nor the order be the same; other columns are let be.
    lines = Path("test.csv").read_text().splitlines()
    cells = [line.split(",") for line in lines]
    new = [f"id,{h},{w}" if i == 0 else f"x{i},{h},{w}" for i, (w, h, _) in enumerate(cells)]
    Path("new.csv").write_text("\n".join(new) + "\n")
    for path in ("test.csv", "new.csv"):
        rows = predicted(f"run={run.folder}", f"inputs={path}", capsys=capsys)
        assert [row["row"] for row in rows] == [str(line) for line in range(2, 35)]
        assert is_what_was_kept(run, rows, ["a", "b"])
    word = [f"run={run.folder}"]
    Path("narrow.csv").write_text("width,depth\n1,2\n3,4\n")
    said = refused(*word, "inputs=narrow.csv", capsys=capsys)
    assert "narrow.csv: there is no column height" in said
    Path("hole.csv").write_text("width,height\n1,2\n3,\n")
    said = refused(*word, "inputs=hole.csv", capsys=capsys)
    assert "hole.csv, row 3, column height: the cell is empty" in said
    np.savez("wide.npz", x=np.zeros((4, 3)))
    said = refused(*word, "inputs=wide.npz", capsys=capsys)
    assert "points of shape (3,), and" in said
    assert "takes points of shape (2,)" in said
    np.savez("two.npz", x=np.zeros((4, 2)), x_test=np.ones((1, 2)))
    assert "Type array=NAME" in refused(*word, "inputs=two.npz", capsys=capsys)
    assert len(predicted(*word, "inputs=two.npz", "array=x_test", capsys=capsys)) == 1
    said = refused(*word, "inputs=tset.csv", capsys=capsys)
    assert "Did you mean inputs=test.csv?" in said


@pytest.fixture
def photos() -> Path:
    """Class folders of small pictures, of another size than they are trained in."""
    rng = np.random.default_rng(0)
    for part, num in (("train", 12), ("test", 5)):
        for number, name in enumerate(("cat", "dog")):
            folder = Path("photos", part, name)
            folder.mkdir(parents=True)
            for i in range(num):
                pixels = rng.integers(100 * number, 156 + 100 * number, (14, 11, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{i}.png")
    return Path("photos")


def test_of_images_it_tells_what_was_kept(train_run: Train, capsys: Any, photos: Path) -> None:
    own = ("data=folder", f"data.path={photos}", "data.size=8", "model=cnn", "model.channels=[4]")
    run = train_run(*own, *SHORT)
    rows = predicted(f"run={run.folder}", "inputs=photos/test/", capsys=capsys)
    assert [row["file"] for row in rows][:2] == ["cat/0.png", "cat/1.png"]
    assert is_what_was_kept(run, rows, ["cat", "dog"])
    [row] = predicted(f"run={run.folder}", "inputs=photos/test/dog/3.png", capsys=capsys)
    assert row["file"] == "3.png"
    word = f"run={run.folder}"
    Path("none").mkdir()
    assert "none: no image is in it" in refused(word, "inputs=none", capsys=capsys)
    Path("t.csv").write_text("a,b\n1,2\n")
    assert "as its data have none" in refused(word, "inputs=t.csv", capsys=capsys)


@pytest.mark.parametrize(
    "overrides",
    [
        ["model=cnn", "model.channels=[4]"],
        ["model=cnn", "model.channels=[4]", "optim=lbfgs", "data.pixel_shuffle=true"],
        ["model=linear", "trainer.ema_decay=0.5", "trainer.precision=bf16-mixed"],
    ],
)
def test_of_arrays_it_tells_what_was_kept(
    train_run: Train, capsys: Any, overrides: list[str]
) -> None:
    from experiments.data.embedded import digits

    run = train_run(*overrides, *SHORT)
    test = digits().test.inputs
    np.savez("x.npz", x=test.numpy(), other=np.zeros(2))
    rows = predicted(f"run={run.folder}", "inputs=x.npz", capsys=capsys)
    assert [row["row"] for row in rows][-1] == "358"
    assert is_what_was_kept(run, rows, list("0123456789"))
    # Without its one channel, and in other numbers, it is the same.
    np.save("grey.npy", test[:, 0].double().numpy())
    assert predicted(f"run={run.folder}", "inputs=grey.npy", capsys=capsys) == rows


def test_words_that_mean_nothing_are_told(train_run: Train, capsys: Any) -> None:
    run = train_run("data=moons", "model=linear", *SHORT)
    assert "There is no run=" in refused("inputs=x.npz", capsys=capsys)
    assert "photos: what is typed is run=FOLDER" in refused("photos", capsys=capsys)
    assert "Did you mean inputs=...?" in refused("run=a", "input=b", capsys=capsys)
    said = refused("run=nowhere", "inputs=x", capsys=capsys)
    assert "nowhere is not a run folder: there is no such folder" in said
    np.savez("x.npz", x=np.zeros((2, 2)))
    words = (f"run={run.folder}", "inputs=x.npz")
    said = refused(*words, "output=nowhere/p.csv", capsys=capsys)
    assert "output=nowhere/p.csv: this file cannot be written" in said
    assert "Choices: best, last" in refused(*words, "checkpoint=first", capsys=capsys)
    rows = predicted(*words, "checkpoint=last", capsys=capsys)
    with torch.no_grad():
        probabilities = run.module("last").predict(torch.zeros(2, 2))
    assert [row["class"] for row in rows] == [str(int(p)) for p in probabilities]
    shutil.rmtree(run.folder / "checkpoints")
    assert "there is no checkpoint best.ckpt to load" in refused(*words, capsys=capsys)
