"""What `callbacks=diagnostics` costs: training with it over training without, side by side.

    python benchmarks/diagnostics.py [--rounds 7] [--epochs 5] [--data FOLDER]

Both in one process and in turns, of which the first does not count, on the real Fashion-MNIST: the
MLP of 256 and 128 units, and the small CNN of the other benchmarks. The time is the record's
train_seconds, from the start to the end of each epoch, measurements included; the cadence is the
default one. Prints medians with the range and writes outputs/benchmarks/diagnostics.json.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from report import keep, ratios, spread
from step import MODELS, composed, contest, share_threads

from experiments.config.launch import Launch
from experiments.record.history import read_history
from experiments.record.record import read_record
from experiments.training.run import train

MODELS["mlp 256-128"] = ["model=mlp", "model.hidden=[256,128]"]
COMPARED = ("mlp 256-128", "cnn")
DIAGNOSTICS = ["callbacks=diagnostics"]


def seconds_of_an_epoch(root: str, model: str, epochs: int, *more: str) -> float:
    """Return the seconds of an epoch of train.py."""
    before = set(Path("outputs").glob("runs/*/*"))
    train(composed(root, model, f"trainer.max_epochs={epochs}", *more), Launch([]))
    [folder] = set(Path("outputs").glob("runs/*/*")) - before
    measured = [row for row in read_history(folder) if row.get("diagnostics/head/update_ratio")]
    assert len(measured) == (epochs if more else 0), "the default cadence is each epoch here"
    return read_record(folder)["train_seconds"] / epochs


def measure(root: str, model: str, rounds: int, epochs: int) -> tuple[dict[str, list[float]], int]:
    """Return milliseconds of an epoch by contestant, and the number of threads."""
    threads = share_threads(root, model)
    contestants: dict[str, Callable[[], float]] = {
        "without": lambda: seconds_of_an_epoch(root, model, epochs),
        "with diagnostics": lambda: seconds_of_an_epoch(root, model, epochs, *DIAGNOSTICS),
    }
    return contest(contestants, rounds), threads


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--data", default="data", help="where Fashion-MNIST is, as data.root")
    arguments = parser.parse_args()
    root = str(Path(arguments.data).resolve())
    figures, threads = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for model in COMPARED:
            figures[model], threads[model] = measure(
                root, model, arguments.rounds, arguments.epochs
            )
            print(f"\n{model}, {threads[model]} thread(s)")
            for name, values in figures[model].items():
                against = ratios(values, figures[model]["without"])
                print(f"{name:18} {spread(values, 0):24} ms an epoch   {spread(against, 3)}")
        os.chdir("/")
    keep("diagnostics", {"milliseconds": figures, "epochs": arguments.epochs}, threads)


if __name__ == "__main__":
    main()
