"""MNIST-1D as published against ours: test accuracy of four models over five seeds.

    python benchmarks/published.py [--seeds 0 1 2 3 4] [--curve]

Trains experiment=mnist1d_linear, mnist1d_mlp, mnist1d_cnn and mnist1d_gru as `python train.py`
would, in one process and a temporary folder: two minutes, and twenty for the GRU. Published is what
the authors' notebook prints after its 6,000 steps, of one seed each (repository greydanus/mnist1d,
commit 7878d96, notebooks/mnist1d-classification.ipynb); for the GRU, of which it prints 89.1 %, the
table of their README. Prints both columns and, of all five seeds, writes
outputs/benchmarks/published.json.

With --curve it trains the six widths of experiment=double_descent instead, seed 0 unless others are
asked for, and writes outputs/benchmarks/double_descent.json: five minutes a seed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from report import keep

from experiments.config.composer import composer_at, plain
from experiments.config.launch import Launch
from experiments.record.record import Record, read_record
from experiments.training.run import train

CONF = Path(__file__).resolve().parents[1] / "conf"
PUBLISHED = {"mnist1d_linear": 31.5, "mnist1d_mlp": 65.1, "mnist1d_cnn": 92.3, "mnist1d_gru": 91.0}
"""Test accuracy, in percent."""
SEEDS = [0, 1, 2, 3, 4]
CURVE = {16: 47.24, 36: 52.80, 47: 54.05, 61: 54.02, 104: 50.23, 300: 45.47}
"""Test error, in percent, by the features of each of two hidden layers, with 15 % of the training
labels drawn anew; of one run each (commit 9129ceb, notebooks/deep-double-descent.ipynb)."""


def run(experiment: str, seed: int, *more: str) -> Record:
    """Train one seed of an experiment, with more overrides, and return its record."""
    overrides = [f"experiment={experiment}", f"seed={seed}", "logger=none", "progress=none", *more]
    config = composer_at(CONF, "config").task(overrides)
    before = set(Path("outputs").glob("runs/*/*"))
    with contextlib.redirect_stdout(io.StringIO()):
        train(plain(config), Launch([]))
    [folder] = set(Path("outputs").glob("runs/*/*")) - before
    return read_record(folder)


def percent(record: Record) -> float:
    """Return the test accuracy of a completed run, in percent."""
    accuracy = record["metrics"]["test/accuracy"]
    assert record["status"] == "completed"
    assert accuracy is not None
    return round(100 * accuracy, 4)


def mean_and_spread(values: list[float]) -> str:
    """Return `mean ± standard deviation (n)`; one value alone has no deviation."""
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation} (n={len(values)})"


def train_curve(seeds: list[int]) -> None:
    """Train the widths of double descent, print test and training errors, and keep them."""
    errors: dict[str, dict[int, list[float]]] = {"test": {}, "train": {}}
    parameters, threads = {}, {}
    print("test error, %   h  parameters  published  ours            in training")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for width, published in CURVE.items():
            records = [run("double_descent", s, f"model.hidden=[{width},{width}]") for s in seeds]
            parameters[width] = records[0]["num_parameters"]
            threads[f"h={width}"] = records[0]["environment"]["threads"]
            for stage, of_stage in errors.items():
                of_stage[width] = [error(record, f"{stage}/accuracy") for record in records]
            test, training = (mean_and_spread(e[width]) for e in errors.values())
            print(
                f"{width:17}  {parameters[width]:10,}  {published:9.2f}  {test:14}  {training}",
                flush=True,
            )
        os.chdir("/")
    figures = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "seeds": seeds,
        "num_parameters": parameters,
        "published_error_percent": CURVE,
        "test_error_percent": errors["test"],
        "training_error_percent": errors["train"],
    }
    keep("double_descent", figures, threads)


def error(record: Record, metric: str) -> float:
    """Return 100 % minus an accuracy of a completed run, in percent."""
    accuracy = record["metrics"][metric]
    assert record["status"] == "completed"
    assert accuracy is not None
    return round(100 * (1 - accuracy), 4)


def main() -> None:
    """Train, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+")
    parser.add_argument("--curve", action="store_true", help="train those of double descent")
    given = parser.parse_args()
    if given.curve:
        train_curve(given.seeds or SEEDS[:1])
        return
    seeds = given.seeds or SEEDS
    parameters, accuracies, threads = {}, {}, {}
    print("test accuracy, %  parameters  published  ours                    difference")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, published in PUBLISHED.items():
            records = [run(name, seed) for seed in seeds]
            parameters[name] = records[0]["num_parameters"]
            threads[name] = records[0]["environment"]["threads"]
            values = accuracies[name] = [percent(record) for record in records]
            difference = statistics.mean(values) - published
            print(
                f"{name:16}  {parameters[name]:10,}  {published:9.1f}  "
                f"{mean_and_spread(values):22}  {difference:+.2f}",
                flush=True,
            )
        os.chdir("/")
    if seeds != SEEDS:
        return
    figures = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "seeds": seeds,
        "num_parameters": parameters,
        "published_percent": PUBLISHED,
        "test_accuracy_percent": accuracies,
    }
    keep("published", figures, threads)


if __name__ == "__main__":
    main()
