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

from experiments.sweep.search.options import WILCOXON
from experiments.sweep.search.study import SearchSpec, diverged, value_of

HISTORY = "optimization_history"
IMPORTANCES = "parameter_importances"
# Okabe & Ito's colours, which the colour-blind tell apart.
BLUE, ORANGE, RED, GREY = "#0072B2", "#E69F00", "#D55E00", "#999999"


def save(figure: Figure, folder: Path, name: str) -> None:
    for kind in ("png", "svg"):
        figure.savefig(folder / f"{name}.{kind}", dpi=150)


def draw_history(spec: SearchSpec, trials: Sequence[FrozenTrial], folder: Path) -> None:
    """Draw the value of every trial, and the best so far.

    A logarithmic axis where the values span more than a decade, as losses do.
    """
    kinds: dict[str, list[FrozenTrial]] = {"completed": [], "pruned": [], "diverged": []}
    for trial in trials:
        if value_of(spec, trial) is not None:
            kind = "pruned" if trial.state == TrialState.PRUNED else "completed"
            kinds["diverged" if diverged(trial) else kind].append(trial)
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    is_by_seeds = spec.options.pruner == WILCOXON
    looks = {"completed": ("o", BLUE), "pruned": ("x", GREY), "diverged": ("^", RED)}
    for kind, shown in kinds.items():
        marker, color = looks[kind]
        if shown:
            numbers, values = (
                [t.number for t in shown],
                [float(value_of(spec, t) or 0) for t in shown],
            )
            label = f"{kind}, counted as the worst" if kind == "diverged" else kind
            where = "the mean of its seeds" if is_by_seeds else "at its last epoch"
            label = f"pruned, {where}" if kind == "pruned" else label
            axes.scatter(numbers, values, marker=marker, color=color, label=label, zorder=3)
    values = [float(t.value or 0) for t in kinds["completed"]]
    so_far = list(itertools.accumulate(values, max if spec.higher else min))
    numbers = [t.number for t in kinds["completed"]]
    axes.step(numbers, so_far, where="post", color=ORANGE, label="best so far", linewidth=2)
    every = [float(value_of(spec, t) or 0) for shown in kinds.values() for t in shown]
    if min(every) > 0 and max(every) > 10 * min(every):
        axes.set_yscale("log")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="trial", ylabel=spec.metric, title=f"{spec.options.name}, {len(trials)} trials")
    axes.grid(alpha=0.3)
    # Below, since within the axes it would hide some of many trials.
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    save(figure, folder, HISTORY)


def draw_importances(spec: SearchSpec, study: Study, folder: Path) -> None:
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
    importances = get_param_importances(study, evaluator=how)
    names = list(reversed(importances))
    figure = Figure(figsize=(6.4, 1.6 + 0.4 * len(names)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(names, [importances[name] for name in names], color=BLUE)
    axes.bar_label(bars, fmt="%.2f", padding=3)
    kind = "fANOVA" if is_same else "PED-ANOVA"
    title = f"{kind} over {len(done)} trials"
    axes.set(xlim=(0, 1.1), xlabel=f"share of the importance for {spec.metric}", title=title)
    save(figure, folder, IMPORTANCES)
