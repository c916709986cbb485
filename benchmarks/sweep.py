"""A sweep against bare loops: what a run costs beside its training steps.

    python benchmarks/sweep.py [--rounds 3] [--data FOLDER]

Six activations by five optimizers by three seeds: 90 runs of one epoch of the real Fashion-MNIST,
the MLP 784-64-128-64-10, batch 64, with validation, checkpoints, test and record, by two workers on
one thread each; with W&B offline, and without it. Against them two processes share the same 90
trainings as hand-written loops, as tight as in benchmarks/step.py, with nothing else: no
validation, no files. Both are counted from the first job's start to the last one's end, without the
imports of the first seconds, which are printed apart. Writes outputs/benchmarks/sweep.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

from report import keep, spread

HERE = Path(__file__).resolve()
TRAIN = str(HERE.parents[1] / "train.py")
ACTIVATIONS = ("sigmoid", "tanh", "relu", "leaky_relu", "maxout", "elu")
OPTIMIZERS = ("sgd", "momentum", "adagrad", "rmsprop", "adam")
SEEDS = range(3)
COMMAND = [
    "-m",
    "data=fashion_mnist",
    "model=mlp",
    "model.hidden=[64,128,64]",
    "trainer.max_epochs=1",
    f"activation={','.join(ACTIVATIONS)}",
    f"optim={','.join(OPTIMIZERS)}",
    f"seed=range(0,{len(SEEDS)})",
]
WORKERS = 2


def bare_share(root: str, share: int) -> None:
    """Train every second of the 90 as bare loops, from the word on standard input."""
    import rivals
    import torch

    from experiments.data.downloads import fashion_mnist
    from experiments.training.devices import without_asking_for_gpus

    torch.set_num_threads(1)
    points = fashion_mnist(root).train
    images, labels = points.inputs.clone()[:54000], points.targets.clone()[:54000]
    runs = list(product(SEEDS, ACTIVATIONS, OPTIMIZERS))[share::WORKERS]
    print("ready", flush=True)
    sys.stdin.readline()
    with without_asking_for_gpus():
        for seed, activation, optimizer in runs:
            torch.manual_seed(seed)
            network = rivals.plain_mlp(activation)
            rivals.seconds_of_bare_loop(network, images, labels, 64, optimizer)
    print("done", flush=True)


def seconds_of_bare_loops(root: str) -> float:
    """Return how long the 90 trainings take in two processes, without their imports."""
    command = [sys.executable, str(HERE), "--data", root, "--share"]
    processes = [
        subprocess.Popen(
            [*command, str(share)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for share in range(WORKERS)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    started = time.perf_counter()
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "done\n"
    seconds = time.perf_counter() - started
    for process in processes:
        process.communicate()
    return seconds


def seconds_of_ours(root: str, logger: str) -> tuple[float, float]:
    """Return the seconds of the sweep from its first job's start, and those before it."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.time()
        subprocess.run(
            [sys.executable, TRAIN, *COMMAND, f"data.root={root}", f"logger={logger}"],
            cwd=folder,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        ended = time.time()
        records = [
            json.loads(p.read_text()) for p in Path(folder).glob("outputs/sweeps/*/*/record.json")
        ]
        assert len(records) == len(ACTIVATIONS) * len(OPTIMIZERS) * len(SEEDS)
        assert all(record["status"] == "completed" for record in records)
        if logger == "wandb":
            runs = list(Path(folder, "outputs/wandb").glob("offline-run-*"))
            assert len(runs) == len(records)
        first = min(moment(record["started_at"]) for record in records)
        # A job is forked, and its parts are built, before its record says that it has started.
        before = first - started - seconds_to_prepare(records)
        return ended - started - before, before


def moment(text: str) -> float:
    """Return a time in ISO 8601 as seconds."""
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def seconds_to_prepare(records: list[dict[str, Any]]) -> float:
    """Return how long a job takes before its record, from those that follow on others.

    With two workers, job i + 2 starts when i ends: the shortest of the gaps between an end and the
    next starts is what lies between.
    """
    starts = sorted(moment(record["started_at"]) for record in records)
    ends = sorted(moment(record["ended_at"]) for record in records)
    gaps = [start - end for start, end in zip(starts[WORKERS:], ends, strict=False)]
    return max(0.0, statistics.median(gaps))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data", default="data", help="where Fashion-MNIST is, as data.root")
    parser.add_argument("--share", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    root = str(Path(arguments.data).resolve())
    if arguments.share is not None:
        bare_share(root, arguments.share)
        return
    os.environ["WANDB_MODE"] = "offline"
    figures: dict[str, list[float]] = {"bare loops": [], "W&B offline": [], "no logger": []}
    imports: list[float] = []
    for turn in range(arguments.rounds + 1):
        taken = {"bare loops": seconds_of_bare_loops(root)}
        for name, logger in (("W&B offline", "wandb"), ("no logger", "none")):
            taken[name], before = seconds_of_ours(root, logger)
            imports.append(before)
        print(f"turn {turn}:", {name: round(value, 2) for name, value in taken.items()}, flush=True)
        if turn:  # the first fills the caches
            for name, value in taken.items():
                figures[name].append(value)
    num_runs = len(ACTIVATIONS) * len(OPTIMIZERS) * len(SEEDS)
    for name, values in figures.items():
        against = [v / b for v, b in zip(values, figures["bare loops"], strict=True)]
        each = statistics.median(values) / num_runs
        print(f"{name:12} {spread(values, 1):24} s   {each:.3f} s a run   {spread(against)}")
    print(f"before the first job (imports): {spread(imports, 1)} s")
    keep("sweep", {"seconds": figures, "before": imports, "runs": num_runs}, {"worker": 1})


if __name__ == "__main__":
    main()
