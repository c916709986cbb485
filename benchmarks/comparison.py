"""How long a report takes: compare.py over 1,000 and 2,000 runs, and its --help.

    python benchmarks/comparison.py [--rounds 3]

The run folders are written by this script: ten settings of an activation by as many seeds as it
takes, 20 epochs each, with scores that differ. Each figure is of a whole command, with its imports,
the page, its tables and all pictures as SVG and PNG. Writes outputs/benchmarks/comparison.json.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from report import keep, spread

from experiments.record.history import HistoryFile
from experiments.record.identity import identity_of, setting_of
from experiments.record.plain_yaml import to_yaml
from experiments.record.record import SCHEMA, Record, write_record

COMPARE = str(Path(__file__).resolve().parents[1] / "compare.py")
TRAIN = str(Path(__file__).resolve().parents[1] / "train.py")
SETTINGS = (
    "sigmoid",
    "tanh",
    "relu",
    "leaky_relu",
    "maxout",
    "elu",
    "gelu",
    "silu",
    "mish",
    "selu",
)
NUM_EPOCHS = 20
MOST_MEGABYTES = 15


def usual_config() -> dict[str, Any]:
    """Return the whole config of an experiment, as train.py composes it."""
    import yaml

    done = subprocess.run(
        [sys.executable, TRAIN, "--cfg", "job"], check=True, capture_output=True, text=True
    )
    return dict(yaml.safe_load(done.stdout))


def write_sweep(sweep: Path, num_runs: int) -> None:
    """Write the folders of so many runs, and what their sweep declares."""
    config, draw = usual_config(), random.Random(0)
    num_seeds = num_runs // len(SETTINGS)
    for place, name in enumerate(SETTINGS):
        for seed in range(num_seeds):
            own = {**config, "seed": seed, "activation": {"name": name, "_target_": name}}
            identity, setting = identity_of(own, "c0"), setting_of(own, "c0")
            folder = sweep / f"activation={name},seed={seed}-{identity[:8]}"
            folder.mkdir(parents=True)
            (folder / "config.yaml").write_text(to_yaml(own))
            score = 0.85 + place / 200 + draw.gauss(0, 0.004)
            record: Record = dict.fromkeys(Record.__annotations__)  # type: ignore[assignment]
            record.update(schema=SCHEMA, identity=identity, setting=setting, seed=seed)
            record.update(status="completed", metrics={"test/accuracy": score}, environment={})
            record.update(num_classes=10, num_test=10_000, num_val=6_000, data_checksum="c0")
            record.update(epochs=NUM_EPOCHS, steps=100 * NUM_EPOCHS, num_parameters=269_322)
            record.update(duration_seconds=4.0, fit_seconds=3.5, train_seconds=3.0)
            record.update(overrides=[], started_at="2026-01-01T00:00:00.000+00:00")
            write_record(folder, record)
            history = HistoryFile(folder)
            for epoch in range(1, NUM_EPOCHS + 1):
                value = score - 0.3 / epoch
                row = {"epoch": epoch, "step": 100 * epoch, "lr": 0.001, "val/accuracy": value}
                history.append({**row, "train/loss": 1 - value, "val/loss": 1 - value})
    said = {
        "declared_at": "2026-01-01T00:00:00.000+00:00",
        "command": "python train.py sweeps=mine",
        "factor": ["activation"],
        "control": ["relu"],
        "metric": "test/accuracy",
        "delta": 0.005,
        "comparisons": "control",
        "protocol": "fixed",
        "values": {"activation": list(SETTINGS)},
        "cases": [],
        "when": {},
        "seeds": list(range(num_seeds)),
    }
    (sweep / "sweep.yaml").write_text(to_yaml([said]))


def seconds(folder: str, *arguments: str) -> float:
    """Return how long a command takes."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, COMPARE, *arguments], cwd=folder, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - started


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    figures: dict[str, list[float]] = {}
    sizes: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in (1000, 2000):
            sweep = Path(folder, f"sweep-{number}")
            write_sweep(sweep, number)
            name = f"a report over {number:,} runs"
            figures[name] = [seconds(folder, f"runs={sweep}") for _ in range(rounds)]
            page = Path(folder, f"outputs/reports/sweep-{number}/report.html")
            sizes[name] = page.stat().st_size / 2**20
            assert sizes[name] < MOST_MEGABYTES
        figures["compare.py --help"] = [seconds(folder, "--help") for _ in range(rounds)]
    for name, values in figures.items():
        size = f"   {sizes[name]:.1f} MB" if name in sizes else ""
        print(f"{name:26} {spread(values)} s{size}")
    keep("comparison", {"seconds": figures, "page_megabytes": sizes}, {})


if __name__ == "__main__":
    main()
