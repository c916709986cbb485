"""How long a user waits: for --help, for the configuration, and for the default experiment.

    python benchmarks/start.py [--runs 5]

Each command is a fresh process; the commands take turns, and the first turn does not count.
Prints medians with the range, and writes them with hardware and versions to benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "train.py --help": [sys.executable, ROOT / "train.py", "--help"],
    "train.py --cfg job": [sys.executable, ROOT / "train.py", "--cfg", "job"],
    "import torch, lightning": [sys.executable, "-c", "import torch, lightning"],
    "train.py": [sys.executable, ROOT / "train.py"],
    "train.py logger=none": [sys.executable, ROOT / "train.py", "logger=none"],
}


def seconds(command: list[str | Path], folder: str) -> float:
    """Return the wall-clock seconds of one process."""
    started = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    measured: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(runs + 1):
            for name, command in COMMANDS.items():
                taken = seconds(command, folder)
                if turn:
                    measured[name].append(taken)
    for name, values in measured.items():
        median = statistics.median(values)
        print(f"{name:26} {median:6.2f} s   [{min(values):.2f}, {max(values):.2f}]   n={runs}")
    from experiments.hardware import environment

    known = environment("cpu", 1)
    report = {"seconds": measured, **{k: known[k] for k in ("versions", "device", "threads")}}
    path = ROOT / "benchmarks" / "results" / "start.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
