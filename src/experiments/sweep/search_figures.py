"""The pictures of a search: how its trials went, and which parameters mattered."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from optuna.importance import (
    FanovaImportanceEvaluator,
    PedAnovaImportanceEvaluator,
    get_param_importances,
)
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from experiments.sweep.asked import Asked, diverged

HISTORY = "optimization_history"
IMPORTANCES = "parameter_importances"
# Okabe & Ito's colours, which the colour-blind tell apart.
BLUE, ORANGE, RED, GREY = "#0072B2", "#E69F00", "#D55E00", "#999999"


def save(figure: Figure, place: Path, name: str) -> None:
    """Write a figure as PNG and SVG."""
    for kind in ("png", "svg"):
        figure.savefig(place / f"{name}.{kind}", dpi=150)


def draw_history(asked: Asked, trials: Sequence[FrozenTrial], place: Path) -> None:
    """Draw the value of every trial, and the best so far.

    A logarithmic axis where the values span more than a decade, as losses do.
    """
    kinds: dict[str, list[FrozenTrial]] = {"completed": [], "pruned": [], "diverged": []}
    for trial in trials:
        if trial.value is not None:
            kind = "pruned" if trial.state == TrialState.PRUNED else "completed"
            kinds["diverged" if diverged(trial) else kind].append(trial)
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    looks = {"completed": ("o", BLUE), "pruned": ("x", GREY), "diverged": ("^", RED)}
    for kind, those in kinds.items():
        marker, color = looks[kind]
        if those:
            numbers, values = [t.number for t in those], [float(t.value or 0) for t in those]
            label = f"{kind}, counted as the worst" if kind == "diverged" else kind
            label = "pruned, at its last epoch" if kind == "pruned" else label
            axes.scatter(numbers, values, marker=marker, color=color, label=label, zorder=3)
    values = [float(t.value or 0) for t in kinds["completed"]]
    so_far = list(itertools.accumulate(values, max if asked.higher else min))
    numbers = [t.number for t in kinds["completed"]]
    axes.step(numbers, so_far, where="post", color=ORANGE, label="best so far", linewidth=2)
    every = [float(t.value or 0) for those in kinds.values() for t in those]
    if min(every) > 0 and max(every) > 10 * min(every):
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(
        xlabel="trial", ylabel=asked.metric, title=f"{asked.options.name}, {len(trials)} trials"
    )
    axes.grid(alpha=0.3)
    # Below, since within the axes it would hide some of many trials.
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    save(figure, place, HISTORY)


def draw_importances(asked: Asked, study: Study, place: Path) -> None:
    """Draw how much of the values' variation each parameter accounts for.

    By fANOVA: Hutter, Hoos & Leyton-Brown 2014, "An efficient approach for assessing
    hyperparameter importance". It knows no parameters that only some trials have; with such ones
    by PED-ANOVA, how much a parameter tells the best tenth from the rest: Watanabe, Bansal &
    Hutter 2023, "PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
    subspaces".
    """
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    is_same = len({frozenset(trial.params) for trial in done}) == 1
    how = FanovaImportanceEvaluator(seed=0) if is_same else PedAnovaImportanceEvaluator()
    found = get_param_importances(study, evaluator=how)
    names = list(reversed(found))
    figure = Figure(figsize=(6.4, 1.6 + 0.4 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(names, [found[name] for name in names], color=BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    kind = "fANOVA" if is_same else "PED-ANOVA"
    title = f"{kind} over {len(done)} trials"
    axes.set(xlim=(0, 1.1), xlabel=f"share of the importance for {asked.metric}", title=title)
    save(figure, place, IMPORTANCES)
