"""What an answer costs: the same question asked four ways.

    python benchmarks/answer.py [--part questions|throughput] [--data FOLDER] [--small]

Questions: six activations against relu. On digits with the MLP 64-64-64-10 and 20 epochs, under
three optimizers each, and on MNIST-1D with its CNN under one; with 20 seeds each, or stopped when
it is settled (`sweep.until`); each run by itself, or as members of populations
(`hydra.launcher.population`). Printed are runs, seconds of CPU and of the clock, with all imports,
the answers, and whether they are the same ones.

Throughput: the same sweeps with populations and without, by turns, of runs that differ in seeds, of
runs that differ in learning rates, and where stacking may not pay: Fashion-MNIST's MLP, CNNs.
Counted from the first job's start to the last one's end. What members cost is measured anew each
time, as in the first sweep of an architecture. Writes outputs/benchmarks/answer.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from report import MEASURED, keep, ratios, spread

ROOT = Path(__file__).resolve().parents[1]
ACTIVATIONS = "relu,sigmoid,tanh,leaky_relu,maxout,elu"
OPTIMIZERS = "sgd,momentum,adam"
RATES = "0.01,0.0178,0.0316,0.0562,0.1,0.178,0.316,0.562"
MLP = ["data=digits", "model=mlp", "model.hidden=[64,64]", "trainer.max_epochs=20"]
CNN = ["data=mnist1d", "model=cnn", "trainer.max_epochs=10"]
FASHION = ["data=fashion_mnist", "model=mlp", "model.hidden=[64,128,64]", "trainer.max_epochs=1"]
QUESTIONS = {"digits, MLP": (MLP, OPTIMIZERS), "MNIST-1D, CNN": (CNN, "adam")}
SEEDS = 20
POPULATIONS = ("off", "auto")
SWEEPS = {
    "digits, MLP: 48 seeds": [*MLP, "seed=range(0,48)", "optim=sgd"],
    "digits, MLP: 8 rates, 6 seeds": [*MLP, "seed=range(0,6)", "optim=sgd", f"optim.lr={RATES}"],
    "Fashion-MNIST, MLP: 8 seeds": [*FASHION, "seed=range(0,8)", "optim=sgd"],
    "MNIST-1D, CNN: 8 seeds": [*CNN, "seed=range(0,8)"],
    "digits, CNN: 8 seeds": [*MLP[:1], "model=cnn", "trainer.max_epochs=10", "seed=range(0,8)"],
}


def asked(folder: Path, words: list[str], population: str) -> dict[str, Any]:
    """Run a sweep in a folder, and return what it took."""
    command = [sys.executable, str(ROOT / "train.py"), "-m", "logger=none", *words]
    command += [f"hydra.launcher.population={population}", "hydra.sweep.dir=runs"]
    before, started = cpu_seconds(), time.time()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    ended = time.time()
    records = [json.loads(path.read_text()) for path in folder.glob("runs/*/record.json")]
    assert {record["status"] for record in records} <= {"completed", "diverged"}
    first = min(datetime.fromisoformat(record["started_at"]).timestamp() for record in records)
    members = sum(record["population"] is not None for record in records)
    return {
        "runs": len(records),
        "members": members,
        "cpu_seconds": cpu_seconds() - before,
        "wall_seconds": ended - started,
        "job_seconds": ended - first,
    }


def cpu_seconds() -> float:
    """Return what all processes have computed that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def answers(folder: Path) -> dict[str, str]:
    """Return the verdict of each comparison in a sweep's folder."""
    command = [sys.executable, str(ROOT / "compare.py"), "runs=runs"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    [path] = folder.glob("outputs/reports/*/verdict.json")
    [task] = json.loads(path.read_text())["tasks"]
    return {pair["name"]: pair["verdict"] for pair in task["pairs"]}


def without_measurements(root: str) -> list[str]:
    """Forget what members cost, and return where the data are."""
    (Path(root) / "cache" / "populations.json").unlink(missing_ok=True)
    return [f"data.root={root}"]


def question(words: list[str], optimizers: str, root: str, small: bool) -> dict[str, Any]:
    """Ask a question four ways."""
    number = 10 if small else SEEDS
    sweep = [f"activation={ACTIVATIONS}", f"optim={optimizers}", "sweep.factor=activation"]
    sweep += ["sweep.control=relu", "sweep.delta=0.01"]
    if small:
        sweep[:2] = ["activation=relu,sigmoid", "optim=sgd"]
        words = [*words[:-1], "trainer.max_epochs=2"]
    ends = {"fixed": [f"sweep.seeds={number}"]}
    ends["settled"] = ["sweep.until=settled", f"sweep.max_seeds={number}"]
    told: dict[str, Any] = {}
    for until, more in ends.items():
        for population in POPULATIONS:
            where = [] if words[0] == "data=digits" else without_measurements(root)
            with tempfile.TemporaryDirectory() as place:
                taken = asked(Path(place), [*words, *sweep, *more, *where], population)
                taken["answers"] = answers(Path(place))
            told[f"{until}, population={population}"] = taken
            print(f"  {until}, population={population}: {taken}", flush=True)
    return told


def throughput(words: list[str], root: str, rounds: int, small: bool) -> dict[str, list[float]]:
    """Return the seconds of a sweep's jobs, by turns with populations and without."""
    seconds: dict[str, list[float]] = {population: [] for population in POPULATIONS}
    if small:
        words = ["seed=range(0,4)" if word.startswith("seed=") else word for word in words]
    for turn in range(rounds):
        for population in POPULATIONS if turn % 2 else reversed(POPULATIONS):
            where = [] if words[0] == "data=digits" else without_measurements(root)
            with tempfile.TemporaryDirectory() as place:
                taken = asked(Path(place), [*words, *where], population)
            seconds[population].append(taken["job_seconds"])
    return seconds


def measured_before() -> dict[str, Any]:
    """Return the figures of the part that is not measured now, if there are any."""
    path = MEASURED / "answer.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return {name: known.get(name, {}) for name in ("questions", "seconds")}


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("questions", "throughput"))
    parser.add_argument("--rounds", type=int, default=3, help="of the throughput")
    parser.add_argument("--data", default="data", help="where data are, as data.root")
    parser.add_argument("--small", action="store_true", help="try the script, not the machine")
    arguments = parser.parse_args()
    root = str(Path(arguments.data).resolve())
    figures = measured_before() if arguments.part else {"questions": {}, "seconds": {}}
    if arguments.part != "throughput":
        for name, (words, optimizers) in list(QUESTIONS.items())[: 1 if arguments.small else None]:
            print(name, flush=True)
            ways = figures["questions"][name] = question(words, optimizers, root, arguments.small)
            tell_question(ways)
    if arguments.part != "questions":
        for name, words in list(SWEEPS.items())[: 1 if arguments.small else None]:
            taken = throughput(words, root, arguments.rounds, arguments.small)
            figures["seconds"][name] = taken
            speed = ratios(taken["off"], taken["auto"])
            print(f"{name}: {spread(speed)} times the runs a second of population=off", flush=True)
    keep("answer", figures, {})


def tell_question(ways: dict[str, dict[str, Any]]) -> None:
    """Print what each way of asking cost, over that of the first."""
    first = next(iter(ways.values()))
    for name, taken in ways.items():
        cells = [f"{taken['runs']} runs ({taken['members']} as members)"]
        cells += [
            f"{taken[key]:.0f} s of {word} ({taken[key] / first[key]:.2f})"
            for key, word in (("cpu_seconds", "CPU"), ("wall_seconds", "the clock"))
        ]
        same = sum(taken["answers"][pair] == verdict for pair, verdict in first["answers"].items())
        cells.append(f"{same} of {len(first['answers'])} answers as the first way's")
        print(f"  {name}: {', '.join(cells)}", flush=True)


if __name__ == "__main__":
    main()
