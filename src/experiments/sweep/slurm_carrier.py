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
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from experiments.claims import is_claimed
from experiments.cores import num_cores
from experiments.errors import TABLE, check_choice, user_error
from experiments.records import Status
from experiments.sweep.board import Board
from experiments.sweep.composition import Composer
from experiments.sweep.connection import ServerProcess
from experiments.sweep.job import Result, Task
from experiments.sweep.plan import Job
from experiments.sweep.source import Source
from experiments.sweep.supervision import Place, carry_out_here, marked
from experiments.sweep.workers import Running, record_death, task_of

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


def check(cluster: str) -> None:
    """Raise UserError for values that cannot be."""
    check_choice("hydra.launcher.cluster", cluster, CLUSTERS)
    if importlib.util.find_spec("submitit") is None:
        raise user_error("launcher_package", launcher="slurm", package="submitit")
    if cluster == "slurm" and (shutil.which("sbatch") is None or shutil.which("srun") is None):
        raise user_error("no_slurm")


@contextlib.contextmanager
def slurm_carrier(
    cluster: str, asked: dict[str, Any], job_timeout: float | None
) -> Iterator[SlurmCarrier]:
    """Have SLURM carry out jobs, for the length of the block."""
    with ServerProcess() as server:
        yield SlurmCarrier(server, cluster, asked, job_timeout)


def executor_of(folder: Path, cluster: str, asked: dict[str, Any]) -> Any:
    """Return submitit's executor, which writes its files below a folder.

    Raises:
        UserError: submitit does not know what is asked for.
    """
    import submitit

    executor = submitit.AutoExecutor(folder=folder / "%j", cluster=cluster)
    given = {
        key if key in OF_ALL_CLUSTERS else f"slurm_{key}": value
        for key, value in asked.items()
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


def carry_out_on_node(task: Task, place: Place) -> Result:
    """Carry out a job in the process that SLURM has started for it."""
    for name in ONE_OF_SEVERAL:
        os.environ.pop(name, None)

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(signal.Signals(number).name)

    # Instead of submitit's own, which would have a preempted job begin again by itself. SIGUSR2
    # comes before the time limit, SIGTERM with scancel and preemption.
    for how in (signal.SIGTERM, signal.SIGUSR2):
        signal.signal(how, stop)
    return carry_out_here(task, place)


class SlurmCarrier:
    """Hands jobs over to SLURM and hears what became of them.

    Args:
        server: gives the checksums of data.
        cluster: slurm, local or debug.
        asked: what each job asks for, in submitit's words.
        job_timeout: seconds after which a job is ended as failed.
    """

    def __init__(
        self,
        server: ServerProcess,
        cluster: str,
        asked: dict[str, Any],
        job_timeout: float | None,
    ) -> None:
        self.server = server
        self.cluster = cluster
        self.asked = asked
        self.job_timeout = job_timeout

    def check(self, config: dict[str, Any], overrides: Sequence[str]) -> None:
        """Raise UserError for keys of a config that are missing, or that nothing takes."""
        self.server.check(config, overrides)

    def checksum(self, config: dict[str, Any]) -> str:
        """Return the checksum of the data of a config."""
        return self.server.checksum(config)

    def measures(self, config: dict[str, Any]) -> list[str]:
        """Return the names of what is measured on the data of a config."""
        return self.server.measures(config)

    @property
    def at_once(self) -> int:
        """How many jobs are given away before others have ended."""
        of_machine = {"local": max(1, num_cores() // self.asked["cpus_per_task"]), "debug": 1}
        return int(min(self.asked["array_parallelism"], of_machine.get(self.cluster, 2**31)))

    def carry_out(
        self, source: Source, board: Board, composer: Composer, retry_failed: bool
    ) -> None:
        """Carry out all jobs that a source gives."""
        with contextlib.ExitStack() as stack:
            SlurmJobs(self, board, composer, retry_failed, stack).carry_out(source)


class SlurmJobs:
    """The jobs that SLURM has.

    Args:
        carrier: what is asked for.
        board: where the user sees how it goes.
        composer: knows Hydra's part of each config.
        retry_failed: runs that have failed before are tried again.
        stack: what is to be undone at the end.
    """

    def __init__(
        self,
        carrier: SlurmCarrier,
        board: Board,
        composer: Composer,
        retry_failed: bool,
        stack: contextlib.ExitStack,
    ) -> None:
        self.carrier = carrier
        self.board = board
        self.composer = composer
        self.retry_failed = retry_failed
        self.stack = stack
        self.running: dict[Any, Running] = {}
        self.places: dict[Path, tuple[Any, Place]] = {}
        self.last_asked = time.monotonic()

    def carry_out(self, source: Source) -> None:
        """Carry out all jobs that a source gives.

        Raises:
            KeyboardInterrupt: Ctrl-C; all jobs have been cancelled.
        """
        try:
            while self.running or not source.is_over:
                self.fill(source)
                time.sleep(LOOK_SECONDS)
                for handle in self.ended():
                    self.take_leave(handle, source)
                source.look()
                self.board.show(list(self.running.values()))
        except KeyboardInterrupt:
            self.interrupt()
            raise

    def fill(self, source: Source) -> None:
        """Submit the jobs that are there, as arrays."""
        jobs: list[Job] = []
        room = min(LARGEST_ARRAY, self.carrier.at_once - len(self.running))
        while len(jobs) < room and (job := source.take()) is not None:
            jobs.append(job)
        for sweep_dir in dict.fromkeys(job.sweep_dir for job in jobs):
            self.submit(sweep_dir, [job for job in jobs if job.sweep_dir == sweep_dir])

    def submit(self, sweep_dir: Path, jobs: list[Job]) -> None:
        """Hand jobs over as one array."""
        executor, place = self.place_of(sweep_dir)
        cores = self.carrier.asked["cpus_per_task"]
        tasks = [task_of(job, self.composer, {}, cores, self.retry_failed) for job in jobs]
        handles = executor.map_array(carry_out_on_node, tasks, [place] * len(tasks))
        self.running |= {h: Running(job, []) for h, job in zip(handles, jobs, strict=True)}

    def place_of(self, sweep_dir: Path) -> tuple[Any, Place]:
        """Return the executor of a sweep's folder, and where its jobs are carried out."""
        if sweep_dir not in self.places:
            marker = self.stack.enter_context(marked(sweep_dir))
            folder = sweep_dir.absolute() / FOLDER
            self.stack.callback(tidy, folder)
            executor = executor_of(folder, self.carrier.cluster, self.carrier.asked)
            place = Place(marker, self.carrier.job_timeout)
            self.places[sweep_dir] = executor, place
        return self.places[sweep_dir]

    def ended(self) -> list[Any]:
        """Return the jobs that have ended."""
        asks = time.monotonic() - self.last_asked > ASK_SECONDS
        if asks and self.running:
            # One question is answered for all jobs; by itself submitit asks ever more seldom.
            next(iter(self.running)).done(force_check=True)
            self.last_asked = time.monotonic()
        return [h for h in self.running if h.done() or h.state.startswith("PREEMPTED")]

    def take_leave(self, handle: Any, source: Source) -> None:
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
        self.board.ended(running, result)
        source.ended(running.job, result)
        if result.outcome == "interrupted" and self.carrier.cluster == "debug":
            raise KeyboardInterrupt  # it was this process that was interrupted

    def interrupt(self) -> None:
        """Cancel all jobs, and have them written down as interrupted."""
        for handle in self.running:
            handle.cancel(check=False)
        until = time.monotonic() + CANCEL_SECONDS
        for running in self.running.values():
            job = running.job
            while time.monotonic() < until and is_claimed(job.sweep_dir, job.identity):
                time.sleep(0.1)
            known = record_death(job.sweep_dir, job.identity, "interrupted", "cancelled", "")
            self.board.ended(running, known)


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
    word, told = handle._get_outcome_and_result()
    if word == "success":
        assert isinstance(told, Result)
        return told
    return Result("refused", message=f"{told.strip().splitlines()[-1]} ({handle.paths.stderr})")


def record_end(handle: Any, job: Job) -> Result:
    """Write into the record of a job that it ended without a word, and return what became of it."""
    state = str(handle.state).partition(" ")[0]
    status: Status = "interrupted" if state in BY_SLURM else "failed"
    reason = TABLE["slurm_ended"].format(state=state, log=handle.paths.stderr)
    output = handle.stderr() or handle.stdout() or ""
    return record_death(job.sweep_dir, job.identity, status, reason, output)
