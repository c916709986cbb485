"""Runs that live on W&B's server, as if their folders were here.

`wandb:ENTITY/PROJECT` names all runs of a project, `wandb:ENTITY/PROJECT/SWEEP` those of one sweep:
the name of its folder, which W&B has as the job type, or the id of a sweep of W&B's own. (W&B's
group is the setting: the runs of a group differ by their seeds alone.)
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from experiments.errors import UserError, hint, listed, user_error
from experiments.records import Record
from experiments.tracking.public_api import connect, refusals, without_litter
from experiments.tracking.remote_record import Row, config_of, problem_of, record_of, rows_of
from experiments.tracking.summary import JOB_TYPE as VERDICT

PREFIX = "wandb:"
NUM_PER_PAGE = 100
NUM_AT_ONCE = 8
"""Histories that are waited for at the same time; one takes three of the server's answers."""


@dataclass(frozen=True)
class RemoteRun:
    """A run on W&B's server.

    Attributes:
        name: what W&B shows: the name of its run folder.
        url: its address on W&B's site.
        sweep: the name or id of its sweep; None of a single run.
        record: the same as record.json; None where it has a problem.
        config: the same as config.yaml.
        problems: why it cannot be compared, as the second half of a sentence; None where it can.
    """

    name: str
    url: str
    sweep: str | None
    record: Record | None
    config: dict[str, Any]
    problems: str | None
    _run: Any = field(repr=False, compare=False)

    def history(self) -> list[Row]:
        """Return the whole history, page by page, as `records.read_history` returns a folder's.

        Raises:
            UserError: the server refuses, or does not answer in time.
        """
        with refusals():
            # Never the copy of an earlier look: the run may have grown since.
            return rows_of(self._run.scan_history(use_cache=False))


@dataclass(frozen=True)
class Source:
    """What `wandb:ENTITY/PROJECT/SWEEP` names; a sweep of None is all of them."""

    entity: str
    project: str
    sweep: str | None

    @property
    def path(self) -> str:
        """The project, as W&B writes it."""
        return f"{self.entity}/{self.project}"


def parse(source: str) -> Source:
    """Return what a source names.

    >>> parse("wandb:me/experiments/activations/tuning")
    Source(entity='me', project='experiments', sweep='activations/tuning')

    Raises:
        UserError: it is not written like that.
    """
    words = source.removeprefix(PREFIX).split("/", 2)
    if not source.startswith(PREFIX) or len(words) < 2 or not all(w.strip() for w in words):
        raise user_error("wandb_source", given=source)
    entity, project, *sweep = words
    return Source(entity, project, sweep[0] if sweep else None)


def read_runs(source: str) -> list[RemoteRun]:
    """Read all runs that a source names, oldest first, page by page; their histories come later.

    Runs that are none of ours, or that an older or a newer version wrote, are there with what is
    wrong with them. The runs of verdicts are left out.

    Raises:
        UserError: the source is misspelt, there is no key or no server, or no such project or
            sweep.
    """
    place = parse(source)
    api = connect()
    filters = {"$or": [{"jobType": place.sweep}, {"sweep": place.sweep}]} if place.sweep else {}
    found = [
        remote_run(run) for run in pages(api, place, filters, lazy=False) if run.job_type != VERDICT
    ]
    if place.sweep and not found:
        raise no_such_sweep(api, place)
    return found


def histories(runs: Iterable[RemoteRun], num_at_once: int = NUM_AT_ONCE) -> list[list[Row]]:
    """Return the histories of runs in their order, several at a time."""
    with ThreadPoolExecutor(num_at_once) as pool:
        return list(pool.map(RemoteRun.history, runs))


def pages(api: Any, place: Source, filters: dict[str, Any], *, lazy: bool) -> list[Any]:
    """Return W&B's own objects of all runs of a project.

    Args:
        api: W&B's public API.
        place: the project.
        filters: in the language of MongoDB's queries, as W&B's API takes them.
        lazy: without configs and summaries, which are the bulk of a page.
    """
    try:
        with refusals(), without_litter():
            return list(api.runs(place.path, filters=filters, per_page=NUM_PER_PAGE, lazy=lazy))
    except ValueError as error:
        if isinstance(error, UserError) or "find project" not in str(error):
            raise
        raise user_error("wandb_project", given=place.path) from error


def remote_run(run: Any) -> RemoteRun:
    """Return a run of W&B's API as one of ours, or with what keeps it from being one."""
    config, summary = run.config, run.summary_metrics
    problems = problem_of(config, summary, run.state)
    return RemoteRun(
        name=run.name or run.id,
        url=run.url,
        sweep=run.job_type or run.sweep_name or None,
        record=None if problems else record_of(run.id, config, summary, run.state),
        config=config_of(config),
        problems=problems,
        _run=run,
    )


def no_such_sweep(api: Any, place: Source) -> UserError:
    """Build the error for a sweep that a project does not have."""
    runs = pages(api, place, {}, lazy=True)
    there = sorted({run.job_type or run.sweep_name or VERDICT for run in runs} - {VERDICT})
    return user_error(
        "wandb_sweep",
        path=place.path,
        given=place.sweep,
        choices=listed(there) or "none",
        hint=hint(f"source={PREFIX}{place.path}/", str(place.sweep), there),
    )
