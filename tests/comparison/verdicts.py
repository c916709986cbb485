"""Verdicts made up for tests of what a person reads: plausible numbers, no run behind them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import stdtr, stdtrit

from experiments.comparison.mean_curves import Band, Curves
from experiments.comparison.statistics.expected_best import expected_best

Verdict = dict[str, Any]

ACTIVATIONS = {
    "relu": 0.8776,
    "elu": 0.8768,
    "leaky_relu": 0.8779,
    "tanh": 0.8731,
    "maxout": 0.8841,
}
OPTIMIZERS = {"sgd": 0.0, "momentum": 0.012, "nesterov": 0.0125, "rmsprop": 0.008, "adam": 0.0145}
HOSTILE = "</script><img src=x onerror=alert(1)>|`*_$&%#{}\\\"'"


def signed(difference: float) -> str:
    """Return a difference of accuracies as tables show it."""
    text = f"{difference * 100:+.2f}"
    return "0.00" if text in ("+0.00", "-0.00") else text.replace("-", "−")


def mean_interval(values: np.ndarray, level: float) -> list[float] | None:
    """Return a t interval of a mean."""
    n = len(values)
    if n < 2:
        return None
    half = stdtrit(n - 1, 0.5 + level / 2) * values.std(ddof=1) / math.sqrt(n)
    return [float(values.mean() - half), float(values.mean() + half)]


def setting(
    number: int, name: str, levels: dict[str, Any], scores: np.ndarray, control: bool
) -> Any:
    """Return the entry of a setting."""
    n = len(scores)
    return {
        "id": number, "name": name, "levels": levels, "is_control": control,
        "num_parameters": 235146 + 34176 * (name == "maxout"), "num_activation_parameters": 0,
        "n": n, "mean": float(scores.mean()), "sd": float(scores.std(ddof=1)) if n > 1 else None,
        "interval": mean_interval(scores, 0.95), "median": float(np.median(scores)),
        "low": float(scores.min()), "high": float(scores.max()),
        "scores": {str(seed): float(score) for seed, score in enumerate(scores)},
        "failures": {}, "failure_rate": 0.0, "failure_interval": [0.0, 0.31], "tuned": None,
        "seconds": 4.2, "train_seconds": 3.1, "steps": 4220, "identity": f"{number:016x}",
        "config": dict(levels),
    }  # fmt: skip


def pair(a: Any, b: Any, family: int, delta: float) -> Any:
    """Return the comparison of two settings."""
    seeds = sorted(set(a["scores"]) & set(b["scores"]), key=int)
    d = np.array([a["scores"][s] - b["scores"][s] for s in seeds])
    inner, level = mean_interval(d, 0.9), 1 - 0.05 / family
    mean, sd = float(d.mean()), float(d.std(ddof=1)) if len(d) > 1 else None
    p = 2 / 2 ** len(d) if (np.sign(d) == np.sign(mean)).all() else 0.5 * math.exp(-abs(mean) * 200)
    if len(d) > 1 and abs(mean) >= delta and min(1.0, p * family) < 0.05:
        word = "better" if mean > 0 else "worse"
    elif inner and -delta < inner[0] and inner[1] < delta:
        word = "equivalent"
    else:
        word = "inconclusive"
    return {
        "a": a["id"], "b": b["id"], "name": f"{a['name']} against {b['name']}", "n": len(d),
        "difference": mean, "interval": mean_interval(d, level), "level": level,
        "interval90": inner, "sd": sd, "correlation": 0.6 if sd else None,
        "p": p if sd else None, "p_holm": min(1.0, p * family) if sd else None,
        "superiority": float((d > 0).mean()), "superiority_interval": [0.2, 0.9], "verdict": word,
        "reason": None if sd else "one seed", "seeds_needed": 24 if word == "inconclusive" else None,
        "detectable": 0.004, "chances": chances(mean, sd, len(d), delta), "sentence": f"{a['name']} and {b['name']}: {word}.",
    }  # fmt: skip


def chances(mean: float, sd: float | None, n: int, delta: float) -> dict[str, float] | None:
    """Return how probably the mean difference is above, within and below +-delta."""
    if not sd:
        return None
    ends = [float(stdtr(n - 1, (end - mean) * math.sqrt(n) / sd)) for end in (-delta, delta)]
    return {"better": 1 - ends[1], "within": ends[1] - ends[0], "worse": ends[0]}


def task(
    name: str, means: dict[str, float], num_seeds: int, rng: np.random.Generator, *,
    control: str | None = "relu", delta: float = 0.005, factor: str = "activation",
) -> Any:  # fmt: skip
    """Return the entry of a task: a setting for each mean, each with `num_seeds` scores."""
    luck = rng.normal(0, 0.002, num_seeds)
    settings = [
        setting(i, n, {factor: n}, mean + luck + rng.normal(0, 0.0018, num_seeds), n == control)
        for i, (n, mean) in enumerate(means.items())
    ]
    if control:
        chosen = next(s for s in settings if s["is_control"])
        pairs = [pair(s, chosen, len(means) - 1, delta) for s in settings if s is not chosen]
    else:
        count = len(means) * (len(means) - 1) // 2
        pairs = [
            pair(a, b, count, delta) for i, a in enumerate(settings) for b in settings[i + 1 :]
        ]
    return {
        "name": name, "num_classes": 10, "num_test": 10000, "chance": 0.1,
        "test_standard_error": 0.0033, "settings": settings, "pairs": pairs,
        "seeds_used": list(range(num_seeds)), "fewest_seeds": 8,
    }  # fmt: skip


def verdict_of(tasks: list[Any], **values: Any) -> Verdict:
    """Return a whole verdict around its tasks."""
    control = next((s["name"] for s in tasks[0]["settings"] if s["is_control"]), None)
    runs = [
        run_of(t["name"], s, seed) for t in tasks for s in t["settings"] for seed in s["scores"]
    ]
    plain = {
        "schema": 1, "name": "activations", "made_at": "2026-11-27T09:30:00+00:00",
        "command": "python compare.py runs=outputs/sweeps/activations",
        "headline": [
            "maxout beats relu by 0.65 points [0.4, 0.9], 10 seeds.",
            "elu and leaky_relu are equivalent to relu within 0.5 points.",
            "tanh against relu: inconclusive; about 24 seeds would settle it.",
        ],
        "design": {
            "factor": ["activation"], "control": [control] if control else None,
            "metric": "test/accuracy", "higher_is_better": True, "unit": "points", "delta": 0.005,
            "comparisons": "control" if control else "all", "protocol": "fixed", "alpha": 0.05,
            "family": len(tasks[0]["pairs"]), "seeds": tasks[0]["seeds_used"],
            "declared_at": "2026-11-26T18:00:00+00:00", "source": "declared", "changes": [],
            "command": "python train.py sweeps=activations",
        },
        "tasks": tasks, "matrix": None, "several_tasks": None, "steps_to_target": None,
        "sensitivity": None, "health": None,
        "confounds": {"withholding": [], "listed": [], "allowed": []},
        "missing": [], "missing_command": None, "unread": [], "excluded": [],
        "notes": ["Parameters differ: maxout has 269,322, the others 235,146."],
        "environment": {
            "python": ["3.11.7"], "torch": ["2.14.1"], "lightning": ["2.6.6"],
            "device": ["cpu: 2 threads"], "commit": ["1e64c06 (clean)"],
        },
        "runs": runs,
    }  # fmt: skip
    return {**plain, **values}


def run_of(task_name: str, entry: Any, seed: str) -> Any:
    """Return the entry of a run."""
    error = entry["failures"].get(seed)
    score = entry["scores"][seed]
    return {
        "folder": f"outputs/sweeps/activations/activation={entry['name']},seed={seed}-0123abcd",
        "task": task_name, "setting": entry["id"], "seed": int(seed),
        "status": "diverged" if error else "completed", "score": score, "identity": f"{entry['id']:08x}",
        "epochs": 5, "steps": 4220, "seconds": 4.1 + int(seed) / 100, "error": error,
        "metrics": {"test/accuracy": score, "test/loss": 0.35, "val/accuracy": score},
    }  # fmt: skip


def small(num_seeds: int = 10, seed: int = 0, **values: Any) -> Verdict:
    """Return a verdict of six activations on one task."""
    rng = np.random.default_rng(seed)
    means = {**ACTIVATIONS, "sigmoid": 0.7952}
    return verdict_of([task("fashion_mnist", means, num_seeds, rng)], **values)


def one_seed() -> Verdict:
    """Return a verdict that no seed but one stands behind."""
    return small(1, notes=["1 seed cannot settle anything: 8 are needed for 5 comparisons."])


def all_pairs() -> Verdict:
    """Return a verdict without a control."""
    made = task("fashion_mnist", ACTIVATIONS, 10, np.random.default_rng(1), control=None)
    return verdict_of([made])


def of_loss() -> Verdict:
    """Return a verdict of a loss, the lower the better, in no unit."""
    means = {"relu": 0.3521, "elu": 0.3412, "tanh": 0.3618}
    verdict = verdict_of([task("diabetes", means, 10, np.random.default_rng(2))])
    verdict["design"] |= {"metric": "test/loss", "unit": "", "higher_is_better": False}
    verdict["tasks"][0] |= {"num_classes": None, "chance": None, "test_standard_error": None}
    for entry in verdict["tasks"][0]["pairs"]:
        swap = {"better": "worse", "worse": "better"}
        entry["verdict"] = swap.get(entry["verdict"], entry["verdict"])
    return verdict


def troubled() -> Verdict:
    """Return a verdict with failures, withheld pairs, missing, unread and excluded runs."""
    verdict = small()
    made = verdict["tasks"][0]
    failed = made["settings"][5]
    failed["failures"] = {
        "3": "diverged: the loss became nan at step 12",
        "7": "no better than chance",
    }
    failed["scores"] |= {"3": 0.1, "7": 0.1}
    failed |= {"failure_rate": 0.2, "failure_interval": [0.025, 0.556]}
    values = np.array(list(failed["scores"].values()))
    failed |= {"mean": float(values.mean()), "sd": float(values.std(ddof=1))}
    failed["interval"] = mean_interval(values, 0.95)
    made["pairs"][-1] = pair(failed, made["settings"][0], 5, 0.005)
    for entry in made["pairs"][:2]:
        entry |= {"verdict": "withheld", "reason": "trainer.max_epochs differs: 5 and 10"}
    verdict["confounds"] = {
        "withholding": ["trainer.max_epochs: relu 5; elu, leaky_relu 10"],
        "listed": ["environment.commit: 2 in all settings alike", "environment.host: 2 alike"],
        "allowed": ["data.batch_size: relu 128; tanh 256"],
    }
    verdict["headline"][0] = (
        "elu and leaky_relu against relu: withheld, trainer.max_epochs differs."
    )
    verdict["missing"] = ["relu: seeds 8, 9", "tanh: seed 4"]
    verdict["missing_command"] = "python train.py sweeps=activations"
    verdict["unread"] = [{"folder": "outputs/sweeps/activations/x", "reason": "corrupt record"}]
    verdict["excluded"] = [{"folder": "outputs/sweeps/activations/y", "reason": "still running"}]
    verdict["design"]["changes"] = ["delta: 0.005 -> 0.01 at 2026-11-27T08:00:00+00:00"]
    verdict["runs"] = [
        run_of("fashion_mnist", s, seed) for s in made["settings"] for seed in s["scores"]
    ]
    return verdict


def matrix(num_seeds: int = 10) -> Verdict:
    """Return a verdict of two factors, six activations by five optimizers."""
    rng = np.random.default_rng(3)
    rows = {**ACTIVATIONS, "sigmoid": 0.80}
    means = {
        f"{a}, {o}": mean + shift - 0.3 * (a == "sigmoid" and o == "sgd")
        for a, mean in rows.items()
        for o, shift in OPTIMIZERS.items()
    }
    made = task("fashion_mnist", means, num_seeds, rng, control="relu, sgd")
    grid = [[made["settings"][i * 5 + j] for j in range(5)] for i in range(6)]
    for i, a in enumerate(rows):
        for j, o in enumerate(OPTIMIZERS):
            grid[i][j]["levels"] = {"activation": a, "optim": o}
    verdict = verdict_of([made])
    verdict["design"] |= {"factor": ["activation", "optim"], "control": ["relu", "sgd"]}
    verdict["matrix"] = {
        "factors": ["activation", "optim"], "levels": [list(rows), list(OPTIMIZERS)],
        "means": [[s["mean"] for s in row] for row in grid],
        "sds": [[s["sd"] for s in row] for row in grid],
        "ns": [[s["n"] for s in row] for row in grid],
        "main": [
            {"factor": "activation", "level": "elu", "against": "relu", "difference": -0.001,
             "interval": [-0.002, 0.0005], "p": 0.3, "p_holm": 1.0, "verdict": "equivalent", "n": 10},
            {"factor": "optim", "level": "adam", "against": "sgd", "difference": 0.0145,
             "interval": [0.013, 0.016], "p": 0.002, "p_holm": 0.02, "verdict": "better", "n": 10},
        ],
        "interaction": {"p": 0.001, "n": 10, "cells": [
            {"levels": ["sigmoid", "adam"], "difference": 0.3, "interval": [0.29, 0.31],
             "p": 0.002, "p_holm": 0.04}]},
        "shares": {"activation": 0.3, "optim": 0.5, "activation x optim": 0.1, "seed": 0.02, "rest": 0.08},
        "sentences": ["The optimizer matters more than the activation.",
                      "sigmoid gains far more from adam than relu does."],
    }  # fmt: skip
    return verdict


def several_tasks(num_tasks: int = 6, num_seeds: int = 10) -> Verdict:
    """Return a verdict over several tasks, with ranks, steps to a target and profiles."""
    rng = np.random.default_rng(4)
    names = ["mnist", "fashion_mnist", "kmnist", "emnist", "cifar10", "mnist1d", "digits", "moons"]
    tasks = [
        task(names[i % 8] + ("" if i < 8 else f"_{i}"),
             {n: m - 0.02 * i + float(rng.normal(0, 0.004)) for n, m in ACTIVATIONS.items()},
             num_seeds, rng)
        for i in range(num_tasks)
    ]  # fmt: skip
    verdict = verdict_of(tasks, name="activations_on_several_tasks")
    verdict["several_tasks"] = {
        "tasks": [t["name"] for t in tasks], "settings": list(range(5)),
        "ranks": [3.1, 3.6, 2.7, 4.4, 1.2],
        "friedman": {"statistic": 12.3, "p": 0.015, "f": 4.2, "f_p": 0.008},
        "cd": 2.49, "cliques": [[4, 2, 0, 1], [2, 0, 1, 3]],
        "against_control": [
            {"setting": i, "z": 0.5 * i, "p": 0.6 / i, "p_holm": min(1.0, 2 / i)} for i in range(1, 5)
        ],
        "iqm": [{"setting": i, "value": 0.85 + i / 100, "interval": [0.84, 0.87]} for i in range(5)],
    }  # fmt: skip
    verdict["steps_to_target"] = targets([t["name"] for t in tasks], 5)
    tau = [round(1 + 0.05 * i, 2) for i in range(61)]
    curves = [
        [min(1.0, max(0.0, (t - 1 - 0.1 * i) / (0.6 + 0.3 * i))) for t in tau] for i in range(5)
    ]
    curves = [[round(c * num_tasks) / num_tasks for c in row] for row in curves]
    verdict["steps_to_target"] |= {
        "profile": {"tau": tau, "curves": curves}, "scores": [0.9, 0.85, 0.77, 0.6, 0.5],
    }  # fmt: skip
    return verdict


def targets(tasks: Sequence[str], num_settings: int) -> Any:
    """Return steps to a target; the last setting never reaches it."""
    return {
        "target": 0.88, "metric": "val/accuracy", "of": "relu",
        "settings": [
            {"setting": i, "task": name, "reached": 10 - i if i < num_settings - 1 else 3, "n": 10,
             "steps_median": 2110 + 422 * i if i < num_settings - 1 else None,
             "seconds_median": 1.5 + 0.3 * i if i < num_settings - 1 else None}
            for name in tasks for i in range(num_settings)
        ],
        "profile": None, "scores": None,
    }  # fmt: skip


def prices(lines: Sequence[Any]) -> list[Any]:
    """Return what k trials can be expected to find, of settings that were tuned."""
    entries = []
    for index, line in enumerate(lines):
        found = expected_best([[median] for median in line["median"]], "val/accuracy").mean
        entries.append({
            "name": line["name"], "setting": index, "num_trials": 9, "num_seeds": 3, "failed": 2,
            "default": line["median"][2], "expected": found.tolist(),
            "low": [value - 0.004 for value in found], "high": [value + 0.003 for value in found],
            "fewest": 5 + index % 3, "seconds_per_trial": 12.3,
        })  # fmt: skip
    return entries


def tuned() -> Verdict:
    """Return a verdict under the tuned protocol, with the learning rates that were tried."""
    verdict = small()
    rates = [float(f"{10 ** (-4 + i / 2):.3g}") for i in range(9)]
    lines = []
    for index, entry in enumerate(verdict["tasks"][0]["settings"]):
        top = entry["mean"] + 0.005
        median = [top - 0.012 * abs(i - 3 - index % 3) ** 1.6 for i in range(9)]
        failed = [0] * 7 + [index % 3, 3]
        median = [m if f < 3 else None for m, f in zip(median, failed, strict=True)]
        lines.append({
            "name": entry["name"], "values": rates, "median": median,
            "low": [m and m - 0.006 for m in median], "high": [m and m + 0.004 for m in median],
            "failed": failed, "n": [3] * 9, "best": rates[3 + index % 3],
            "decades_within_1_point": 1.5, "tuned_minus_default": 0.01,
        })  # fmt: skip
        entry["tuned"] = {
            "values": {"optim.lr": rates[3 + index % 3]}, "score": top, "on_edge": [],
            "still_climbing": False, "undertuned": False,
            "default": {"values": {"optim.lr": 0.001}, "score": top - 0.01},
        }  # fmt: skip
    verdict["tuning_price"] = {
        "metric": "val/accuracy", "margin": 0.005,
        "tasks": [{"name": verdict["tasks"][0]["name"], "settings": prices(lines), "ahead": [
            {"from": 1, "to": 2, "name": "elu"}, {"from": 3, "to": 9, "name": "maxout"},
        ]}],
    }  # fmt: skip
    edge = verdict["tasks"][0]["settings"][3]["tuned"]
    edge |= {"on_edge": ["optim.lr"], "undertuned": True}
    verdict["tasks"][0]["pairs"][2] |= {
        "verdict": "withheld", "reason": "tanh is undertuned: optim.lr=1 is the largest tried",
    }  # fmt: skip
    verdict["design"]["protocol"] = "tuned"
    verdict["sensitivity"] = {"key": "optim.lr", "metric": "val/accuracy", "settings": lines}
    verdict["steps_to_target"] = targets(["fashion_mnist"], 6)
    return verdict


def tuned_together() -> Verdict:
    """Return a verdict of settings of which three values were tuned at once, two of them numbers."""
    verdict = tuned()
    rng = np.random.default_rng(4)
    settings = []
    for index, entry in enumerate(verdict["tasks"][0]["settings"]):
        trials = []
        for number in range(12):
            lr, decay = (float(f"{value:.3g}") for value in 10 ** rng.uniform((-4, -6), (0, -2)))
            values = {
                "optim.lr": lr,
                "optim.weight_decay": decay,
                "optim.nesterov": number % 3 == 0,
            }
            middle = entry["mean"] - 0.02 * abs(math.log10(lr) + 2) - 0.004 * rng.random()
            has_failed = lr > 0.3
            trials.append({
                "values": values, "median": None if has_failed else middle,
                "low": None if has_failed else middle - 0.004,
                "high": None if has_failed else middle + 0.003,
                "failed": 3 if has_failed else index % 2, "n": 3,
            })  # fmt: skip
        best = max(trials, key=lambda trial: trial["median"] or 0)["values"]
        settings.append({"name": entry["name"], "best": best, "trials": trials})
        entry["tuned"] |= {"values": best, "on_edge": [], "undertuned": False}
    verdict["sensitivity"] = None
    keys = ["optim.lr", "optim.nesterov", "optim.weight_decay"]
    verdict["trials"] = {"keys": keys, "metric": "val/accuracy", "settings": settings}
    return verdict


def many(num_runs: int = 2000, num_seeds: int = 10) -> Verdict:
    """Return a verdict of very many runs: `num_runs` / `num_seeds` settings."""
    number = num_runs // num_seeds
    means = {"relu": 0.8776} | {
        f"model.hidden=[{64 + i}], lr={0.1 / (i + 1):.3g}": 0.87 + 0.02 * math.sin(i)
        for i in range(number - 1)
    }
    verdict = verdict_of([task("fashion_mnist", means, num_seeds, np.random.default_rng(5))])
    verdict["name"] = "many"
    return verdict


def hostile() -> Verdict:
    """Return a verdict whose every name and message tries to break out of its place."""
    means = {"relu": 0.8776, HOSTILE: 0.8768, "'; alert(1); '": 0.88}
    verdict = verdict_of([task(f"task {HOSTILE}", means, 10, np.random.default_rng(6))])
    made = verdict["tasks"][0]
    made["settings"][1]["failures"] = {"3": f"diverged {HOSTILE}"}
    made["pairs"][0] |= {"verdict": "withheld", "reason": HOSTILE}
    verdict |= {
        "name": HOSTILE, "headline": [f"{HOSTILE} beats all."], "notes": [HOSTILE],
        "missing": [HOSTILE], "missing_command": f"python train.py '{HOSTILE}'",
        "unread": [{"folder": HOSTILE, "reason": HOSTILE}],
        "excluded": [{"folder": HOSTILE, "reason": HOSTILE}],
        "confounds": {"withholding": [HOSTILE], "listed": [HOSTILE], "allowed": [HOSTILE]},
        "environment": {HOSTILE: [HOSTILE]},
        "health": {
            "in words": [HOSTILE], "by layer": [{HOSTILE: HOSTILE}],
            "of the whole network": [{HOSTILE: HOSTILE}], "how": [HOSTILE],
        },
    }  # fmt: skip
    for run in verdict["runs"]:
        run |= {"folder": f"outputs/{HOSTILE}", "error": HOSTILE, "status": HOSTILE}
    return verdict


def curves_of(verdict: Verdict, num_epochs: int = 20) -> list[Curves]:
    """Return learning curves that end at the settings' means."""
    rng = np.random.default_rng(7)
    curves = []
    epochs = list(range(1, num_epochs + 1))
    for made in verdict["tasks"]:
        for entry in made["settings"]:
            series = {}
            pace = rng.uniform(0.15, 0.5)
            rise = 1 - np.exp(-pace * np.arange(1, num_epochs + 1))
            width = 0.01 * np.exp(-pace * np.arange(num_epochs)) + 0.002
            for key in ("val/accuracy", "train/accuracy"):
                series[key] = band_of(entry["mean"] * (0.5 + 0.5 * rise), width)
            for key in ("val/loss", "train/loss"):
                series[key] = band_of(2.3 * (1.05 - rise) + 0.2, 3 * width)
            curves.append(Curves(made["name"], entry["id"], epochs, series))
    return curves


def band_of(mean: np.ndarray, width: np.ndarray) -> Band:
    """Return a band."""
    ends = [[float(v) for v in values] for values in (mean, mean - width, mean + width)]
    return Band(*ends)


KINDS = {
    "small": small, "one_seed": one_seed, "all_pairs": all_pairs, "of_loss": of_loss,
    "troubled": troubled, "matrix": matrix, "several_tasks": several_tasks, "tuned": tuned,
    "tuned_together": tuned_together, "hostile": hostile,
}  # fmt: skip
"""Each kind of verdict by its name."""
