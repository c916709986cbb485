"""Runs that live on W&B's server: the files of their run folders, brought here.

`wandb:ENTITY/PROJECT` names all runs of a project, `wandb:ENTITY/PROJECT/SWEEP` those of one sweep:
the name of its folder, which W&B has as the job type, or the id of a sweep of W&B's own. (W&B's
group is the setting: the runs of a group differ by their seeds alone.)
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from experiments.errors.likeness import hint
from experiments.errors.messages import UserError, user_error
from experiments.errors.wording import listed
from experiments.record.folder import CONFIG, HISTORY, RECORD
from experiments.record.strangers_files import MOST_BYTES
from experiments.tracking.reachable import connect, refusals
from experiments.tracking.summary import JOB_TYPE as VERDICT
from experiments.tracking.wandb_run import FILES

PREFIX = "wandb:"
NUM_PER_PAGE = 100
NUM_AT_ONCE = 8
"""Runs that are waited for at the same time; one takes four of the server's answers."""
MOST_OF_HISTORY = 1_000_000_000
"""Bytes of a history: ten million rows."""
UNDER_WAY = ("running", "pending", "preempting")
"""W&B's states of runs whose files are of an earlier attempt, or not there yet."""


@dataclass(frozen=True)
class RemoteRun:
    """A run on W&B's server.

    Attributes:
        name: what W&B shows: its setting and seed.
        sweep: the name or id of its sweep; None of a single run.
        folder: here, with the files that were saved at its end: record.json, config.yaml and, where
            it has come to a first epoch, history.csv.
        problem: why these are not there, as the second half of a sentence; None where they are.
    """

    name: str
    url: str
    sweep: str | None
    folder: Path
    problem: str | None


@dataclass(frozen=True)
class RemoteSource:
    """What `wandb:ENTITY/PROJECT/SWEEP` names; a sweep of None is all of them."""

    entity: str
    project: str
    sweep: str | None

    @property
    def path(self) -> str:
        return f"{self.entity}/{self.project}"


def parse(source: str) -> RemoteSource:
    """Return what a source names.

    >>> parse("wandb:me/experiments/activations/tuning")
    RemoteSource(entity='me', project='experiments', sweep='activations/tuning')

    Raises:
        UserError: it is not written like that.
    """
    words = source.removeprefix(PREFIX).split("/", 2)
    if not source.startswith(PREFIX) or len(words) < 2 or not all(w.strip() for w in words):
        raise user_error("wandb_source", given=source)
    entity, project, *sweep = words
    return RemoteSource(entity, project, sweep[0] if sweep else None)


def download_runs(source: str, target: Path, num_at_once: int = NUM_AT_ONCE) -> list[RemoteRun]:
    """Bring the run folders of all runs that a source names below `target`, oldest run first.

    Runs whose files are not on the server, as those of others or of an older version, are there
    with what is wrong with them. The runs of verdicts are left out.

    Raises:
        UserError: the source is misspelt, there is no key or no server, or no such project or
            sweep, or the server refuses a file.
    """
    asked = parse(source)
    api = connect()
    filters = {"$or": [{"jobType": asked.sweep}, {"sweep": asked.sweep}]} if asked.sweep else {}
    runs = [run for run in listed_runs(api, asked, filters) if run.job_type != VERDICT]
    if asked.sweep and not runs:
        raise no_such_sweep(api, asked)
    with refusals(), ThreadPoolExecutor(num_at_once) as pool:
        return list(
            pool.map(lambda run: download(run, target / f"run-{quote(run.id, safe='')}"), runs)
        )


def listed_runs(api: Any, source: RemoteSource, filters: dict[str, Any]) -> list[Any]:
    """Return W&B's own objects of all runs of a project, page by page.

    Without their configs and summaries, which are the bulk of a page. Filters are in the language
    of MongoDB's queries, as W&B's API takes them.
    """
    try:
        with refusals(), without_litter():
            return list(api.runs(source.path, filters=filters, per_page=NUM_PER_PAGE, lazy=True))
    except ValueError as error:
        if isinstance(error, UserError) or "find project" not in str(error):
            raise
        raise user_error("wandb_project", given=source.path) from error


def download(run: Any, folder: Path) -> RemoteRun:
    folder.mkdir(parents=True)
    return RemoteRun(
        name=run.name or run.id,
        url=run.url,
        sweep=run.job_type or run.sweep_name or None,
        folder=folder,
        problem="it is under way" if run.state in UNDER_WAY else download_files(run, folder),
    )


def download_files(run: Any, folder: Path) -> str | None:
    """Bring the files that were saved with a run, and return what is wrong where some are not."""
    for file in run.files(names=list(FILES)):
        if file.name not in FILES:  # a server that gives others may give ../ too
            continue
        name, size = FILES[file.name], file.size
        most = MOST_OF_HISTORY if name == HISTORY else MOST_BYTES
        if size > most:
            return f"its {name} has {size:,} bytes there, and at most {most:,} are read"
        file.download(str(folder)).close()
        (folder / file.name).rename(folder / name)
    missing = [name for name in (RECORD, CONFIG) if not (folder / name).is_file()]
    if missing:
        return f"it has no {' and '.join(missing)} there, as runs of an older version have not"
    return None


def no_such_sweep(api: Any, source: RemoteSource) -> UserError:
    """Build the error for a sweep that a project does not have."""
    runs = listed_runs(api, source, {})
    sweeps = sorted({run.job_type or run.sweep_name or VERDICT for run in runs} - {VERDICT})
    return user_error(
        "wandb_sweep",
        path=source.path,
        given=source.sweep,
        choices=listed(sweeps) or "none",
        hint=hint(f"source={PREFIX}{source.path}/", str(source.sweep), sweeps),
    )


@contextlib.contextmanager
def without_litter() -> Iterator[None]:
    """Let W&B make the folder that it makes for each run it reads where it is removed again."""
    before = os.environ.get("WANDB_DIR")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["WANDB_DIR"] = scratch
        try:
            yield
        finally:
            os.environ.pop("WANDB_DIR", None)
            if before is not None:
                os.environ["WANDB_DIR"] = before
