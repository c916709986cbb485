"""The time of a training step: ours, the hand-written loop's, and Lightning's as users have it.

    python benchmarks/step.py [--rounds 5] [--data FOLDER]

All in one process and on the same images (the real Fashion-MNIST), with as many threads as our
run chooses for itself. The contestants take turns, and the first turn does not count. Ours is
the whole of train.py between the start and the end of a training epoch: metrics, counters and
history included. Prints medians with the range and writes outputs/benchmarks/step.json.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import rivals
import torch
from report import keep, ratios, spread
from torch import nn

from experiments import load_run
from experiments.config.composer import composer_at, plain
from experiments.config.launch import Launch
from experiments.data.downloads import fashion_mnist
from experiments.record.record import read_record
from experiments.training.devices import without_asking_for_gpus
from experiments.training.run import train
from experiments.training.run_parts import build_run

CONF = Path(__file__).resolve().parents[1] / "conf"
MODELS = {
    "mlp": ["model=mlp", "model.hidden=[64,128,64]", "model.norm=batch"],
    "cnn": ["model=cnn", "model.channels=[16,32]"],
}
QUIET = ["logger=none", "progress=none", "test=false", "trainer.max_epochs=1"]


def composed(root: str, model: str, *more: str) -> dict[str, Any]:
    """Return the config of our run."""
    overrides = ["data=fashion_mnist", f"data.root={root}", *MODELS[model], *QUIET, *more]
    return plain(composer_at(CONF, "config").task(overrides))


def seconds_of_ours(root: str, model: str, *more: str) -> float:
    """Return the seconds of a step of train.py, from the record of a run of one epoch."""
    before = set(Path("outputs").glob("runs/*/*"))
    train(composed(root, model, *more), Launch([]))
    [folder] = set(Path("outputs").glob("runs/*/*")) - before
    record = read_record(folder)
    assert load_run(folder).record["status"] == "completed"
    return record["train_seconds"] / record["steps"]


def contest(contestants: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Let everyone take turns, and return the milliseconds of each turn but the first."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, contestant in contestants.items():
            milliseconds = 1000 * contestant()
            if turn:
                taken[name].append(milliseconds)
    return taken


def share_threads(root: str, model: str) -> int:
    """Give everyone in this process the threads that our run chooses, and return how many."""
    threads = build_run(composed(root, model)).num_threads
    torch.set_num_threads(threads)
    return threads


def bare_network(model: str) -> nn.Module:
    """Return the network of the hand-written loop, in the faster layout, which ours has too."""
    if model == "cnn":
        return rivals.cnn().to(memory_format=torch.channels_last)
    return rivals.mlp()


def measure(root: str, model: str, rounds: int) -> tuple[dict[str, list[float]], int]:
    """Return milliseconds per step by contestant, and the number of threads."""
    threads = share_threads(root, model)
    points = fashion_mnist(root).train
    images, labels = points.inputs.clone(), points.targets.clone()
    make = {"mlp": rivals.mlp, "cnn": rivals.cnn}[model]

    def bare() -> float:
        # As in a script that never imported Lightning: see without_asking_for_gpus.
        with without_asking_for_gpus():
            return rivals.seconds_of_bare_loop(
                bare_network(model), images[:54000], labels[:54000], 64
            )

    normalized = rivals.in_memory(images, labels)
    transformed = rivals.Images(images, labels)
    contestants: dict[str, Callable[[], float]] = {
        "bare loop": bare,
        "ours": lambda: seconds_of_ours(root, model),
        "ours, 1 step per call": lambda: seconds_of_ours(root, model, "steps_per_execution=1"),
        "Lightning, tensors in memory": lambda: rivals.seconds_of_lightning(
            make(), normalized, 64, 300
        ),
        "Lightning, transforms": lambda: rivals.seconds_of_lightning(make(), transformed, 64, 150),
    }
    return contest(contestants, rounds), threads


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", default="data", help="where Fashion-MNIST is, as data.root")
    arguments = parser.parse_args()
    root = str(Path(arguments.data).resolve())
    figures, threads = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for model in MODELS:
            figures[model], threads[model] = measure(root, model, arguments.rounds)
            print(
                f"\n{model}, {threads[model]} thread(s)      ms per step        over the bare loop"
            )
            for name, values in figures[model].items():
                against = ratios(values, figures[model]["bare loop"])
                print(f"{name:30} {spread(values, 3):24} {spread(against)}")
        os.chdir("/")
    keep("step", {"milliseconds": figures}, threads)


if __name__ == "__main__":
    main()
