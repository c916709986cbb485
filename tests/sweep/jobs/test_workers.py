"""Real jobs in processes of their own, forked from one server that all tests share."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import mean
from typing import Any, ClassVar

import pytest
from composers import composer_of
from fake_ray import FakeBoard
from filelock import FileLock
from hydra.core.override_parser.overrides_parser import OverridesParser
from running import ROOT, run_folders
from sweep_folders import write_run

from experiments.record.claim import CLAIMS, claim
from experiments.record.folder import read_config
from experiments.record.record import read_record
from experiments.sweep.grid import Cell
from experiments.sweep.jobs.deaths import record_death
from experiments.sweep.jobs.job import Assignment, Result
from experiments.sweep.jobs.populations import Populations
from experiments.sweep.jobs.server import EndedJob, ServerProcess
from experiments.sweep.jobs.source import ListedJobs
from experiments.sweep.jobs.workers import Workers
from experiments.sweep.plan import Job
from experiments.training.load import load_run

Command = Callable[..., "object"]
QUICK = ["logger=none", "model=linear", "data=moons", "trainer.max_epochs=3"]


@pytest.fixture(autouse=True)
def _lent(lent_server: ServerProcess) -> None: ...


def bad(how: str, seed: int, unless: str = "") -> list[str]:
    """Return overrides of a callback that ends one run badly."""
    callback = f"+callbacks.bad_{how}={{_target_:misbehaving.AtEpoch,how:{how},seed:{seed}"
    return [callback + (f",unless:'{unless}'}}" if unless else "}")]


def ends_with_its_answer(out: str, num_seeds: int) -> bool:
    """Return whether a sweep over optim ends with means, a sentence, what would decide, and how
    it is reported.
    """
    [folder] = Path("outputs/sweeps").iterdir()
    *_, decides, runs, report = out.splitlines()
    by_setting: dict[str, list[float]] = {}
    for path in run_folders(folder):
        record = read_record(path)
        name = next(word for word in record["overrides"] if word.startswith("optim="))
        by_setting.setdefault(name[6:], []).append(100 * record["metrics"]["test/accuracy"])
    for name, scores in by_setting.items():
        assert re.search(rf"^ {name} +{num_seeds} .*{mean(scores):.2f} ± ", out, re.MULTILINE)
    assert decides.startswith(f"To decide: at least 6 seeds instead of {num_seeds}")
    assert decides.endswith("'seed=range(0,6)'.")
    assert runs == f"Runs: {folder}"
    return report.startswith("Report: ") and report.endswith(f"compare.py runs={folder}")


def statuses() -> dict[int, str]:
    return {load_run(f).record["seed"]: load_run(f).record["status"] for f in run_folders()}


def test_a_multirun_is_carried_out_and_the_same_command_does_nothing(command: Command) -> None:
    typed = ["-m", *QUICK, "optim=sgd,adam", "seed=0,1"]
    answer = command(*typed)
    assert (answer.code, answer.err) == (0, "")
    assert "4 jobs: 4 missing; 4 to do" in answer.out
    assert "[4/4]" in answer.out
    # At once, before anything heavy; and at the end what came out, here and when it is continued.
    assert answer.out.startswith("Planning the sweep")
    assert ends_with_its_answer(answer.out, num_seeds=2)
    folders = run_folders()
    assert {f.name.rpartition("-")[0] for f in folders} == {
        "optim-sgd__seed-0", "optim-sgd__seed-1", "optim-adam__seed-0", "optim-adam__seed-1",
    }  # fmt: skip
    records = [load_run(f).record for f in folders]
    assert all(r["status"] == "completed" for r in records)
    assert all(f.name.endswith(r["identity"][:8]) for f, r in zip(folders, records, strict=True))
    # In processes of their own, or of two seeds that are trained together.
    assert len({r["environment"]["pid"] for r in records} - {os.getpid()}) in (2, 3, 4)
    again = command(*reversed(typed))
    assert "4 jobs: 4 completed; nothing is missing." in again.out
    assert ends_with_its_answer(again.out, num_seeds=2)
    assert [load_run(f).record for f in run_folders()] == records
    more = command("-m", *QUICK, "seed=0,1,2", "optim=adam,rmsprop,sgd", "sweep.dry_run=true")
    assert "9 jobs: 4 completed, 5 missing; 5 to do" in more.out


def test_a_job_is_the_run_that_a_single_command_trains(command: Command) -> None:
    command("-m", *QUICK, "optim=sgd,adam", "seed=3")
    single = command(*QUICK, "optim=adam", "seed=3")
    assert single.code == 0
    alone = load_run(next(Path("outputs/runs").glob("*/*")))
    [job] = [load_run(f) for f in run_folders(Path("outputs/sweeps")) if "adam" in f.name]
    assert job.record["identity"] == alone.record["identity"]
    assert job.record["setting"] == alone.record["setting"]
    assert job.history == alone.history
    assert job.record["metrics"] == alone.record["metrics"]
    assert job.config == alone.config
    for name in ("config.yaml", "hydra.yaml", "overrides.yaml", "config.pickle"):
        assert (job.folder / ".hydra" / name).is_file()
    with pytest.warns(UserWarning, match="other command line args are ignored"):
        again = command("--experimental-rerun", str(job.folder / ".hydra/config.pickle"))
    assert again.code == 0
    assert len(list(Path("outputs/runs").glob("*/*"))) == 2


def test_jobs_that_fail_are_recorded_and_the_others_finish(
    command: Command, tmp_path: Path
) -> None:
    reasons = {
        1: "RuntimeError: this callback raises",
        2: "killed by SIGKILL",
        3: "ended with code 7: a last word",
    }
    mended = tmp_path / "mended"
    fatal = [
        *bad("raise", 1, str(mended)),
        *bad("kill", 2, str(mended)),
        *bad("exit", 3, str(mended)),
    ]
    typed = ["-m", *QUICK, *fatal, "seed=0,1,2,3"]
    answer = command(*typed)
    assert answer.code == 1
    assert statuses() == {0: "completed", 1: "failed", 2: "failed", 3: "failed"}
    assert "What failed" in answer.err
    folders = {load_run(folder).record["seed"]: folder for folder in run_folders()}
    for seed, reason in reasons.items():
        record = load_run(folders[seed]).record
        assert reason in record["error"]
        assert record["ended_at"] is not None
        assert reason.rpartition(": ")[2] in (folders[seed] / "train.log").read_text()
        assert str(folders[seed] / "train.log") in answer.err.replace("\n", "")
    # Left alone, until it is asked for; then they go on after the epoch that they had done.
    again = command(*typed)
    assert again.code == 1
    assert "1 completed, 3 failed; nothing is missing" in again.out
    mended.touch()
    retried = command(*typed, "sweep.retry_failed=true")
    assert retried.code == 0
    assert statuses() == dict.fromkeys(range(4), "completed")
    for folder in folders.values():
        assert [row["epoch"] for row in load_run(folder).history] == [1, 2, 3]


class HangingServer:
    """Its jobs end when they are killed, and not before."""

    ready: ClassVar = {"devices": {"cuda": 0, "mps": 0, "cpu": 1}}

    def __init__(self) -> None:
        self.killed: list[EndedJob] = []

    def start_job(self, assignment: Assignment) -> None: ...

    def member_costs(self, *unused: object) -> Any: ...

    def stop_job(self, number: int, how: signal.Signals) -> None:
        self.killed.append(EndedJob(number, None, -how, "a last word"))

    def ended_jobs(self, timeout: float) -> list[EndedJob]:
        time.sleep(0.01)
        ended, self.killed = self.killed, []
        return ended


def test_a_job_that_hangs_is_killed_and_recorded(tmp_path: Path) -> None:
    job = Job(Cell((), ()), {"trainer": {"devices": 1}}, "0" * 16, "s", tmp_path, 0)
    folder = write_run(tmp_path / "job-00000000", status="running")
    source = ListedJobs([job])
    with composer_of() as composer:
        server: Any = HangingServer()
        alone: dict[str, Any] = {"populations": Populations(1, server.member_costs)}
        carrier = Workers(server, composer, False, 0.02, workers=1, jobs_per_device=1, **alone)
        carrier.run_jobs(source, FakeBoard())  # type: ignore[arg-type]
    reason = "took longer than hydra.launcher.job_timeout=0.02 seconds"
    assert source.results[job.identity] == Result("failed", str(folder), reason)
    assert read_record(folder)["error"] == reason
    assert "a last word" in (folder / "train.log").read_text()


def test_a_mistake_in_a_job_is_told_and_writes_nothing(command: Command) -> None:
    # How many batches an epoch has is known to the job alone.
    answer = command("-m", *QUICK, "trainer.val_check_interval=1.0,5000")
    assert answer.code == 1
    assert "refused" in answer.out
    assert "trainer.val_check_interval=5000: allowed is" in " ".join(answer.err.split())
    assert len(run_folders()) == 1


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("optim.lr=0.1,abc", "optim.lr=abc: allowed is a number."),
        ("optim.lr=0.1,-1", "optim.lr=-1: allowed is a number above 0."),
        ("optim.lr=0.1,inf", "optim.lr=inf: allowed is a finite number."),
        ("optim.lr=range(0.1,0.1)", "optim.lr=range(0.1,0.1): a sweep over no value."),
        ("seed=range(3,3)", "seed=range(3,3): a sweep over no value."),
        ("seed=1.5,2", "seed=1.5: allowed is 0 to 4294967295."),
        ("seed=0,-1", "seed=-1: allowed is 0 to 4294967295."),
        (
            "model=mlp model.hidden=[8],[0]",
            "model.hidden=[0]: allowed is whole numbers of at least 1.",
        ),
        ("model.phi_out=identity,softmax", "model.phi_out=identity"),
        ("model=mlp,cnn data=xor", "model=cnn data=xor: a CNN slides windows over 1 to 3"),
        ("trainer.max_time=00:00:01:00,0", "trainer.max_time=0: allowed is a time above 0"),
    ],
)
def test_a_value_that_no_run_can_have_is_told_before_the_first_job(
    command: Command, typed: str, said: str
) -> None:
    answer = command("-m", *QUICK, "hydra/launcher=basic", *typed.split())
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.err.splitlines()) == 1
    assert not run_folders()


def test_a_key_that_only_the_swept_choices_have(command: Command) -> None:
    typed = ["activation=elu,celu", "activation.alpha=0.5", "hydra/launcher=basic"]
    assert command("-m", *QUICK, *typed).code == 0
    configs = [read_config(folder)["activation"] for folder in run_folders()]
    assert sorted((node["name"], node["alpha"]) for node in configs) == [
        ("celu", 0.5),
        ("elu", 0.5),
    ]
    # It is the same for all, and no factor.
    assert all("alpha" not in folder.name for folder in run_folders())


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["optim.lrr=0.1,0.2"], "optim.lrr: there is no such key. optim=adam has: lr"),
        (["optim.lrr=0.1,0.2", "hydra/launcher=basic"], "optim.lrr: there is no such key."),
        (["activation=relu,elu", "++activation.alpha=2"], "activation=relu has"),
        (["data.augment.noize=0.1,0.2"], "Did you mean data.augment.noise=0.1,0.2?"),
        (["optim=sgd,adam", "optim.name=lion"], "optim.name=lion: a name does not choose"),
        (["seed=0,1", "~data.name"], "data: this part of the configuration has no name."),
    ],
)
def test_a_key_that_nothing_takes_is_told_once_before_anything_runs(
    command: Command, typed: list[str], said: str
) -> None:
    answer = command("-m", *QUICK, *typed)
    assert answer.code == 2
    assert said in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert not Path("outputs").exists()


def test_a_mistake_of_composition_is_told_before_anything_runs(command: Command) -> None:
    answer = command("-m", *QUICK, "optim=sgd,adm")
    assert answer.code == 2
    assert "Did you mean optim=adam?" in answer.err
    assert not Path("outputs").exists()


def hang_up(how: signal.Signals, num_completed: int) -> threading.Thread:
    """Send this process a signal once so many runs are completed, and another is amid training."""

    def press() -> None:
        until = time.monotonic() + 60
        is_due = False
        while not is_due and time.monotonic() < until:
            time.sleep(0.1)
            # A folder may be looked at before all its files are there.
            with contextlib.suppress(Exception):
                runs = [load_run(folder) for folder in run_folders()]
                is_training = [run.record["status"] == "running" and run.history for run in runs]
                completed = [run for run in runs if run.record["status"] == "completed"]
                is_due = len(completed) >= num_completed and any(is_training)
        os.kill(os.getpid(), how)  # whatever was seen: the job that hangs would hang this test

    thread = threading.Thread(target=press)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("how", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
def test_a_signal_interrupts_and_the_same_command_goes_on(
    command: Command, how: signal.Signals, code: int
) -> None:
    typed = ["-m", *QUICK, *bad("hang", 1), "trainer.max_epochs=4", "seed=0,1,2"]
    before = signal.getsignal(signal.SIGTERM)
    thread = hang_up(how, num_completed=2)
    answer = command(*typed)
    thread.join()
    assert answer.code == code
    assert answer.err.count("To continue: ") == 1
    assert statuses() == {0: "completed", 1: "interrupted", 2: "completed"}
    [folder] = [f for f in run_folders() if "seed-1" in f.name]
    assert load_run(folder).record["error"] == "stopped by SIGINT"
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("how", "code"),
    [pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow), (signal.SIGTERM, 143)],
)
def test_a_signal_to_a_job_in_this_process_says_once_how_to_go_on(
    command: Command, monkeypatch: pytest.MonkeyPatch, how: signal.Signals, code: int
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setattr("experiments.training.interruption.WAIT_SECONDS", 0.5)  # it never ends
    thread = hang_up(how, num_completed=1)
    answer = command("-m", *QUICK, "hydra/launcher=basic", *bad("hang", 1), "seed=0,1")
    thread.join()
    assert answer.code == code
    assert (answer.out + answer.err).count("To continue: ") == 1
    assert statuses() == {0: "completed", 1: "interrupted"}


@pytest.mark.parametrize("more", [[], ["hydra/sweeper=optuna5", "optim.lr=0.1,0.2"]])
def test_an_unwritable_folder_is_told_before_the_data_are_read(
    command: Command, monkeypatch: pytest.MonkeyPatch, more: list[str]
) -> None:
    Path("outputs").write_text("a file, not a folder")
    monkeypatch.setattr(ServerProcess, "checksum", lambda *unused: pytest.fail("was read"))
    answer = command("-m", *QUICK, *more, "seed=0")
    assert answer.code == 2
    assert "the folder cannot be written to" in answer.err
    assert "Choose another with paths.output=FOLDER." in answer.err


def test_a_folder_with_a_quote_in_its_name(command: Command) -> None:
    answer = command("-m", *QUICK, "seed=0", 'paths.output="it\'s"')
    assert (answer.code, answer.err) == (0, "")
    assert [f.parts[0] for f in run_folders(Path("it's"))] == ["it's"]


def test_long_names_keep_their_seeds(command: Command) -> None:
    timer = "{_target_:lightning.pytorch.callbacks.Timer}"
    long = [f"+callbacks.of_a_long_name_{n}={timer},{timer}" for n in range(2)]
    told = command("-m", *QUICK, *long, "seed=0,1", "sweep.dry_run=true").out
    jobs = [line for line in told.splitlines() if line.startswith("missing ")]
    assert [line[-15:-9] for line in jobs] == ["seed-0", "seed-1"]


def test_dry_run_tells_and_does_nothing(command: Command) -> None:
    typed = ["-m", *QUICK, "seed=range(0,3)"]
    answer = command(*typed, "sweep.dry_run=true")
    assert answer.code == 0
    assert answer.out.count("missing      seed-") == 3
    assert not Path("outputs").exists()
    command(*typed, "seed=0")
    told = command(*typed, "sweep.dry_run=true").out
    assert "completed    seed-0-" in told
    assert "2 to do, 2 at once: about" in told


@pytest.mark.parametrize("launcher", ["basic", pytest.param("joblib", marks=pytest.mark.slow)])
def test_other_launchers_do_the_same(
    command: Command, monkeypatch: pytest.MonkeyPatch, launcher: str
) -> None:
    typed = ["-m", *QUICK, f"hydra/launcher={launcher}", "optim=sgd,adam", "seed=0,1"]
    answer = command(*typed)
    assert answer.code == 0, answer.err
    records = [load_run(f).record for f in run_folders()]
    assert {f.name.rpartition("-")[0] for f in run_folders()} == {
        "optim-sgd__seed-0", "optim-sgd__seed-1", "optim-adam__seed-0", "optim-adam__seed-1",
    }  # fmt: skip
    assert "4 completed; nothing is missing" in command(*typed).out
    # Our launcher finds them too: they are the same runs.
    ours = command("-m", *QUICK, "optim=sgd,adam", "seed=0,1,2", "sweep.dry_run=true")
    assert "6 jobs: 4 completed, 2 missing" in ours.out
    assert [load_run(f).record for f in run_folders()] == records
    # joblib's processes would stay in the folder of the first sweep.
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert command("-m", *QUICK, f"hydra/launcher={launcher}", "seed=0").code == 0
    assert len(run_folders()) == 1


def test_a_job_that_fails_under_another_launcher(command: Command, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    typed = ["-m", *QUICK, "hydra/launcher=basic", *bad("raise", 1), "seed=0,1,2"]
    answer = command(*typed)
    assert answer.code == 1
    assert statuses() == {0: "completed", 1: "failed", 2: "completed"}
    assert "What failed" in answer.err


@pytest.mark.slow  # a process that imports everything anew
def test_a_spawned_job_is_the_same(job_server: ServerProcess, tmp_path: Path) -> None:
    script = ROOT / "train.py"
    # Spawning takes a process of its own: this server forks.
    done = subprocess.run(
        [sys.executable, str(script), "-m", *QUICK, "seed=0", "hydra.launcher.start=spawn"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert statuses() == {0: "completed"}


@pytest.mark.parametrize("given", ["0", "-1", "many", "true"])
def test_a_number_of_workers_that_is_none_is_refused(command: Command, given: str) -> None:
    answer = command("-m", *QUICK, "seed=0,1", f"hydra.launcher.workers={given}")
    assert answer.code == 2
    assert "hydra.launcher.workers" in answer.err
    assert not Path("outputs").exists()


def test_what_the_overrides_hold_is_grammar() -> None:
    [override] = OverridesParser.create().parse_overrides(bad("kill", 1, "a b"))
    assert override.value()["unless"] == "a b"


def test_who_looks_at_a_claim_does_not_lose_the_death_of_a_job(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "job-00000000", status="running")
    (tmp_path / CLAIMS).mkdir()
    lock = FileLock(tmp_path / CLAIMS / f"{'0' * 16}.lock", thread_local=False)
    lock.acquire()
    threading.Timer(0.2, lock.release).start()
    job = Job(Cell((), ()), {}, "0" * 16, "s", tmp_path, 0)
    result = record_death(job, "failed", "killed")
    assert result.folder == str(folder)
    assert read_record(folder)["status"] == "failed"


def test_a_run_that_was_done_when_its_process_died_is_done(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "job-00000000", status="completed")
    before = (folder / "record.json").read_bytes()
    job = Job(Cell((), ()), {}, "0" * 16, "s", tmp_path, 0)
    assert record_death(job, "failed", "killed") == Result("completed", str(folder))
    assert (folder / "record.json").read_bytes() == before


def test_a_dead_job_that_another_launcher_has_taken_up_is_that_ones(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "job-00000000", status="running")
    job = Job(Cell((), ()), {}, "0" * 16, "s", tmp_path, 0)
    with claim(tmp_path, job.identity):
        assert record_death(job, "failed", "killed") == Result("taken")
    assert read_record(folder)["status"] == "running"


def test_a_server_that_nobody_needs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # A refused sweep was told two seconds later, in which its server went on importing.
    server = ServerProcess("fork")
    process, called = server.process, []
    kill, wait = process.kill, process.wait
    monkeypatch.setattr(process, "kill", lambda: (called.append("kill"), kill()))
    monkeypatch.setattr(process, "wait", lambda timeout: (called.append("wait"), wait(timeout)))
    with server:
        pass
    assert called == ["kill", "wait"]
    assert process.returncode == -signal.SIGKILL
