"""Populations on a GPU: steps, and a sweep.

    python benchmarks/gpu.py [--sweep-seeds 64] [--accelerator cuda]

Member steps a second of the MLPs 64-64-64-10 and 64-512-512-10 and of the CNN on digits' images
of 8x8 pixels, by the number of members, which differ in their seeds or in their learning rates
too; then the same sweep of the first network with populations and without. Needs no download. Takes
less than 8 minutes on one GPU. Writes outputs/benchmarks/gpu.json. Without a GPU it says so, and
writes nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from answer import MLP, asked
from report import keep

from experiments.config.composer import composer_at
from experiments.training import console
from experiments.training.devices import computing_with
from experiments.training.population.measured_costs import alone, seconds_of, together
from experiments.training.run_parts import build_run

SIZES = (1, 4, 16, 64, 256)
NETWORKS = {
    "MLP 64-64-64-10": ["data=digits", "model=mlp", "model.hidden=[64,64]"],
    "MLP 64-512-512-10": ["data=digits", "model=mlp", "model.hidden=[512,512]"],
    "CNN, 8x8": ["data=digits", "model=cnn"],
}


def member_steps(words: list[str], accelerator: str) -> dict[str, dict[int, float]]:
    """Return steps of members a second: alone, and by the number of members."""
    conf = Path(__file__).resolve().parents[1] / "conf"
    config = composer_at(conf, "config").config(["logger=none", "optim=sgd", *words])
    config["trainer"]["accelerator"] = accelerator
    parts = build_run(config)
    parts.module.to(torch.device(accelerator))
    told: dict[str, dict[int, float]] = {"alone": {1: 1 / seconds_of(alone(parts))}}
    for name, differ in (("seeds", False), ("rates", True)):
        told[name] = {}
        for size in SIZES:
            told[name][size] = size / seconds_of(together(parts, size, differ))
    return told


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweep-seeds", type=int, default=64)
    parser.add_argument("--accelerator", default="cuda", help="cpu tries the script")
    arguments = parser.parse_args()
    if arguments.accelerator == "cuda" and not torch.cuda.is_available():
        print("There is no GPU here: nothing was measured.")
        return
    console.quiet_lightning()
    figures: dict[str, Any] = {"steps_per_second": {}, "sweep": {}}
    with computing_with(1, "highest"):
        for name, words in NETWORKS.items():
            told = member_steps(words, arguments.accelerator)
            figures["steps_per_second"][name] = told
            [single] = told["alone"].values()
            print(f"{name}: alone {single:,.0f} steps a second")
            for kind in ("seeds", "rates"):
                cells = [f"{n}: {v:,.0f} ({v / single:.1f})" for n, v in told[kind].items()]
                print(f"  members that differ in {kind}: {', '.join(cells)}", flush=True)
    words = [*MLP, f"seed=range(0,{arguments.sweep_seeds})", "optim=sgd"]
    words += [f"trainer.accelerator={arguments.accelerator}"]
    for population in ("off", "auto"):
        with tempfile.TemporaryDirectory() as folder:
            taken = figures["sweep"][population] = asked(Path(folder), words, population)
        print(
            f"{taken['runs']} runs, population={population}: {taken['job_seconds']:.1f} s of jobs"
        )
    if arguments.accelerator == "cuda":
        figures["gpu"] = torch.cuda.get_device_name()
        keep("gpu", figures, {})


if __name__ == "__main__":
    main()
