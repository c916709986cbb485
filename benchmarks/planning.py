"""How long a large sweep takes to be looked at: planned as a dry run, and run with nothing missing.

    python benchmarks/planning.py

The first is 10,000 jobs of 20 combinations of groups; the second 1,000 jobs whose records lie there
already, written by this script. Each is a whole command, imports included. Writes
outputs/benchmarks/planning.json.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import keep, spread

from experiments.record.record import SCHEMA, Record, now, write_record

TRAIN = str(Path(__file__).resolve().parents[1] / "train.py")
GRID = ["-m", "model=mlp", "logger=none", "activation=relu,tanh,elu,sigmoid,gelu"]
GRID += ["optim=sgd,momentum,rmsprop,adam"]


def seconds(folder: str, *overrides: str) -> tuple[float, str]:
    """Return how long a command takes, and what it says."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, TRAIN, *GRID, *overrides],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return time.perf_counter() - started, done.stdout


def write_records(folder: Path, names: list[tuple[str, str]]) -> None:
    """Write the record of a run that is done for each name and identity."""
    for name, identity in names:
        record: Record = dict.fromkeys(Record.__annotations__)  # type: ignore[assignment]
        record.update(schema=SCHEMA, identity=identity, setting=identity, status="completed")
        record.update(seed=0, overrides=[], epochs=1, steps=1, num_parameters=1, environment={})
        record.update(fit_seconds=1.0, train_seconds=1.0, started_at=now())
        record.update(metrics={"test/accuracy": 0.9}, duration_seconds=1.0)
        place = folder / f"{name}-{identity[:8]}"
        place.mkdir(parents=True)
        write_record(place, record)


def identities(folder: str, *overrides: str) -> list[tuple[str, str]]:
    """Return the folder and the identity of each job of the grid, from its plan."""
    script = (
        "import sys; from experiments.sweep.sweep import Sweep\n"
        "def tell_jobs(sweep, plan):\n"
        "    for job in plan.jobs: print('JOB', job.sweep_dir / job.name, job.identity)\n"
        "Sweep.tell_plan = tell_jobs\n"
        "import runpy; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, TRAIN, *GRID, *overrides, "sweep.dry_run=true"],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return re.findall(r"^JOB (\S+) (\S+)$", done.stdout, re.MULTILINE)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    dry, done = [], []
    with tempfile.TemporaryDirectory() as folder:
        many = ["optim.lr=0.1,0.2,0.3,0.4,0.5", "seed=range(0,100)"]
        for _ in range(rounds):
            taken, said = seconds(folder, *many, "sweep.dry_run=true")
            assert "10000 jobs: 10000 missing" in said
            dry.append(taken)
        fewer = ["seed=range(0,50)"]
        found = identities(folder, *fewer)
        assert len(found) == 1000
        write_records(Path(folder), found)
        for _ in range(rounds):
            taken, said = seconds(folder, *fewer)
            assert "1000 jobs: 1000 completed; nothing is missing" in said
            done.append(taken)
    print(f"10,000 jobs planned (dry run):      {spread(dry, 1)} s")
    print(f"1,000 runs with nothing missing:    {spread(done, 1)} s")
    keep("planning", {"dry_run_of_10000": dry, "nothing_missing_of_1000": done}, {})


if __name__ == "__main__":
    main()
