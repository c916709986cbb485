"""A launcher of Hydra's own, such as basic and joblib, as the one who carries out the jobs."""

from __future__ import annotations

import sys
import time
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher

from experiments.config.arguments import quoted
from experiments.errors.error_table import TABLE
from experiments.errors.messages import RunFailed
from experiments.record.claim import find_run, is_claimed
from experiments.sweep.examiner import TorchExaminer
from experiments.sweep.jobs.board import Board
from experiments.sweep.jobs.job import Result
from experiments.sweep.jobs.source import JobSource
from experiments.sweep.plan import Job

WAIT_SECONDS = 0.5


class HydraCarrier:
    """Hands batches of jobs to a launcher, which composes each job for itself."""

    at_once = most_together = 1
    examiner = TorchExaminer()

    def __init__(self, launcher: Launcher) -> None:
        self.launcher = launcher

    def run_jobs(self, source: JobSource, board: Board) -> None:
        """Carry out all jobs that a source gives, as many in a batch as it gives at once."""
        try:
            self._run(source)
        finally:
            if "joblib" in type(self.launcher).__module__:
                end_joblib()

    def _run(self, source: JobSource) -> None:
        while not source.is_over:
            jobs = list(iter(source.take, None))
            if not jobs:
                time.sleep(WAIT_SECONDS)  # others are at what is left
                source.look()
                continue
            returns = self.launcher.launch([overrides_of(job) for job in jobs], initial_job_idx=0)
            for job, returned in zip(jobs, returns, strict=True):
                source.ended(job, result_of_job(job, returned))
            source.look()


def end_joblib() -> None:
    """End the processes that joblib keeps for the next batch, in the folder that they began in.

    A second sweep of this process, as of a notebook that has changed its folder, would be trained
    in the folder of the first.
    """
    loky: Any = sys.modules.get("joblib.externals.loky")
    if loky is not None:
        loky.get_reusable_executor().shutdown(wait=True)


def overrides_of(job: Job) -> list[str]:
    """Return what composes a job in its own folder: tuning has one below that of its sweep."""
    return [*job.cell.overrides, f"hydra.sweep.dir={quoted(str(job.sweep_dir))}"]


def result_of_job(job: Job, returned: JobReturn) -> Result:
    """Return what became of a job, by its record where it has one.

    A launcher that says that it is done and left no result would be asked again for ever.
    """
    # In this order: who holds it now may have written a record by the time that one is looked for.
    is_taken = is_claimed(job.sweep_dir, job.identity)
    known = find_run(job.sweep_dir, job.identity)
    if is_taken:
        return Result("taken")
    if known is not None:
        record = known.record
        outcome = "interrupted" if record["status"] == "running" else record["status"]
        return Result(outcome, str(known.folder), record["error"])
    try:
        _ = returned.return_value
    except Exception as error:
        cause = error.__cause__ if isinstance(error, RunFailed) else error
        return Result("refused", message=str(cause or error))
    return Result("failed", message=TABLE["no_record"].format(path=job.sweep_dir))
