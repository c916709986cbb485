"""The pictures of a comparison's workspace, section by section."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Verdict = Mapping[str, Any]
Section = tuple[str, int, int, list[Any]]


def pictures_of(verdict: Verdict, keys: Sequence[str], metric: str) -> list[Section]:
    """Return the sections of a workspace: title, columns, rows and panels.

    Args:
        verdict: the plain dict of verdict.json, or its `name` and `design`.
        keys: of the config: those that tell settings apart.
        metric: as W&B's summary calls what is compared.
    """
    import wandb_workspaces.reports.v2 as wr

    bars = wr.BarPlot(
        title=f"{metric}, mean and standard deviation over seeds",
        metrics=[metric],
        orientation="h",
        **over_seeds(wr, keys),
    )
    first = [wr.MarkdownPanel(markdown=sentences(verdict)), bars]
    return [
        ("Verdict", 2, 1, first),
        ("Learning curves", 3, 2, curves(wr, verdict, keys)),
        ("What matters", 2, 1, influences(wr, verdict, keys, metric)),
        ("Runs side by side", 1, 1, [wr.RunComparer(diff_only="split")]),
    ]


def over_seeds(wr: Any, keys: Sequence[str]) -> dict[str, Any]:
    """Return how a picture joins runs: the mean, and a band of one standard deviation.

    A picture of its own can be grouped by one key; by several, it follows the table of runs.
    """
    how = {"groupby_aggfunc": "mean", "groupby_rangefunc": "stddev"}
    return how | ({"groupby": wr.Config(keys[0])} if len(keys) == 1 else {"aggregate": True})


def sentences(verdict: Verdict) -> str:
    """Return the verdict's own sentences in Markdown."""
    lines = [f"- {sentence}" for sentence in verdict.get("headline", [])]
    design = verdict["design"]
    what = f"Compared: {design['metric']} by {', '.join(design['factor'])}."
    return "\n".join([f"## {verdict['name']}", *lines, "", what])


def curves(wr: Any, verdict: Verdict, keys: Sequence[str]) -> list[Any]:
    """Return the learning curves over epochs, the compared metric's own first."""
    kind = verdict["design"]["metric"].rpartition("/")[2]
    names = dict.fromkeys([f"val/{kind}", "val/loss", "train/loss", f"train/{kind}", "lr"])
    how = over_seeds(wr, keys)
    return [
        wr.LinePlot(title=name, x="epoch", y=[name], log_y=on_log_axis(name), **how)
        for name in names
    ]


def influences(wr: Any, verdict: Verdict, keys: Sequence[str], metric: str) -> list[Any]:
    """Return which settings go with which values, and which keys matter most."""
    shown = dict.fromkeys([*keys, "optim.lr"])
    columns = [
        wr.ParallelCoordinatesPlotColumn(metric=wr.Config(key), log=on_log_axis(key))
        for key in shown
    ]
    columns.append(wr.ParallelCoordinatesPlotColumn(metric=wr.SummaryMetric(metric)))
    return [
        wr.ParallelCoordinatesPlot(title=f"{', '.join(shown)} and {metric}", columns=columns),
        wr.ParameterImportancePlot(with_respect_to=metric),
    ]


def on_log_axis(key: str) -> bool | None:
    """Return True for values that are read on a logarithmic axis, else None: W&B's own choice."""
    return True if key.rpartition(".")[2] in ("lr", "weight_decay") else None
