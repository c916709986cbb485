"""How long a user waits: for --help, for the configuration, and for the first optimizer step.

    python benchmarks/start.py [--rounds 5] [--data FOLDER]

Each command is a fresh process; the commands take turns, and the first turn does not count (it
also writes the caches). "First step" is counted inside the process, from the moment at which
torch and lightning are imported to the first optimizer step. Prints medians with the range and
writes outputs/benchmarks/start.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from report import keep, spread

TRAIN = str(Path(__file__).resolve().parents[1] / "train.py")

FIRST_STEP = """
import runpy, sys, time
import torch, lightning
started = time.perf_counter()
from experiments.training.steps import Steps
def first_step(self, batches):
    print("seconds", time.perf_counter() - started, flush=True)
    raise SystemExit
Steps.take = first_step
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def commands() -> dict[str, list[str]]:
    """Return what is timed as a whole."""
    python = sys.executable
    return {
        "python -c pass": [python, "-c", "pass"],
        "train.py --help": [python, TRAIN, "--help"],
        "train.py --cfg job": [python, TRAIN, "--cfg", "job"],
        "import torch, lightning": [python, "-c", "import torch, lightning"],
        "train.py": [python, TRAIN],
        "train.py logger=none": [python, TRAIN, "logger=none"],
    }


def first_steps(root: str) -> dict[str, list[str]]:
    """Return what is timed from after the imports to the first step."""
    start = [sys.executable, "-c", FIRST_STEP, TRAIN, "logger=none", "progress=none"]
    return {
        "first step, digits": start,
        "first step, Fashion-MNIST": [*start, "data=fashion_mnist", f"data.root={root}"],
    }


def seconds(command: list[str], folder: str) -> float:
    """Return the wall-clock seconds of one process."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


def seconds_told(command: list[str], folder: str) -> float:
    """Return the seconds that a process tells."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    [line] = [line for line in done.stdout.splitlines() if line.startswith("seconds ")]
    return float(line.split()[1])


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", default="data", help="where Fashion-MNIST is, as data.root")
    arguments = parser.parse_args()
    root = str(Path(arguments.data).resolve())
    timed = {name: (seconds, command) for name, command in commands().items()}
    timed |= {name: (seconds_told, command) for name, command in first_steps(root).items()}
    measured: dict[str, list[float]] = {name: [] for name in timed}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(arguments.rounds + 1):
            for name, (clock, command) in timed.items():
                taken = clock(command, folder)
                if turn:
                    measured[name].append(taken)
    for name, values in measured.items():
        print(f"{name:28} {spread(values)} s   n={arguments.rounds}")
    keep("start", {"seconds": measured}, {})


if __name__ == "__main__":
    main()
