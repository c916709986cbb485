"""Real jobs in processes of their own, forked from one server that all tests share."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from hydra.core.override_parser.overrides_parser import OverridesParser
from running import run_folders
from sweep_folders import write_run

from experiments.claims import CLAIMS
from experiments.records import read_record
from experiments.runs import load_run
from experiments.sweep import carriers
from experiments.sweep.connection import ServerProcess
from experiments.sweep.workers import record_death

Command = Callable[..., "object"]
QUICK = ["logger=none", "model=linear", "data=moons", "trainer.max_epochs=3"]


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    """One server for all: it takes six seconds to import what it does."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    try:
        with ServerProcess("fork") as one:
            assert one.ready["forks"]
            yield one
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@pytest.fixture(autouse=True)
def _shared(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    class Lent:
        def __init__(self, start: str) -> None: ...

        def __enter__(self) -> ServerProcess:
            return server

        def __exit__(self, *unused: object) -> None: ...

    monkeypatch.setattr(carriers, "ServerProcess", Lent)


def bad(how: str, seed: int, unless: str = "") -> list[str]:
    """Return overrides of a callback that ends one run badly."""
    callback = f"+callbacks.bad={{_target_:misbehaving.AtEpoch,how:{how},seed:{seed}"
    return [callback + (f",unless:'{unless}'}}" if unless else "}")]


def statuses() -> dict[int, str]:
    return {load_run(f).record["seed"]: load_run(f).record["status"] for f in run_folders()}


def test_a_multirun_is_carried_out_and_the_same_command_does_nothing(command: Command) -> None:
    typed = ["-m", *QUICK, "optim=sgd,adam", "seed=0,1"]
    answer = command(*typed)
    assert (answer.code, answer.err) == (0, "")
    assert "4 jobs: 4 missing; 4 to do" in answer.out
    assert "[4/4]" in answer.out
    folders = run_folders()
    assert {f.name.rpartition("-")[0] for f in folders} == {
        "optim=sgd,seed=0", "optim=sgd,seed=1", "optim=adam,seed=0", "optim=adam,seed=1",
    }  # fmt: skip
    records = [load_run(f).record for f in folders]
    assert all(r["status"] == "completed" for r in records)
    assert all(f.name.endswith(r["identity"][:8]) for f, r in zip(folders, records, strict=True))
    assert len({r["environment"]["pid"] for r in records}) == 4
    again = command(*reversed(typed))
    assert "4 jobs: 4 completed; nothing is missing." in again.out
    assert [load_run(f).record for f in run_folders()] == records
    more = command("-m", *QUICK, "seed=0,1,2", "optim=adam,rmsprop,sgd")
    assert "9 jobs: 4 completed, 5 missing; 5 to do" in more.out
    assert len(run_folders()) == 9


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


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raise", "RuntimeError: this callback raises"),
        ("kill", "killed by SIGKILL"),
        ("exit", "ended with code 7: a last word"),
    ],
)
def test_a_job_that_fails_is_recorded_and_the_others_finish(
    command: Command, how: str, reason: str, tmp_path: Path
) -> None:
    typed = ["-m", *QUICK, *bad(how, 1, str(tmp_path / "mended")), "seed=0,1,2"]
    answer = command(*typed)
    assert answer.code == 1
    assert statuses() == {0: "completed", 1: "failed", 2: "completed"}
    [folder] = [f for f in run_folders() if "seed=1" in f.name]
    record = load_run(folder).record
    assert reason in record["error"]
    assert record["ended_at"] is not None
    assert reason.rpartition(": ")[2] in (folder / "train.log").read_text()
    assert "What failed" in answer.err
    assert str(folder / "train.log") in answer.err.replace("\n", "")
    # Left alone, until it is asked for; then it goes on after the epoch that it had done.
    again = command(*typed)
    assert again.code == 1
    assert "2 completed, 1 failed; nothing is missing" in again.out
    (tmp_path / "mended").touch()
    retried = command(*typed, "sweep.retry_failed=true")
    assert retried.code == 0
    assert statuses() == {0: "completed", 1: "completed", 2: "completed"}
    assert [row["epoch"] for row in load_run(folder).history] == [1, 2, 3]


def test_a_job_that_hangs_is_ended(command: Command) -> None:
    answer = command("-m", *QUICK, *bad("hang", 0), "seed=0,1", "hydra.launcher.job_timeout=2")
    assert answer.code == 1
    assert statuses() == {0: "failed", 1: "completed"}
    assert "took longer than hydra.launcher.job_timeout=2 seconds" in answer.err.replace("\n", " ")


def test_a_mistake_in_a_job_is_told_and_writes_nothing(command: Command) -> None:
    answer = command("-m", *QUICK, "model.phi_out=identity,softmax")
    assert answer.code == 1
    assert "refused" in answer.out
    assert "model.phi_out=identity" in answer.err
    assert len(run_folders()) == 1


@pytest.mark.parametrize("launcher", ["workers", "basic"])
@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["optim.lrr=0.1,0.2"], "optim.lrr: there is no such key. optim=adam has: lr"),
        (["activation=relu,elu", "++activation.alpha=2"], "activation=relu has"),
        (["data.augment.noize=0.1,0.2"], "Did you mean data.augment.noise=...?"),
        (["optim=sgd,adam", "optim.name=lion"], "optim.name=lion: a name does not choose"),
        (["seed=0,1", "~data.name"], "data: this part of the configuration has no name."),
    ],
)
def test_a_key_that_nothing_takes_is_told_once_before_anything_runs(
    command: Command, launcher: str, typed: list[str], said: str
) -> None:
    answer = command("-m", *QUICK, *typed, f"hydra/launcher={launcher}")
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
    """Send this process a signal once so many runs are completed, and another is under way."""

    def press() -> None:
        until = time.monotonic() + 60
        is_due = False
        while not is_due and time.monotonic() < until:
            time.sleep(0.1)
            # A folder may be looked at before all its files are there.
            with contextlib.suppress(Exception):
                now = list(statuses().values())
                is_due = now.count("completed") >= num_completed and "running" in now
        time.sleep(0.5)
        os.kill(os.getpid(), how)  # whatever was seen: the job that hangs would hang this test

    thread = threading.Thread(target=press)
    thread.start()
    return thread


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_interrupts_and_the_same_command_goes_on(
    command: Command, how: signal.Signals, code: int
) -> None:
    typed = ["-m", *QUICK, *bad("hang", 1), "trainer.max_epochs=4", "seed=0,1,2"]
    before = signal.getsignal(signal.SIGTERM)
    thread = hang_up(how, num_completed=2)
    answer = command(*typed)
    thread.join()
    assert answer.code == code
    assert answer.err.count("To continue: python") == 1
    assert statuses() == {0: "completed", 1: "interrupted", 2: "completed"}
    [folder] = [f for f in run_folders() if "seed=1" in f.name]
    assert load_run(folder).record["error"] == "stopped by SIGINT"
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_a_job_in_this_process_says_once_how_to_go_on(
    command: Command, monkeypatch: pytest.MonkeyPatch, how: signal.Signals, code: int
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
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
    long = [f"+callbacks.of_a_long_name_{n}=null,null" for n in range(2)]
    told = command("-m", *QUICK, *long, "seed=0,1", "sweep.dry_run=true").out
    assert [line[-15:-9] for line in told.splitlines()[:2]] == ["seed=0", "seed=1"]


def test_dry_run_tells_and_does_nothing(command: Command) -> None:
    typed = ["-m", *QUICK, "seed=range(0,3)"]
    answer = command(*typed, "sweep.dry_run=true")
    assert answer.code == 0
    assert answer.out.count("missing      seed=") == 3
    assert not Path("outputs").exists()
    command(*typed, "seed=0")
    told = command(*typed, "sweep.dry_run=true").out
    assert "completed    seed=0-" in told
    assert "2 to do, 2 at once: about" in told


@pytest.mark.parametrize("launcher", ["basic", pytest.param("joblib", marks=pytest.mark.slow)])
def test_other_launchers_do_the_same(command: Command, launcher: str) -> None:
    typed = ["-m", *QUICK, f"hydra/launcher={launcher}", "optim=sgd,adam", "seed=0,1"]
    answer = command(*typed)
    assert answer.code == 0
    records = [load_run(f).record for f in run_folders()]
    assert {f.name.rpartition("-")[0] for f in run_folders()} == {
        "optim=sgd,seed=0", "optim=sgd,seed=1", "optim=adam,seed=0", "optim=adam,seed=1",
    }  # fmt: skip
    assert "4 completed; nothing is missing" in command(*typed).out
    # Our launcher finds them too: they are the same runs.
    ours = command("-m", *QUICK, "optim=sgd,adam", "seed=0,1,2")
    assert "6 jobs: 4 completed, 2 missing" in ours.out
    assert [load_run(f).record for f in run_folders()][:4] == records


def test_a_job_that_fails_under_another_launcher(command: Command, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    typed = ["-m", *QUICK, "hydra/launcher=basic", *bad("raise", 1), "seed=0,1,2"]
    answer = command(*typed)
    assert answer.code == 1
    assert statuses() == {0: "completed", 1: "failed", 2: "completed"}
    assert "What failed" in answer.err


@pytest.mark.slow  # a process that imports everything anew
def test_a_spawned_job_is_the_same(server: ServerProcess, tmp_path: Path) -> None:
    script = Path(carriers.__file__).parents[3] / "train.py"
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
    result = record_death(tmp_path, "0" * 16, "failed", "killed", "")
    assert result.folder == str(folder)
    assert read_record(folder)["status"] == "failed"
