"""`hydra/launcher=ray`: the jobs of a sweep as tasks of a Ray cluster.

Ray finds the machine with the cores and GPUs that a job needs; what a job is, who may carry it
out, and what is written about it is the same as on one machine. Ray is never asked to repeat a
task: it cannot know what the run's record and claim say.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Any

from experiments.errors.error_table import TABLE
from experiments.errors.messages import RunFailed, UserError, user_error
from experiments.record.claim import STALE_SECONDS, is_claimed
from experiments.sweep.jobs.board import Board
from experiments.sweep.jobs.carrier import WatchingCarrier
from experiments.sweep.jobs.deaths import record_death, record_interruption
from experiments.sweep.jobs.job import Assignment, Result, RunningJob
from experiments.sweep.jobs.ray_cluster import Cluster
from experiments.sweep.jobs.source import JobSource
from experiments.sweep.jobs.supervision import Markers, supervisor
from experiments.sweep.plan import Job

LOOK_SECONDS = 0.5
CANCEL_SECONDS = 4.0
"""How long jobs may take to end after a Ctrl-C; they give themselves a second less."""
FORCE_SECONDS = 1.0
LOSSES = 3
"""A job that has lost its machine so often is what the machines die of."""
PATIENCE_SECONDS = STALE_SECONDS + 15
"""How long the claim of a lost job is waited for; whoever holds it then is another launcher's."""


@dataclass
class LostJob:
    """A job whose worker is gone, and whose claim may still be held.

    Attributes:
        reason: why it has failed; None where it goes on elsewhere.
        since: the moment, by the monotonic clock.
    """

    running: RunningJob
    reason: str | None
    since: float = field(default_factory=time.monotonic)


def supervise_on_node(assignment: Assignment, takes_gpus: bool) -> Result:
    # Ray hides the GPUs of others only from a job that takes one itself.
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "") if takes_gpus else ""
    environment = {**assignment.environment, "CUDA_VISIBLE_DEVICES": gpus}
    return supervisor.supervise(replace(assignment, environment=environment))


@dataclass(eq=False)
class RayCarrier(WatchingCarrier):
    """The jobs that Ray has, and those that it has lost; how often, by identity."""

    _: KW_ONLY
    cluster: Cluster
    lost: list[LostJob] = field(default_factory=list, init=False)
    losses: Counter[str] = field(default_factory=Counter, init=False)
    markers: Markers = field(default_factory=Markers, init=False)

    def __post_init__(self) -> None:
        self.ray = self.cluster.ray
        # The process on the node watches its job from outside, so the next job may have it too.
        self.remote = self.ray.remote(max_retries=0, max_calls=0)(supervise_on_node)

    @property
    def at_once(self) -> int:
        # Where all nodes are gone, one job waits in Ray for a new node.
        return max(1, self.cluster.room())

    @property
    def is_busy(self) -> bool:
        return bool(self.running or self.lost)

    def run_jobs(self, source: JobSource, board: Board) -> None:
        with self.markers:
            try:
                super().run_jobs(source, board)
            except RunFailed:
                # A node that cannot carry out jobs would go through all the rest in no time.
                self.interrupt()
                raise

    def start_jobs(self, source: JobSource) -> None:
        room = self.at_once - len(self.running)
        while room > 0 and (job := source.take()) is not None:
            self.submit(job)
            room -= 1

    def submit(self, job: Job) -> None:
        needs = self.cluster.needs_of(job.num_devices)
        assignment = self.assignment(job, needs.cpus, marker=self.markers.of(job.sweep_dir))
        remote = self.remote.options(num_cpus=needs.cpus, num_gpus=needs.gpus, name=job.name)
        self.running[remote.remote(assignment, needs.gpus > 0)] = RunningJob(job)

    def hear_of_ends(self, source: JobSource) -> None:
        for ref in self.ended(LOOK_SECONDS):
            self.take_leave(ref, source)
            self.start_jobs(source)
        self.settle_lost(source)

    def ended(self, seconds: float) -> list[Any]:
        """Return the tasks that have ended, waiting for one so many seconds at most."""
        if not self.running:
            time.sleep(seconds)
            return []
        ready, _ = self.ray.wait(list(self.running), num_returns=1, timeout=seconds)
        return list(ready)

    def take_leave(self, ref: Any, source: JobSource) -> None:
        """Tell what became of a job, or keep it until that can be known."""
        running = self.running.pop(ref)
        result, is_lost = self.outcome_of(ref)
        if is_lost:
            self.lose(running, result.message)
        else:
            self.tell(running, result, source)

    def outcome_of(self, ref: Any) -> tuple[Result, bool]:
        """Return what became of a task, and whether the process that watched the job is gone."""
        errors = self.ray.exceptions
        try:
            return self.ray.get(ref), False
        except errors.TaskCancelledError:
            return Result("interrupted"), False
        except errors.OutOfMemoryError:
            return Result("failed", message=TABLE["node_memory"]), True
        except errors.RayTaskError as error:
            # The job was not begun. Where that is no UserError, the package, or one that it
            # needs, is another one there.
            last = str(error).strip().splitlines()[-1]
            mistake = error.cause if isinstance(error.cause, UserError) else None
            raise RunFailed(str(mistake or user_error("node_refuses", reason=last))) from error
        except errors.RayError:
            return Result("lost"), True

    def lose(self, running: RunningJob, reason: str | None) -> None:
        """Keep a job whose worker is gone until its claim is free."""
        job = running.job
        self.losses[job.identity] += 1
        if reason is None and self.losses[job.identity] >= LOSSES:
            reason = TABLE["losses"].format(number=LOSSES)
        if reason is None:
            self.board.console.print(TABLE["lost"].format(name=job.name), markup=False)
        self.lost.append(LostJob(running, reason))

    def settle_lost(self, source: JobSource) -> None:
        """Give back the lost jobs that nobody holds any more.

        Their processes die with their node; a claim that is held all the same, or a heart that
        beats, says that Ray has erred, and two processes must not carry out one run.
        """
        for lost in list(self.lost):
            job = lost.running.job
            is_held = is_claimed(job.sweep_dir, job.identity, is_said_dead=True)
            if is_held and time.monotonic() - lost.since < PATIENCE_SECONDS:
                continue
            self.lost.remove(lost)
            if is_held:
                self.tell(lost.running, Result("taken"), source)
            elif lost.reason is None:
                source.put_back(job)
            else:
                result = record_death(job, "failed", lost.reason)
                self.tell(lost.running, result, source)

    def interrupt(self) -> None:
        refs = list(self.running)
        for ref in refs:
            self.ray.cancel(ref)
        wait = {"num_returns": len(refs), "timeout": CANCEL_SECONDS}
        ready, late = self.ray.wait(refs, **wait) if refs else ([], [])
        for ref in ready:
            result, is_lost = self.outcome_of(ref)
            if not is_lost:
                self.tell(self.running.pop(ref), result)
        for ref in late:
            self.ray.cancel(ref, force=True)
        until = time.monotonic() + FORCE_SECONDS
        for running in [*self.running.values(), *(lost.running for lost in self.lost)]:
            self.tell(running, record_interruption(running.job, until, "stopped by its launcher"))
