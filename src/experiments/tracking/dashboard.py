"""W&B's workspace of a comparison, built by code: a line for each setting, a band over its seeds.

    python compare.py runs=outputs/sweeps/activations dashboard=true

Every picture shows the runs of the sweeps that the verdict was read from, grouped by the factor,
with mean and standard deviation over the seeds. W&B's averages are no verdict: failed runs are not
counted in them, and nothing is tested. So the verdict's own sentences stand first.

The package wandb-workspaces writes a workspace as W&B's site reads it. Of its private names are
used: `_to_model`, as it has no other way to write one without a server; `_internal_name`,
`_internal_id` and `_internal_runset_id`, and the `_id` of panels, so that the same comparison has
the same workspace again; and `get_view_dict`, to find it.
"""

from __future__ import annotations

import hashlib
import unicodedata
import warnings
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from experiments.errors.messages import user_error
from experiments.tracking.reachable import connect, refusals
from experiments.tracking.wandb_run import summary_key

Verdict = Mapping[str, Any]
Section = tuple[str, int, int, list[Any]]

GROUPS = ("model", "activation", "init", "loss", "optim", "scheduler", "data")
"""Parts of the config that are chosen by name (`check.CATALOGUE_GROUPS`, without torch)."""
NOT_IN_NAMES = ("So", "Sk", "Sm", "Sc", "Cs")
"""Unicode's kinds of signs that a workspace must not have in its name, = and + among them."""
FEWEST_LINES, MOST_LINES = 10, 100
"""In one picture: W&B's own default, and what a person might still tell apart."""


def build(
    verdict: Verdict,
    *,
    project: str,
    entity: str | None = None,
    sweeps: Sequence[str] | None = None,
) -> Any:
    """Return the workspace of a comparison, which W&B has not seen yet.

    Args:
        verdict: the plain dict of verdict.json; before there is one, its `name` and `design`.
        project, entity: of W&B; an entity of None is the user's own, which `save` looks up.
        sweeps: whose runs are shown; None: those that the verdict's run folders lie in, or, where
            some lie in none, all runs of the verdict's settings.

    Raises:
        UserError: wandb-workspaces is not installed.
    """
    ws = workspaces()
    design = verdict["design"]
    keys = grouping_of(verdict)
    metric = summary_key(design["metric"])
    chosen = sweeps_of(verdict) if sweeps is None else list(sweeps)
    workspace = ws.Workspace(
        entity=entity or "",
        project=project,
        name=plain_name(f"{verdict['name']}: verdict"),
        sections=[
            ws.Section(
                name=title,
                panels=panels,
                is_open=True,
                layout_settings=ws.SectionLayoutSettings(columns=columns, rows=rows),
            )
            for title, columns, rows, panels in pictures_of(verdict, keys, metric)
        ],
        settings=ws.WorkspaceSettings(x_axis="epoch", max_runs=num_lines(verdict)),
        runset_settings=ws.RunsetSettings(
            filters=filters_of(verdict, chosen),
            groupby=[ws.Config(key) for key in keys],
            order=[ws.Ordering(ws.Summary(metric), ascending=not design["higher_is_better"])],
            pinned_columns=[
                "run:displayName",
                *(f"config:{with_value(key)}" for key in keys),
                f"summary:{metric}",
                "summary:status",
            ],
        ),
    )
    return with_lasting_names(workspace, verdict["name"])


def serialise(workspace: Any) -> dict[str, Any]:
    """Return a workspace as W&B's server stores it, without asking the server."""
    view = workspace._to_model()
    spec: dict[str, Any] = view.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    return {"displayName": view.display_name, "name": view.name, "spec": spec}


def save(workspace: Any) -> str:
    """Save a workspace, in the place of the one that the same comparison had, and return its URL.

    Raises:
        UserError: there is no key, or the server does not answer, or refuses.
    """
    from wandb_workspaces.workspaces import internal

    api = connect()
    with refusals():
        if not workspace.entity:
            workspace.entity = api.default_entity
        try:
            known = internal.get_view_dict(
                workspace.entity,
                workspace.project,
                internal._internal_name_to_url_query_str(workspace._internal_name),
            )
            workspace._internal_id = known["id"]
        except ValueError:
            pass  # there is none yet
        workspace.save()
    return str(workspace.url)


def workspaces() -> Any:
    """Return the module of wandb-workspaces that has workspaces.

    Raises:
        UserError: the package is not installed.
    """
    try:
        with warnings.catch_warnings():
            # Parts of it are written for pydantic 1, which pydantic 2 carries out and complains of.
            warnings.simplefilter("ignore", DeprecationWarning)
            import wandb_workspaces.workspaces as ws
    except ImportError as error:
        raise user_error("no_workspaces", reason=error) from error
    return ws


def pictures_of(verdict: Verdict, keys: Sequence[str], metric: str) -> list[Section]:
    """Return the sections of a workspace: title, columns, rows and panels.

    Args:
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


def grouping_of(verdict: Verdict) -> list[str]:
    """Return the config's keys that tell the settings apart, the data set's first of several."""
    keys = [config_key(key) for key in verdict["design"]["factor"]]
    several = len(verdict.get("tasks", [])) > 1
    return list(dict.fromkeys([*(["data.name"] if several else []), *keys]))


def config_key(key: str) -> str:
    """Return where the nested config has the value of a factor: a choice is its group's `name`.

    >>> config_key("activation"), config_key("optim.lr"), config_key("compile")
    ('activation.name', 'optim.lr', 'compile')
    """
    return f"{key}.name" if key in GROUPS else key


def with_value(key: str) -> str:
    """Return a key of the config as W&B's columns have it.

    >>> with_value("activation.name"), with_value("seed")
    ('activation.value.name', 'seed.value')
    """
    head, dot, rest = key.partition(".")
    return f"{head}.value{dot}{rest}"


def filters_of(verdict: Verdict, sweeps: Sequence[str]) -> str:
    """Return which runs are shown, in the language of wandb-workspaces.

    >>> filters_of({}, ["activations"])
    "Metric('JobType') in ['activations']"
    """
    # As text, since the package does not quote names when it makes the text itself.
    if sweeps:
        return f"Metric('JobType') in {list(sweeps)!r}"
    settings = [s["identity"] for task in verdict.get("tasks", []) for s in task["settings"]]
    return f"Config('setting') in {settings!r}" if settings else ""


def sweeps_of(verdict: Verdict) -> list[str]:
    """Return which sweeps, as W&B's job types, the run folders of a verdict lie in.

    >>> sweeps_of({"runs": [{"folder": "outputs/sweeps/activations/seed=0-0a1b2c3d"}]})
    ['activations']

    One run outside of any sweep, which has no job type, and none can be left out.

    >>> sweeps_of({"runs": [{"folder": "outputs/runs/2026-11-27/09-30-00-0a1b2c3d"}]})
    []
    """
    sweeps = set()
    for run in verdict.get("runs", []):
        parts = PurePath(run["folder"]).parts[:-1]
        if "sweeps" not in parts:
            return []
        last = len(parts) - 1 - parts[::-1].index("sweeps")
        sweeps.add("/".join(parts[last + 1 :]))
    return sorted(sweeps)


def num_lines(verdict: Verdict) -> int:
    """Return how many lines a picture shows: one for each setting, within bounds."""
    num_settings = sum(len(task["settings"]) for task in verdict.get("tasks", []))
    return min(MOST_LINES, max(FEWEST_LINES, num_settings))


def plain_name(name: str) -> str:
    """Return a name that a workspace may have.

    >>> plain_name("optim.lr=0.1 + more")
    'optim.lr-0.1 - more'
    """
    return "".join("-" if unicodedata.category(c).startswith(NOT_IN_NAMES) else c for c in name)


def with_lasting_names(workspace: Any, name: str) -> Any:
    """Give the workspace of a comparison, and its parts, the same names each time it is built."""

    def lasting(part: str, length: int) -> str:
        return hashlib.blake2b(f"{name}/{part}".encode(), digest_size=8).hexdigest()[:length]

    workspace._internal_name = f"nw-{lasting('workspace', 11)}-v"
    workspace._internal_runset_id = lasting("runset", 12)
    panels = [panel for section in workspace.sections for panel in section.panels]
    for number, panel in enumerate(panels):
        panel._id = lasting(str(number), 12)
    return workspace
