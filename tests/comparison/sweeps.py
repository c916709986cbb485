"""Sweeps as they lie on disk, with scores that a test chooses; nothing is trained."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from sweep_folders import record_of

from experiments.record.folder import write_atomic
from experiments.record.history import HistoryFile
from experiments.record.identity import identity_of, setting_of
from experiments.record.record import write_record

CONFIG: dict[str, Any] = {
    "seed": 0,
    "test": True,
    "model": {"name": "mlp", "_target_": "experiments.catalogue.models.mlp.MLP", "hidden": [64]},
    "activation": {"name": "relu", "_target_": "torch.nn.ReLU"},
    "loss": {"name": "cross_entropy", "_target_": "torch.nn.CrossEntropyLoss"},
    "optim": {"name": "sgd", "_target_": "torch.optim.SGD", "lr": 0.1, "search": {"lr": [0.1, 1]}},
    "data": {"name": "digits", "_target_": "experiments.data.points.digits", "batch_size": 64},
    "trainer": {"max_epochs": 3, "precision": "32-true", "threads": "auto"},
    "logger": {"name": "none", "project": "experiments", "entity": None, "mode": "auto"},
    "paths": {"output": "outputs"},
}
ENVIRONMENT = {
    "versions": {"python": "3.11.7", "torch": "2.14.1"},
    "commit": "abc",
    "clean": True,
    "device": "cpu: a processor",
    "num_devices": 1,
    "threads": 1,
    "host": "here",
    "pid": 1,
}

Score = Callable[[int], float | None]


def config_of(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the usual config with dotted keys changed; a group's name is its choice."""
    config = copy.deepcopy(CONFIG)
    for key, value in changes.items():
        *parents, last = key.split(".")
        node = config
        for word in parents:
            node = node[word]
        if isinstance(node.get(last), dict) and not isinstance(value, dict):
            node[last]["name"] = value
        else:
            node[last] = value
    return config


def write_run(
    sweep: Path,
    changes: Mapping[str, Any],
    seed: int,
    score: float | None,
    *,
    metric: str = "test/accuracy",
    curve: Sequence[float] = (0.5, 0.7, 0.8),
    **values: Any,
) -> Path:
    """Write the folder of a run and return it."""
    config = config_of({**changes, "seed": seed})
    checksum = values.get("data_checksum", "c0")
    code = values.get("code")
    identity = identity_of(config, checksum, code)
    name = ",".join(f"{key}={value}" for key, value in changes.items())
    folder = sweep / f"{name},seed={seed}-{identity[:8]}"
    folder.mkdir(parents=True)
    write_atomic(folder / "config.yaml", yaml.safe_dump(config, sort_keys=False))
    record = record_of(
        **{
            "identity": identity,
            "setting": setting_of(config, checksum, code),
            "seed": seed,
            "metrics": {} if score is None else {metric: score, "val/accuracy": curve[-1]},
            "environment": ENVIRONMENT,
            "data_checksum": checksum,
            "num_classes": 10,
            "num_train": 1000,
            "num_val": 144,
            "num_test": 359,
            "epochs": len(curve),
            "best_epoch": len(curve),
            "steps": 10 * len(curve),
            "train_seconds": 0.1 * len(curve),
            **values,
        }
    )
    write_record(folder, record)
    history = HistoryFile(folder)
    for epoch, value in enumerate(curve, 1):
        history.append({"epoch": epoch, "step": 10 * epoch, "val/accuracy": value})
    return folder


def write_sweep(
    sweep: Path,
    factor: str,
    arms: Mapping[Any, Score],
    seeds: Sequence[int] = range(10),
    *,
    declares: bool = True,
    changes: Mapping[str, Any] | None = None,
    **declared: Any,
) -> Path:
    """Write a sweep over one factor, and its declaration, and return its folder.

    Args:
        sweep: the folder.
        factor: a key.
        arms: the score of each seed, by the value of the factor.
        seeds: of the runs.
        declares: there is a sweep.yaml.
        changes: of the config, alike in all runs.
        declared: of the declaration.
    """
    for value, score in arms.items():
        for seed in seeds:
            write_run(sweep, {**(changes or {}), factor: value}, seed, score(seed))
    if declares:
        declare(sweep, factor=[factor], values={factor: [str(a) for a in arms]}, **declared)
    return sweep


def declare(sweep: Path, **declared: Any) -> None:
    """Write what a sweep declares of itself; once more below what it declared before."""
    path = sweep / "sweep.yaml"
    said = yaml.safe_load(path.read_text()) if path.is_file() else []
    usual = {
        "declared_at": f"2026-11-0{len(said) + 1}T00:00:00.000+00:00",
        "command": "python train.py sweeps=mine",
        "factor": ["activation"],
        "control": ["relu"],
        "metric": "test/accuracy",
        "delta": 0.005,
        "comparisons": "control",
        "protocol": "fixed",
        "values": {},
        "cases": [],
        "when": {},
        "seeds": list(range(10)),
    }
    sweep.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump([*said, {**usual, **declared}], sort_keys=False))
