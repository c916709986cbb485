"""`hydra/launcher=slurm`: the jobs of a sweep as job arrays of SLURM, by submitit.

What can be given away at once becomes one array. Each job of it is watched on its node as a job
of Ray's is (supervision.py); what SLURM itself ends without a word is heard of from `sacct`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import time
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from experiments.errors.error_table import TABLE
from experiments.errors.messages import check_choice, user_error
from experiments.record.claim import is_claimed
from experiments.record.host import num_cores
from experiments.record.record import Status
from experiments.sweep.jobs.board import Board
from experiments.sweep.jobs.carrier import WatchingCarrier
from experiments.sweep.jobs.deaths import record_death, record_interruption
from experiments.sweep.jobs.job import Assignment, Result, RunningJob
from experiments.sweep.jobs.source import JobSource
from experiments.sweep.jobs.supervision import Markers, supervisor
from experiments.sweep.plan import Job

FOLDER = ".submitit"
LOOK_SECONDS = 0.5
ASK_SECONDS = 20.0
"""How often SLURM is asked for the jobs that say nothing."""
CANCEL_SECONDS = 4.0
LARGEST_ARRAY = 1000
"""SLURM's own limit, where nobody has changed it, is 1001."""
CLUSTERS = ("slurm", "local", "debug")
OF_ALL_CLUSTERS = (
    "name",
    "timeout_min",
    "cpus_per_task",
    "gpus_per_node",
    "mem_gb",
    "stderr_to_stdout",
)
ONE_OF_SEVERAL = ("SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE")
"""By these Lightning takes a process for one of several that SLURM has started for one run."""
BY_SLURM = ("TIMEOUT", "PREEMPTED", "CANCELLED", "NODE_FAIL", "BOOT_FAIL", "REVOKED", "DEADLINE")
"""Ends that are no fault of the job's, which goes on with the same command."""


def check_cluster(cluster: str) -> None:
    """Raise UserError for values that cannot be."""
    check_choice("hydra.launcher.cluster", cluster, CLUSTERS)
    if importlib.util.find_spec("submitit") is None:
        raise user_error("launcher_package", launcher="slurm", package="submitit")
    if cluster == "slurm" and (shutil.which("sbatch") is None or shutil.which("srun") is None):
        raise user_error("no_slurm")


def executor_of(folder: Path, cluster: str, requests: dict[str, Any]) -> Any:
    """Return submitit's executor, which writes its files below a folder.

    Raises:
        UserError: submitit does not know what is requested.
    """
    import submitit

    executor = submitit.AutoExecutor(folder=folder / "%j", cluster=cluster)
    given = {
        key if key in OF_ALL_CLUSTERS else f"slurm_{key}": value
        for key, value in requests.items()
        if value not in (None, [], {})
    }
    try:
        executor.update_parameters(nodes=1, tasks_per_node=1, **given)
    except (NameError, ValueError, TypeError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise user_error("composition", reason=f"hydra.launcher: {reason}") from error
    return executor


class Stopped(KeyboardInterrupt):
    """SLURM has told the process to end."""


def supervise_on_node(assignment: Assignment) -> Result:
    """Have a job trained by the process that SLURM has started for it."""
    for name in ONE_OF_SEVERAL:
        os.environ.pop(name, None)

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(signal.Signals(number).name)

    # Instead of submitit's own, which would have a preempted job begin again by itself. SIGUSR2
    # comes before the time limit, SIGTERM with scancel and preemption.
    for how in (signal.SIGTERM, signal.SIGUSR2):
        signal.signal(how, stop)
    return supervisor.supervise(assignment)


@dataclass(eq=False)
class SlurmCarrier(WatchingCarrier):
    """Hands jobs over to SLURM and hears what became of them.

    Attributes:
        cluster: slurm, local or debug.
        requests: what each job asks for, in submitit's words.
        executors: submitit's, by the folder of the sweep.
    """

    _: KW_ONLY
    cluster: str
    requests: dict[str, Any]
    markers: Markers = field(default_factory=Markers, init=False)
    executors: dict[Path, Any] = field(default_factory=dict, init=False)
    last_asked: float = field(default_factory=time.monotonic, init=False)

    @property
    def at_once(self) -> int:
        """How many jobs are given away before others have ended."""
        of_machine = {"local": max(1, num_cores() // self.requests["cpus_per_task"]), "debug": 1}
        return int(min(self.requests["array_parallelism"], of_machine.get(self.cluster, 2**31)))

    def run_jobs(self, source: JobSource, board: Board) -> None:
        with self.markers:
            try:
                super().run_jobs(source, board)
            finally:
                for sweep_dir in self.executors:
                    tidy(sweep_dir.absolute() / FOLDER)

    def start_jobs(self, source: JobSource) -> None:
        jobs: list[Job] = []
        room = min(LARGEST_ARRAY, self.at_once - len(self.running))
        while len(jobs) < room and (job := source.take()) is not None:
            jobs.append(job)
        for sweep_dir in dict.fromkeys(job.sweep_dir for job in jobs):
            self.submit(sweep_dir, [job for job in jobs if job.sweep_dir == sweep_dir])

    def submit(self, sweep_dir: Path, jobs: list[Job]) -> None:
        if sweep_dir not in self.executors:
            folder = sweep_dir.absolute() / FOLDER
            self.executors[sweep_dir] = executor_of(folder, self.cluster, self.requests)
        marker, cores = self.markers.of(sweep_dir), self.requests["cpus_per_task"]
        assignments = [self.assignment(job, cores, marker=marker) for job in jobs]
        handles = self.executors[sweep_dir].map_array(supervise_on_node, assignments)
        self.running |= {h: RunningJob(job) for h, job in zip(handles, jobs, strict=True)}

    def hear_of_ends(self, source: JobSource) -> None:
        time.sleep(LOOK_SECONDS)
        for handle in self.ended():
            self.take_leave(handle, source)

    def ended(self) -> list[Any]:
        asks = time.monotonic() - self.last_asked > ASK_SECONDS
        if asks and self.running:
            # One question is answered for all jobs; by itself submitit asks ever more seldom.
            next(iter(self.running)).done(force_check=True)
            self.last_asked = time.monotonic()
        return [h for h in self.running if h.done() or h.state.startswith("PREEMPTED")]

    def take_leave(self, handle: Any, source: JobSource) -> None:
        """Tell what became of a job, once that can be written down."""
        running = self.running[handle]
        result = outcome_of(handle)
        if result is None:
            job = running.job
            if is_claimed(job.sweep_dir, job.identity, is_said_dead=True):
                return  # asked again at the next look, until its heart stands still
            result = record_end(handle, job)
        else:
            shutil.rmtree(handle.paths.folder, ignore_errors=True)
        del self.running[handle]
        self.tell(running, result, source)
        if result.outcome == "interrupted" and self.cluster == "debug":
            raise KeyboardInterrupt  # it was this process that was interrupted

    def interrupt(self) -> None:
        for handle in self.running:
            handle.cancel(check=False)
        until = time.monotonic() + CANCEL_SECONDS
        for running in self.running.values():
            self.tell(running, record_interruption(running.job, until, "cancelled"))


def tidy(folder: Path) -> None:
    """Remove submitit's folder where nothing is in it that could be asked for."""
    for path in [*folder.glob("*.pkl"), *folder.glob("*.sh")]:
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # logs of jobs that came to nothing
        (folder / "%j").rmdir()
        folder.rmdir()


def outcome_of(handle: Any) -> Result | None:
    """Return what a job of submitit's has told of itself; None where it has told nothing."""
    if not handle.paths.result_pickle.exists():
        return None
    word, value = handle._get_outcome_and_result()
    if word == "success":
        assert isinstance(value, Result)
        return value
    return Result("refused", message=f"{value.strip().splitlines()[-1]} ({handle.paths.stderr})")


def record_end(handle: Any, job: Job) -> Result:
    """Write into the record of a job that it ended without a word, and return what became of it."""
    state = str(handle.state).partition(" ")[0]
    status: Status = "interrupted" if state in BY_SLURM else "failed"
    reason = TABLE["slurm_ended"].format(state=state, log=handle.paths.stderr)
    output = handle.stderr() or handle.stdout() or ""
    return record_death(job, status, reason, output)
