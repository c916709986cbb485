"""Launchers that are killed, or that meet: real processes, nothing lost, nothing twice."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest
from processes import (
    MISBEHAVING,
    TRAIN,
    descendants,
    ended,
    is_alive,
    started,
    started_anew,
    wait_until,
)
from running import run_folders

from experiments import load_run
from experiments.record.claim import FINISHED
from experiments.record.record import read_record
from experiments.sweep.declaration import read_declarations
from experiments.sweep.jobs.server import LOOK_SECONDS

pytestmark = pytest.mark.slow

SWEEP = ["-m", "logger=none", "model=mlp", "model.hidden=[16]"]
SWEEP += ["activation=relu,tanh,elu", "optim=sgd,adam", "seed=0,1"]
NUM_RUNS = 12


def completions(folder: Path) -> int:
    """Return how often the run of a folder has been run to its end: each logs its last epoch."""
    last = load_run(folder).config["trainer"]["max_epochs"]
    return len(re.findall(f": epoch {last}/{last} ", (folder / "train.log").read_text()))


def finished_records(folder: Path) -> dict[Path, bytes]:
    """Return the records of the runs that are done, as they stand on disk."""
    done = [path for path in run_folders(folder) if read_record(path)["status"] in FINISHED]
    return {path: (path / "record.json").read_bytes() for path in done}


def epochs_in(folder: Path) -> int:
    """Return how many epochs all runs of a sweep have done so far."""
    return sum(max(0, path.read_text().count("\n") - 1) for path in folder.glob("*/history.csv"))


def kill_after(num_epochs: int, folder: Path, *command: str) -> None:
    """Kill a launcher once its jobs have done so many epochs more, and wait for their deaths."""
    process = started(*command)
    enough = epochs_in(folder) + num_epochs
    wait_until(lambda: epochs_in(folder) >= enough)
    assert process.poll() is None  # nor was it done already
    # The server and two jobs, one of which may just have given way to the next.
    children = wait_until(lambda: (found := descendants(process.pid))[2:] and found)
    process.kill()
    process.communicate()
    wait_until(lambda: not any(map(is_alive, children)))


def test_a_killed_launcher_loses_nothing_and_repeats_nothing() -> None:
    folder, whole = Path("swept"), Path("undisturbed")
    command = [*SWEEP, "trainer.max_epochs=60"]
    done: dict[Path, bytes] = {}
    # Amid the first runs, when some are done, and soon after that.
    for num_epochs in (30, 250, 10):
        kill_after(num_epochs, folder, *command, f"hydra.sweep.dir={folder}")
        # Who is run again writes a record anew, with its times: a run that is done never is. (One
        # that was killed after its last epoch and before its record was not done.)
        after = finished_records(folder)
        assert {path: after.get(path) for path in done} == done
        done = after
    assert 0 < len(done) < NUM_RUNS
    for place in (folder, whole):
        ended(started(*command, f"hydra.sweep.dir={place}"))
    after = finished_records(folder)
    assert {path: after.get(path) for path in done} == done
    runs = [load_run(path) for path in run_folders(folder)]
    assert Counter(run.record["status"] for run in runs) == {"completed": NUM_RUNS}
    references = {load_run(f).record["identity"]: load_run(f) for f in run_folders(whole)}
    assert {run.record["identity"] for run in runs} == set(references)
    assert len(references) == NUM_RUNS
    for run in runs:
        reference = references[run.record["identity"]]
        assert run.history == reference.history
        assert run.record["metrics"] == reference.record["metrics"]


def test_two_launchers_share_a_sweep() -> None:
    # Runs of seed 0 wait in their second epoch until both launchers have two of them.
    waiting = "+callbacks.waiting={_target_:misbehaving.AtEpoch,how:hang,seed:0,unless:'met'}"
    typed = [*SWEEP[1:], waiting, "trainer.max_epochs=5"]
    commands = (["-m", *typed], [*reversed(typed), "-m"])
    both = [started(*words, PYTHONPATH=MISBEHAVING) for words in commands]
    wait_until(lambda: count_of("running") == 4)
    Path("met").touch()
    outs = [ended(process) for process in both]
    runs = [load_run(folder) for folder in run_folders()]
    assert Counter(run.record["status"] for run in runs) == {"completed": NUM_RUNS}
    assert len({run.record["identity"] for run in runs}) == NUM_RUNS
    assert [completions(run.folder) for run in runs] == [1] * NUM_RUNS
    # Both have worked, and neither went before all was done.
    done = [len(re.findall(r"\] ✓ completed", out)) for out in outs]
    assert sum(done) >= NUM_RUNS
    assert min(done) > 0


LOOKS = ["-m", "logger=none", "model=mlp", "model.hidden=[16]", "activation=relu,tanh,sigmoid"]
LOOKS += ["sweep.control=relu", "sweep.until=settled", "sweep.looks=[2,4,5]"]
LOOKS += ["sweep.spending=pocock"]


def settled_in(said: str) -> list[str]:
    """Return what a sweep says to be settled."""
    return re.findall(r"^  .*settled at \d+ seeds\.$", said, re.MULTILINE)


def test_a_sweep_until_settled_that_is_killed_comes_to_the_same() -> None:
    folder, whole = Path("swept"), Path("undisturbed")
    # To the same bits, which members of other populations do not come to.
    command = [*LOOKS, "sweep.delta=0.05", "trainer.max_epochs=15", "hydra.launcher.population=off"]
    undisturbed = ended(started(*command, f"hydra.sweep.dir={whole}"))
    lines = settled_in(undisturbed)
    assert len(lines) == 1  # tanh is as good as relu
    number = len(run_folders(whole))
    assert 6 < number < 15
    assert f"{number} of at most 15 runs: " in undisturbed
    done: dict[Path, bytes] = {}
    # Amid the first look of six runs, and amid the second one.
    for num_epochs in (30, 105):
        more = num_epochs - epochs_in(folder)
        kill_after(more, folder, *command, f"hydra.sweep.dir={folder}")
        after = finished_records(folder)
        assert {path: after.get(path) for path in done} == done
        done = after
    continued = ended(started(*command, f"hydra.sweep.dir={folder}"))
    assert settled_in(continued) == lines
    after = finished_records(folder)
    assert {path: after.get(path) for path in done} == done
    assert scores_in(folder) == scores_in(whole)


def scores_in(folder: Path) -> dict[str, dict[str, float | None]]:
    """Return what each run of a sweep measured, by its identity."""
    records = [read_record(path) for path in run_folders(folder)]
    return {record["identity"]: record["metrics"] for record in records}


def test_two_launchers_share_each_look() -> None:
    # Runs of seed 0 wait in their second epoch until both launchers have two of them.
    waiting = "+callbacks.waiting={_target_:misbehaving.AtEpoch,how:hang,seed:0,unless:'met'}"
    command = [*LOOKS, "sweep.delta=0.2", "trainer.max_epochs=5", waiting]
    command += ["hydra.launcher.population=off"]
    both = [started(*command, PYTHONPATH=MISBEHAVING) for _ in range(2)]
    wait_until(lambda: count_of("running") >= 3)
    Path("met").touch()
    outs = [ended(process) for process in both]
    lines = settled_in(outs[0])
    assert len(lines) == 1  # tanh is as good as relu
    assert settled_in(outs[1]) == lines
    runs = [load_run(folder) for folder in run_folders()]
    assert [completions(run.folder) for run in runs] == [1] * len(runs)
    assert len({run.record["identity"] for run in runs}) == len(runs)
    assert Counter(run.record["status"] for run in runs) == {"completed": len(runs)}
    done = [len(re.findall(r"\] ✓ completed", out)) for out in outs]
    assert sum(done) >= len(runs)
    assert min(done) > 0
    for out in outs:
        assert f"{len(runs)} of at most 15 runs" in out
    [declared] = read_declarations(run_folders()[0].parent)
    assert declared["looks"] == [2, 4, 5]


LAUNCHERS = [["hydra/launcher=basic"], ["hydra/launcher=ray"]]
LAUNCHERS += [["hydra/launcher=slurm", "hydra.launcher.cluster=local"]]


@pytest.mark.parametrize("launcher", LAUNCHERS, ids=lambda words: words[0].partition("=")[2])
def test_every_launcher_goes_from_look_to_look(launcher: list[str]) -> None:
    """Each has several batches of jobs, and a judgement between them."""
    command = ["-m", "logger=none", "model=mlp", "model.hidden=[16]", "activation=relu,tanh"]
    command += ["sweep.control=relu", "sweep.until=settled", "sweep.looks=[2,3,4]"]
    # A tenth of a point is more than four seeds can tell.
    command += ["sweep.delta=0.001", "trainer.max_epochs=1"]
    said = ended(started(*command, *launcher))
    assert re.findall(r"^Look .*", said, re.MULTILINE) == [
        f"Look {number} of 3, at {seeds} seeds:" for number, seeds in ((1, 2), (2, 3), (3, 4))
    ]
    statuses = [read_record(folder)["status"] for folder in run_folders()]
    assert statuses == ["completed"] * 8
    assert "8 of at most 8 runs: 0 were not needed." in said


def count_of(status: str) -> int:
    """Return how many runs are in this state."""
    return sum(read_record(folder)["status"] == status for folder in run_folders())


LONG = ["-m", "logger=none", "model=mlp", "trainer.max_epochs=100000", "seed=0,1,2"]


def wait_for_history(number: int) -> None:
    """Wait until so many runs have done an epoch."""
    wait_until(lambda: len(list(Path("outputs").glob("sweeps/*/*/history.csv"))) >= number)


def test_jobs_die_with_a_killed_server() -> None:
    """With a killed launcher too: see above."""
    process = started(*LONG)
    wait_for_history(2)
    children = descendants(process.pid)
    [server] = [pid for pid in children if os.getpgid(pid) == pid and pid == min(children)]
    os.kill(server, signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert "The process that jobs are started from ended with code -9" in out + err
    wait_until(lambda: not any(map(is_alive, children)))
    # Within a second, on a machine that has time: this is how often they look.
    assert LOOK_SECONDS < 1


def test_ctrl_c_ends_all_within_five_seconds() -> None:
    process = started_anew(*LONG, "logger=wandb", "hydra.launcher.population=off")
    wait_for_history(2)
    children = descendants(process.pid)
    pressed = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    said = ended(process, code=130)
    assert time.monotonic() - pressed < 5
    assert "To continue: " in said
    assert "Traceback" not in said
    assert not [pid for pid in children if is_alive(pid)]
    assert count_of("interrupted") == len(run_folders()) == 2


def private_megabytes(pid: int) -> float:
    """Return what a process shares with no other, in MB (2^20 bytes)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kilobytes = sum(int(n) for n in re.findall(r"Private_(?:Clean|Dirty): +(\d+)", text))
    return kilobytes / 1024


def test_workers_share_the_pages_of_the_data(tmp_path: Path) -> None:
    process = started_anew(
        "-m", "logger=none", "data=fashion_mnist", f"data.root={tmp_path / 'data'}", "model=mlp",
        "model.hidden=[64,128,64]", "trainer.max_epochs=1000", "seed=range(0,4)",
        "hydra.launcher.workers=4",
    )  # fmt: skip
    try:
        wait_for_history(4)
        children = descendants(process.pid)
        jobs = [pid for pid in children if pid != min(children)]
        assert len(jobs) == 4
        assert max(private_megabytes(pid) for pid in jobs) < 120
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)


def test_a_live_table_on_a_terminal() -> None:
    script = " ".join([*TRAIN, *SWEEP[:4], "seed=0,1,2", "trainer.max_epochs=60"])
    script += " hydra.launcher.population=off"
    done = subprocess.run(
        ["script", "-qec", script, "/dev/null"], capture_output=True, text=True, check=True
    )
    for word in ("2 running", "waiting", "epoch ", "best test/accuracy", " left"):
        assert word in done.stdout
