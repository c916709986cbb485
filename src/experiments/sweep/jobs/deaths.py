"""What is written of a job whose process can no longer write it."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from experiments.record.claim import claim, find_run, is_claimed
from experiments.record.folder import LOG
from experiments.record.record import Status, now, write_record
from experiments.sweep.jobs.job import Result
from experiments.sweep.jobs.server import EndedJob
from experiments.sweep.plan import Job

CLAIM_SECONDS = 1.0
"""How long to try for the claim of a dead job: another launcher may be looking at it."""


def record_death(job: Job, status: Status, reason: str, output: str = "") -> Result:
    """Write into the record and the log of a run why it is over, and return what became of it.

    A run that was done when its process died, as one that was waiting for a server, is done; one
    that another launcher has taken up since is that one's.
    """
    folder = None
    with patient_claim(job.sweep_dir, job.identity) as is_ours:
        known = find_run(job.sweep_dir, job.identity) if is_ours else None
        if known is not None and known.is_finished:
            record = known.record
            return Result(record["status"], str(known.folder), record["error"])
        if known is not None:
            folder = known.folder
            known.record["status"] = status
            known.record["error"], known.record["ended_at"] = reason, now()
            write_record(folder, known.record)
            with (folder / LOG).open("a", encoding="utf-8") as log:
                log.write(f"{now()} ERROR experiments.sweep: {reason}\n{output}")
    if not is_ours and status == "failed":
        return Result("taken")
    return Result(status, str(folder) if folder else None, reason)


def record_interruption(job: Job, until: float, reason: str) -> Result:
    """Write down that a job was interrupted whose processes are ending, waiting for its claim."""
    while is_claimed(job.sweep_dir, job.identity) and time.monotonic() < until:
        time.sleep(0.1)
    return record_death(job, "interrupted", reason)


@contextlib.contextmanager
def patient_claim(sweep_dir: Path, identity: str) -> Iterator[bool]:
    """Claim a run whose owner has died; who only looks whether it is claimed is waited for."""
    until = time.monotonic() + CLAIM_SECONDS
    while True:
        with claim(sweep_dir, identity) as is_ours:
            if is_ours or time.monotonic() > until:
                yield is_ours
                return
        time.sleep(0.02)


def cause_of_death(ended: EndedJob) -> str:
    """Return why a process died, in one line."""
    if ended.code < 0:
        name = signal.Signals(-ended.code).name
        of_memory = ", as the system does when memory runs out" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{of_memory}"
    lines = [line for line in ended.output.splitlines() if line.strip()]
    return f"its process ended with code {ended.code}" + (f": {lines[-1]}" if lines else "")
