"""A whole run: its epochs against hand-written ones, and the memory that it takes.

    python benchmarks/epoch.py [--rounds 5] [--data FOLDER]

An epoch is training and validation on the real Fashion-MNIST, with checkpoints in ours and
without in the others; five epochs are timed together, in one process, in turns of which the first
does not count. Memory is the peak of a fresh process that trains and tests, less that of one that
only imports torch and lightning. Writes outputs/benchmarks/epoch.json.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rivals
import torch
from report import keep, ratios, spread
from step import MODELS, bare_network, composed, contest, share_threads
from torch import Tensor

from experiments.config.launch import Launch
from experiments.data.downloads import fashion_mnist
from experiments.record.record import read_record
from experiments.training.devices import without_asking_for_gpus
from experiments.training.run import train

EPOCHS = 5
TRAIN = str(Path(__file__).resolve().parents[1] / "train.py")
PEAK = "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"


def seconds_of_ours(root: str, model: str) -> float:
    """Return the seconds of an epoch of train.py, from the record's fit_seconds."""
    before = set(Path("outputs").glob("runs/*/*"))
    train(composed(root, model, f"trainer.max_epochs={EPOCHS}"), Launch([]))
    [folder] = set(Path("outputs").glob("runs/*/*")) - before
    return read_record(folder)["fit_seconds"] / EPOCHS


@torch.no_grad()
def validate(network: torch.nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the accuracy, as a hand-written loop would take it."""
    network.eval()
    right = 0
    for x, y in zip(images.split(256), labels.split(256), strict=True):
        outputs = network(x.float().sub_(rivals.MEAN).div_(rivals.STD))
        right += int((outputs.argmax(1) == y).sum())
    return right / len(labels)


def measure(root: str, model: str, rounds: int) -> tuple[dict[str, list[float]], int]:
    """Return milliseconds of an epoch by contestant, and the number of threads."""
    threads = share_threads(root, model)
    points = fashion_mnist(root).train
    images, labels = points.inputs.clone(), points.targets.clone()

    def bare() -> float:
        network = bare_network(model)
        started = time.perf_counter()
        with without_asking_for_gpus():
            for _ in range(EPOCHS):
                rivals.seconds_of_bare_loop(network, images[:54000], labels[:54000], 64)
                validate(network, images[54000:], labels[54000:])
        return (time.perf_counter() - started) / EPOCHS

    contestants = {"bare loop": bare, "ours": lambda: seconds_of_ours(root, model)}
    return contest(contestants, rounds), threads


def megabytes(command: list[str]) -> float:
    """Return the peak memory that a process tells of itself."""
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) / 1024


def memory(root: str, model: str) -> dict[str, float]:
    """Return the peak memory of a run and of the imports alone, in MB (2^20 bytes)."""
    imports = [sys.executable, "-c", f"import torch, lightning; {PEAK}"]
    script = (
        "import runpy, sys; sys.argv = sys.argv[1:]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        f"except SystemExit: pass\n{PEAK}"
    )
    run = [sys.executable, "-c", script, TRAIN, "data=fashion_mnist", f"data.root={root}"]
    run += [*MODELS[model], "logger=none", "progress=none", "trainer.max_epochs=1"]
    return {"run": megabytes(run), "imports": megabytes(imports)}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", default="data", help="where Fashion-MNIST is, as data.root")
    arguments = parser.parse_args()
    root = str(Path(arguments.data).resolve())
    figures, threads, peaks = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for model in MODELS:
            figures[model], threads[model] = measure(root, model, arguments.rounds)
            print(f"\n{model}, {threads[model]} thread(s)")
            for name, values in figures[model].items():
                against = ratios(values, figures[model]["bare loop"])
                print(f"{name:12} {spread(values, 0):24} ms an epoch   {spread(against)}")
            peaks[model] = memory(root, model)
            above = peaks[model]["run"] - peaks[model]["imports"]
            print(f"peak memory  {above:.0f} MB above the imports")
        os.chdir("/")
    keep("epoch", {"milliseconds": figures, "peak_megabytes": peaks}, threads)


if __name__ == "__main__":
    main()
