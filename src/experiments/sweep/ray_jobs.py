"""The jobs of a sweep while they are tasks of a Ray cluster."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from experiments.claims import STALE_SECONDS, is_claimed
from experiments.errors import TABLE, RunFailed, UserError, user_error
from experiments.sweep.board import Board
from experiments.sweep.composition import Composer
from experiments.sweep.job import Result, Task
from experiments.sweep.plan import Job
from experiments.sweep.source import Source
from experiments.sweep.supervision import Place, carry_out_here, marked
from experiments.sweep.workers import Running, record_death, task_of

LOOK_SECONDS = 0.5
CANCEL_SECONDS = 4.0
"""How long jobs may take to end after a Ctrl-C; they give themselves a second less."""
FORCE_SECONDS = 1.0
LOSSES = 3
"""A job that has lost its machine so often is what the machines die of."""
PATIENCE_SECONDS = STALE_SECONDS + 15
"""How long the claim of a lost job is waited for; whoever holds it then is another launcher's."""


@dataclass(frozen=True)
class Needs:
    """What a job takes, or a node has.

    Attributes:
        cpus: cores.
        gpus: GPUs; a job may take a part of one.
    """

    cpus: int
    gpus: float

    def times(self, number: int, most: Needs) -> Needs:
        """Return what a job of several devices takes, as far as a node has it."""
        if number == 1:
            return self
        gpus = min(number * math.ceil(self.gpus), int(most.gpus))
        return Needs(min(number * self.cpus, most.cpus), gpus)


class Cluster(Protocol):
    """What the jobs know of the cluster that they are carried out on."""

    ray: Any
    needs: Needs
    job_timeout: float | None

    @property
    def at_once(self) -> int:
        """How many jobs work side by side."""

    def most(self) -> Needs:
        """Return the most cores, and the most GPUs, that a node has."""


@dataclass
class Lost:
    """A job whose worker is gone, and whose claim may still be held.

    Attributes:
        running: what it was.
        reason: why it has failed; None where it goes on elsewhere.
        since: when it was lost.
    """

    running: Running
    reason: str | None
    since: float = field(default_factory=time.monotonic)


def carry_out_there(task: Task, place: Place, takes_gpus: bool) -> Result:
    """Carry out a job on the node that Ray has chosen."""
    # Ray hides the GPUs of others only from a job that takes one itself.
    gpus = os.environ.get("CUDA_VISIBLE_DEVICES", "") if takes_gpus else ""
    environment = {**task.environment, "CUDA_VISIBLE_DEVICES": gpus}
    return carry_out_here(replace(task, environment=environment), place)


class RayJobs:
    """The jobs that Ray has, and those that it has lost. Use as a context.

    Args:
        cluster: where they are carried out.
        board: where the user sees how it goes.
        composer: knows Hydra's part of each config.
        retry_failed: runs that have failed before are tried again.
    """

    def __init__(
        self, cluster: Cluster, board: Board, composer: Composer, retry_failed: bool
    ) -> None:
        self.cluster = cluster
        self.ray = cluster.ray
        self.board = board
        self.composer = composer
        self.retry_failed = retry_failed
        # The process on the node watches its job from outside, so the next job may have it too.
        self.remote = self.ray.remote(max_retries=0, max_calls=0)(carry_out_there)
        self.running: dict[Any, Running] = {}
        self.lost: list[Lost] = []
        self.losses: Counter[str] = Counter()
        self.places: dict[Path, Place] = {}
        self.stack = contextlib.ExitStack()

    def __enter__(self) -> RayJobs:
        return self

    def __exit__(self, *unused: object) -> None:
        self.stack.close()

    def carry_out(self, source: Source) -> None:
        """Carry out all jobs that a source gives.

        Raises:
            KeyboardInterrupt: Ctrl-C; the jobs at work have been interrupted.
            RunFailed: a node cannot carry out jobs; those of other nodes have been interrupted,
                for it would go through all the rest in no time.
        """
        try:
            while self.running or self.lost or not source.is_over:
                self.fill(source)
                for ref in self.ended(LOOK_SECONDS):
                    self.take_leave(ref, source)
                    self.fill(source)
                self.settle_lost(source)
                source.look()
                self.board.show(list(self.running.values()))
        except (KeyboardInterrupt, RunFailed):
            self.interrupt()
            raise

    def fill(self, source: Source) -> None:
        """Submit jobs while there are some, and room for them in the cluster."""
        room = self.cluster.at_once - len(self.running)
        while room > 0 and (job := source.take()) is not None:
            self.submit(job)
            room -= 1

    def submit(self, job: Job) -> None:
        """Hand a job over to Ray."""
        needs = self.cluster.needs.times(job.num_devices, self.cluster.most())
        task = task_of(job, self.composer, {}, needs.cpus, self.retry_failed)
        remote = self.remote.options(num_cpus=needs.cpus, num_gpus=needs.gpus, name=job.name)
        ref = remote.remote(task, self.place_of(job.sweep_dir), needs.gpus > 0)
        self.running[ref] = Running(job, [])

    def place_of(self, sweep_dir: Path) -> Place:
        """Return where jobs of a sweep's folder are carried out."""
        if sweep_dir not in self.places:
            marker = self.stack.enter_context(marked(sweep_dir))
            self.places[sweep_dir] = Place(marker, self.cluster.job_timeout)
        return self.places[sweep_dir]

    def ended(self, seconds: float) -> list[Any]:
        """Return the tasks that have ended, waiting for one so many seconds at most."""
        if not self.running:
            time.sleep(seconds)
            return []
        ready, _ = self.ray.wait(list(self.running), num_returns=1, timeout=seconds)
        return list(ready)

    def take_leave(self, ref: Any, source: Source) -> None:
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
            told = error.cause if isinstance(error.cause, UserError) else None
            raise RunFailed(str(told or user_error("node_refuses", reason=last))) from error
        except errors.RayError:
            return Result("lost"), True

    def lose(self, running: Running, reason: str | None) -> None:
        """Keep a job whose worker is gone until its claim is free."""
        job = running.job
        self.losses[job.identity] += 1
        if reason is None and self.losses[job.identity] >= LOSSES:
            reason = TABLE["losses"].format(number=LOSSES)
        if reason is None:
            self.board.console.print(TABLE["lost"].format(name=job.name), markup=False)
        self.lost.append(Lost(running, reason))

    def settle_lost(self, source: Source) -> None:
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
                result = record_death(job.sweep_dir, job.identity, "failed", lost.reason, "")
                self.tell(lost.running, result, source)

    def tell(self, running: Running, result: Result, source: Source) -> None:
        """Tell the user, and the source, what became of a job."""
        self.board.ended(running, result)
        source.ended(running.job, result)

    def interrupt(self) -> None:
        """Have every job write down that it was interrupted, and end those that do not."""
        refs = list(self.running)
        for ref in refs:
            self.ray.cancel(ref)
        wait = {"num_returns": len(refs), "timeout": CANCEL_SECONDS}
        ready, late = self.ray.wait(refs, **wait) if refs else ([], [])
        for ref in ready:
            result, is_lost = self.outcome_of(ref)
            if not is_lost:
                self.board.ended(self.running.pop(ref), result)
        for ref in late:
            self.ray.cancel(ref, force=True)
        until = time.monotonic() + FORCE_SECONDS
        for running in [*self.running.values(), *(lost.running for lost in self.lost)]:
            self.board.ended(running, interrupted(running.job, until))


def interrupted(job: Job, until: float) -> Result:
    """Write down that a job was interrupted whose processes are ending."""
    while is_claimed(job.sweep_dir, job.identity) and time.monotonic() < until:
        time.sleep(0.1)
    reason = "stopped by its launcher"
    return record_death(job.sweep_dir, job.identity, "interrupted", reason, "")
