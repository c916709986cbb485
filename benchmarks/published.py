"""MNIST-1D as published against ours: test accuracy of three models over five seeds.

    python benchmarks/published.py [--seeds 0 1 2 3 4]

Trains experiment=mnist1d_linear, mnist1d_mlp and mnist1d_cnn as `python train.py` would, in one
process and a temporary folder: two minutes. Published is what the authors' notebook prints after
its 6,000 steps, of one seed each (repository greydanus/mnist1d, commit 7878d96,
notebooks/mnist1d-classification.ipynb). Prints both columns and, of all five seeds, writes
outputs/benchmarks/published.json.
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
PUBLISHED = {"mnist1d_linear": 31.5, "mnist1d_mlp": 65.1, "mnist1d_cnn": 92.3}
"""Test accuracy, in percent."""
SEEDS = [0, 1, 2, 3, 4]


def run(experiment: str, seed: int) -> Record:
    """Train one seed of an experiment and return its record."""
    overrides = [f"experiment={experiment}", f"seed={seed}", "logger=none", "progress=none"]
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


def main() -> None:
    """Train, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    seeds = parser.parse_args().seeds
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
