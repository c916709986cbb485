"""Ray and SLURM as launchers, with stand-ins for both; tests/slow has the real Ray and submitit."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from composers import composer_of
from fake_ray import FakeBoard, FakeErrors, FakeRay
from running import ROOT
from sweep_folders import write_run

from experiments.errors.messages import RunFailed, UserError
from experiments.record import claim as claims
from experiments.record.claim import CLAIMS, DEAD_SECONDS, STALE_SECONDS, claim, is_claimed
from experiments.record.record import read_record
from experiments.sweep.examiner import TorchExaminer
from experiments.sweep.grid import Cell
from experiments.sweep.jobs import ray as ray_carrier
from experiments.sweep.jobs import slurm as slurm_carrier
from experiments.sweep.jobs import supervision
from experiments.sweep.jobs.job import Assignment, Result
from experiments.sweep.jobs.ray import RayCarrier
from experiments.sweep.jobs.ray_cluster import Cluster, Resources
from experiments.sweep.jobs.server import EndedJob
from experiments.sweep.jobs.source import ListedJobs
from experiments.sweep.jobs.supervision import Markers, Supervisor
from experiments.sweep.plan import Job

Command = Callable[..., "object"]
RUN = "0123456789abcdef"
ONE_CORE = Resources(1, 0)
SWEEP = ["-m", "model=linear", "data=moons", "logger=none", "seed=0,1"]
PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")


def jobs_in(place: Path, number: int, devices: int = 1) -> list[Job]:
    config: dict[str, Any] = {"trainer": {"devices": devices}}
    return [
        Job(Cell((), (f"seed={n}",)), config, f"{n:08x}" * 2, "s", place, n) for n in range(number)
    ]


def begun(place: Path, identity: str) -> Path:
    """Write the record of a run that was never ended."""
    folder = place / f"seed=0-{identity[:8]}"
    return write_run(folder, identity=identity, status="running", ended_at=None)


def carried_out(
    ray: FakeRay, jobs: list[Job], needs: Resources = ONE_CORE
) -> tuple[FakeBoard, ListedJobs]:
    board, source = FakeBoard(), ListedJobs(jobs)
    with composer_of() as composer:
        carrier = RayCarrier(TorchExaminer(), composer, cluster=Cluster(ray, needs))
        carrier.run_jobs(source, board)  # type: ignore[arg-type]
    return board, source


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_carrier, "LOOK_SECONDS", 0.01)


def test_jobs_are_handed_over_with_what_they_take(tmp_path: Path) -> None:
    ray = FakeRay(nodes=[{"CPU": 8.0, "GPU": 2.0}])
    board, source = carried_out(ray, jobs_in(tmp_path, 3), Resources(2, 0.5))
    assert [outcome for _, outcome, _ in board.told] == ["completed"] * 3
    assert {r.outcome for r in source.results.values()} == {"completed"}
    _, options, (assignment, takes_gpus) = ray.submitted[0]
    assert (options["num_cpus"], options["num_gpus"], takes_gpus) == (2, 0.5, True)
    assert (assignment.cores, assignment.cwd) == (2, str(Path.cwd()))
    assert assignment.marker.startswith(str(tmp_path))
    # The marker is there for the length of the sweep only.
    assert not Path(assignment.marker).exists()


def test_a_job_of_several_devices_takes_them_as_far_as_a_node_has_them(tmp_path: Path) -> None:
    ray = FakeRay(nodes=[{"CPU": 4.0, "GPU": 2.0}, {"CPU": 2.0}])
    carried_out(ray, jobs_in(tmp_path, 1, devices=3), Resources(1, 1))
    _, options, _ = ray.submitted[0]
    assert (options["num_cpus"], options["num_gpus"]) == (3, 2)


@pytest.mark.parametrize(
    ("nodes", "needs", "room"),
    [
        ([{"CPU": 1.0}, {"CPU": 1.0}], Resources(1, 0), 2),
        ([{"CPU": 3.0}, {"CPU": 1.0}], Resources(2, 0), 1),
        ([{"CPU": 16.0, "GPU": 1.0}, {"CPU": 16.0}], Resources(1, 1 / 3), 3),
        ([{"CPU": 0.0}, {"CPU": 4.0}], Resources(1, 0), 4),
    ],
)
def test_room(nodes: list[dict[str, float]], needs: Resources, room: int) -> None:
    assert Cluster(FakeRay(nodes=nodes), needs).room() == room


def test_a_job_that_no_node_can_take_is_refused_and_idle_gpus_are_named(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(UserError, match="takes 2 cores and 0 GPUs.*num_cpus=1"):
        Cluster(FakeRay(), Resources(2, 0))
    Cluster(FakeRay(nodes=[{"CPU": 1.0, "GPU": 1.0}]), Resources(1, 0))
    assert "num_gpus=1" in capsys.readouterr().out


def test_a_lost_job_comes_again_at_once_where_its_claim_died_with_it(tmp_path: Path) -> None:
    ray = FakeRay(FakeErrors.WorkerCrashedError())
    board, _ = carried_out(ray, jobs_in(tmp_path, 2))
    assert [name for name, *_ in ray.submitted] == ["seed=0", "seed=1", "seed=0"]
    assert [told[:2] for told in board.told] == [("seed=1", "completed"), ("seed=0", "completed")]
    assert board.printed == [
        "seed=0: its machine is gone; it goes on elsewhere from its last checkpoint."
    ]


def test_a_lost_job_waits_for_a_heart_that_beats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = jobs_in(tmp_path, 2)
    owner = owner_elsewhere(tmp_path, jobs[0].identity, age=DEAD_SECONDS - 1)
    ray = FakeRay(FakeErrors.WorkerCrashedError())
    started = time.monotonic()
    carried_out(ray, jobs)
    assert 0.9 < time.monotonic() - started < 5
    # Others are carried out meanwhile.
    assert [name for name, *_ in ray.submitted] == ["seed=0", "seed=1", "seed=0"]
    # No machine that looks on by itself waits for the rest of the minute.
    assert owner.stat().st_mtime == 0


def test_a_job_whose_claim_another_one_holds_is_left_to_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_carrier, "PATIENCE_SECONDS", 0.1)
    [job] = jobs_in(tmp_path, 1)
    owner_elsewhere(tmp_path, job.identity, age=0)
    _, source = carried_out(FakeRay(FakeErrors.WorkerCrashedError()), [job])
    assert source.results[job.identity].outcome == "taken"


def test_what_machines_die_of_fails(tmp_path: Path) -> None:
    [job] = jobs_in(tmp_path, 1)
    folder = begun(tmp_path, job.identity)
    ray = FakeRay(*[FakeErrors.WorkerCrashedError() for _ in range(3)])
    board, _ = carried_out(ray, [job])
    assert len(ray.submitted) == 3
    assert board.told == [("seed=0", "failed", "its machine was lost 3 times while it ran")]
    assert read_record(folder)["status"] == "failed"


def test_a_job_that_ray_ends_for_want_of_memory_fails(tmp_path: Path) -> None:
    board, _ = carried_out(FakeRay(FakeErrors.OutOfMemoryError()), jobs_in(tmp_path, 1))
    [(_, outcome, message)] = board.told
    assert outcome == "failed"
    assert "memory" in str(message)


def test_a_node_that_cannot_start_jobs_ends_the_sweep(tmp_path: Path) -> None:
    ray = FakeRay(FakeErrors.RayTaskError(ModuleNotFoundError("No module named 'experiments'")))
    with pytest.raises(RunFailed, match="ModuleNotFoundError: No module named 'experiments'"):
        carried_out(ray, jobs_in(tmp_path, 5))
    ray = FakeRay(FakeErrors.RayTaskError(supervision.not_shared("/data")))
    with pytest.raises(RunFailed, match="/data is not the launching machine's folder"):
        carried_out(ray, jobs_in(tmp_path, 5))
    assert len(ray.submitted) == 1


def test_ctrl_c_cancels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [job] = jobs_in(tmp_path, 1)
    folder = begun(tmp_path, job.identity)
    ray = FakeRay()
    calls = iter([KeyboardInterrupt()])

    def wait(refs: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
        for error in calls:
            raise error
        return [], refs  # none has ended in time

    monkeypatch.setattr(ray, "wait", wait)
    with pytest.raises(KeyboardInterrupt):
        carried_out(ray, [job])
    assert ray.cancelled == [1, 1]
    assert read_record(folder)["status"] == "interrupted"


def owner_elsewhere(place: Path, identity: str, age: float) -> Path:
    """Write what an owner on another machine leaves, its heart having beaten `age` seconds ago."""
    path = place / CLAIMS / f"{identity}.1"
    path.parent.mkdir(exist_ok=True)
    (path.parent / f"{identity}.lock").touch()
    path.write_text(json.dumps({"host": "another", "pid": 1}))
    moment = time.time() - age
    os.utime(path, (moment, moment))
    return path


def test_an_owner_said_to_be_dead_needs_to_be_silent_less_long(tmp_path: Path) -> None:
    owner = owner_elsewhere(tmp_path, RUN, age=DEAD_SECONDS - 5)
    assert is_claimed(tmp_path, RUN, is_said_dead=True)
    owner_elsewhere(tmp_path, RUN, age=(DEAD_SECONDS + STALE_SECONDS) / 2)
    assert is_claimed(tmp_path, RUN)
    assert not is_claimed(tmp_path, RUN, is_said_dead=True)
    with claim(tmp_path, RUN) as ours:
        assert ours
    assert not owner.exists()


def test_an_owner_with_a_successor_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.01)
    raised: list[int] = []
    monkeypatch.setattr(claims.signal, "raise_signal", raised.append)
    with claim(tmp_path, RUN) as ours:
        assert ours
        time.sleep(0.1)
        assert not raised
        (tmp_path / CLAIMS / f"{RUN}.2").touch()
        time.sleep(0.1)
        assert signal.SIGKILL in raised


def assigned(sweep_dir: Path, marker: str, job_timeout: float | None = None) -> Assignment:
    job = Job(Cell((), ()), {}, RUN, "s", sweep_dir, 1)
    return Assignment(job, b"", False, {}, 1, str(Path.cwd()), marker, job_timeout)


class FakeServer:
    """A server whose jobs end as told, and which hears what signals they are sent."""

    def __init__(self, *ends: EndedJob | BaseException | None) -> None:
        self.ready = True
        self.ends = list(ends)
        self.sent: list[int] = []

    def start_job(self, assignment: Assignment) -> None: ...

    def stop_job(self, number: int, how: int) -> None:
        self.sent.append(how)

    def ended_jobs(self, timeout: float) -> list[EndedJob]:
        end = self.ends.pop(0) if self.ends else None
        if isinstance(end, BaseException):
            raise end
        time.sleep(0 if end else 0.02)
        return [end] if end else []


def supervised(place: Path, server: FakeServer, job_timeout: float | None = None) -> Result:
    supervisor = Supervisor()
    supervisor.server = server  # type: ignore[assignment]
    with Markers() as markers:
        return supervisor.supervise(assigned(place, markers.of(place), job_timeout))


def test_a_job_is_watched_where_it_is(tmp_path: Path) -> None:
    done = Result("completed")
    assert supervised(tmp_path, FakeServer(None, EndedJob(1, done, 0, ""))) == done
    folder = begun(tmp_path, RUN)
    killed = supervised(tmp_path, FakeServer(EndedJob(1, None, -9, "last words")))
    assert (killed.outcome, killed.folder) == ("failed", str(folder))
    assert "killed by SIGKILL" in str(read_record(folder)["error"])
    assert "last words" in (folder / "train.log").read_text()


def test_each_batch_of_a_sweep_has_a_marker_that_is_there(tmp_path: Path) -> None:
    markers = Markers()
    for _ in range(2):
        with markers:
            marker = Path(markers.of(tmp_path))
            assert marker.is_file()
            assert markers.of(tmp_path) == str(marker)
        assert not marker.exists()


def test_a_job_that_takes_too_long_or_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "GRACE_SECONDS", 0.1)
    folder = begun(tmp_path, RUN)
    server = FakeServer()
    assert supervised(tmp_path, server, job_timeout=0.05).outcome == "failed"
    assert "job_timeout=0.05" in str(read_record(folder)["error"])
    assert server.sent == [signal.SIGKILL]
    server = FakeServer(slurm_carrier.Stopped("SIGUSR2"))
    assert supervised(tmp_path, server).outcome == "interrupted"
    assert read_record(folder)["error"] == "stopped by SIGUSR2"
    assert server.sent == [signal.SIGINT, signal.SIGKILL]
    server = FakeServer(KeyboardInterrupt(), EndedJob(1, Result("interrupted"), 0, ""))
    assert supervised(tmp_path, server) == Result("interrupted")


def test_a_folder_that_is_another_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"{tmp_path} is not the launching machine's folder"):
        Supervisor().supervise(assigned(tmp_path, str(tmp_path / CLAIMS / "launcher-0")))


def test_what_slurm_ends_without_a_word(tmp_path: Path) -> None:
    [job] = jobs_in(tmp_path, 1)
    folder = begun(tmp_path, job.identity)
    paths = SimpleNamespace(stderr="7_0_log.err", result_pickle=tmp_path / "none")
    handle = SimpleNamespace(state="OUT_OF_MEMORY", paths=paths, stderr=lambda: "oom", stdout=str)
    assert slurm_carrier.outcome_of(handle) is None
    assert slurm_carrier.record_end(handle, job).outcome == "failed"
    assert read_record(folder)["error"] == "SLURM ended it: OUT_OF_MEMORY; its log is 7_0_log.err"
    handle.state = "CANCELLED by 1000"
    assert slurm_carrier.record_end(handle, job).outcome == "interrupted"


@pytest.mark.parametrize("launcher", ["ray", "slurm"])
def test_a_missing_package_is_one_line(
    command: Command, launcher: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    answer: Any = command(*SWEEP, f"hydra/launcher={launcher}")
    assert answer.code == 2
    assert "pip install -e '.[cluster]'" in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["hydra/launcher=ray", "hydra.launcher.address=127.0.0.1:1"], "no Ray cluster answers"),
        (["hydra/launcher=ray", "hydra.launcher.address=ray://a:1"], "allowed is host:port"),
        (["hydra/launcher=ray", "hydra.launcher.num_gpus=1.5"], "a part of one GPU"),
        (["hydra/launcher=ray", "hydra.launcher.num_cpus=0"], "a whole number from 1"),
        (["hydra/launcher=slurm"], "there is no sbatch"),
        (["hydra/launcher=slurm", "hydra.launcher.cluster=pbs"], "slurm, local, debug"),
    ],
)
def test_a_mistake_is_one_line(
    command: Command, overrides: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable))
    answer: Any = command(*SWEEP, *overrides)
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not Path("outputs").exists()


COMMANDS = re.findall(r"^python train\.py (.*)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_of_the_page_composes(line: str) -> None:
    words = shlex.split(line, comments=True)
    chosen = [word for word in words if word.startswith("hydra")]
    assert chosen, line
    sweeps = [word for word in words if word.startswith("sweeps=")]
    with composer_of(*chosen, *sweeps) as composer:
        launcher = composer.master.hydra.launcher
        assert launcher._target_.startswith(("hydra_plugins.ray_", "hydra_plugins.slurm_"))


def test_the_page_names_every_key_of_both_launchers() -> None:
    assert len(COMMANDS) >= 4
    for choice in ("ray", "slurm"):
        with composer_of(f"hydra/launcher={choice}") as composer:
            for key in composer.master.hydra.launcher:
                assert key == "_target_" or re.search(rf"`{key}(=[^`]*)?`", PAGE), key
