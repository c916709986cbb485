"""The SLURM job that this process is in: its signals, and how it is put back into the queue.

Torch-free.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess

from experiments.errors.error_table import TABLE

log = logging.getLogger(__name__)

CODES = {128 + how: how.name for how in (signal.SIGTERM, signal.SIGUSR1)}
"""Exit codes of a process that a signal has ended, and the signals' names."""


def those_heard() -> list[signal.Signals]:
    """Return the signals that end this process, beside Ctrl-C."""
    return [signal.SIGTERM, *([signal.SIGUSR1] if "SLURM_JOB_ID" in os.environ else [])]


def is_restarted_by_slurm() -> bool:
    """Return whether SLURM has put this job back into its queue, so that its run was begun."""
    return os.environ.get("SLURM_RESTART_COUNT", "0").strip() not in ("", "0")


def requeue() -> None:
    """Put this SLURM job back into the queue, if this process is all of it.

    Other tasks of the job may be runs of their own, which that would end.
    """
    if os.environ.get("SLURM_NTASKS", "1").strip() != "1":
        return
    job = job_id(dict(os.environ))
    if job is None:
        return
    try:
        said = subprocess.run(
            ["scontrol", "requeue", job], capture_output=True, text=True, check=False
        )
    except OSError as error:
        log.warning(TABLE["not_requeued"], job, error.strerror)
        return
    if said.returncode:
        log.warning(TABLE["not_requeued"], job, " ".join((said.stderr or said.stdout).split()))
    else:
        log.info(TABLE["requeued"], job)


def job_id(variables: dict[str, str]) -> str | None:
    """Return what `scontrol` calls this job, one of an array too; None for none.

    >>> job_id({"SLURM_JOB_ID": "71"})
    '71'
    >>> job_id({"SLURM_JOB_ID": "73", "SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": "3"})
    '70_3'
    """
    array, task = (variables.get(f"SLURM_ARRAY_{part}_ID") for part in ("JOB", "TASK"))
    job = f"{array}_{task}" if array and task else variables.get("SLURM_JOB_ID", "")
    return job if re.fullmatch(r"[0-9_]+", job) else None
