"""Fresh processes, as a user starts them: signals, kills, and a second launch by other hands."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from processes import TRAIN, Process, ended, started, started_anew, wait_until
from running import QUIET, ROOT, run_folders

from experiments import load_run
from experiments.record.claim import is_held
from experiments.record.record import read_record
from experiments.training.load import Run

pytestmark = pytest.mark.slow

LONG = ["logger=none", "model=mlp", "trainer.max_epochs=3000"]


def wait_for_epoch(process: Process, number: int) -> None:
    assert process.stdout
    for line in process.stdout:
        if line.startswith(f"epoch {number}/"):
            return
    raise AssertionError(process.communicate()[1])


def test_two_runs_at_once_get_two_folders_and_a_signal_marks_a_run() -> None:
    """Ctrl-C says how to continue; SIGTERM, as clusters send it, is in the record."""
    both = [started_anew(*LONG) for _ in range(2)]
    for process in both:
        wait_for_epoch(process, 3)
    for process, sent, code in zip(both, (signal.SIGINT, signal.SIGTERM), (130, 143), strict=True):
        process.send_signal(sent)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code
        assert "Traceback" not in out + err
        assert "GPU available" not in out
        [folder] = [f for f in run_folders() if read_record(f)["environment"]["pid"] == process.pid]
        assert f"train.py resume={folder}\n" in out
        assert "To continue: " in out
        record = read_record(folder)
        assert (record["status"], record["error"]) == ("interrupted", f"stopped by {sent.name}")
        assert record["epochs"] >= 3
    assert len(run_folders()) == 2


def test_a_killed_run_never_looks_whole_and_can_be_resumed(
    command: Callable[..., object], train_run: Callable[..., Run]
) -> None:
    overrides = ["model=mlp", "trainer.max_epochs=60"]
    process = started("logger=none", *overrides)
    wait_for_epoch(process, 7)
    [folder] = run_folders(Path("outputs"))
    assert is_held(folder)
    process.kill()
    process.communicate()
    assert not is_held(folder)
    assert json.loads((folder / "record.json").read_text())["status"] == "running"
    command(*QUIET, f"resume={folder}")
    run, whole = load_run(folder), train_run(*overrides)
    assert run.record["status"] == "completed"
    assert run.history == whole.history
    assert run.record["metrics"] == whole.record["metrics"]


def test_a_rank_that_dies_ends_the_run_as_failed() -> None:
    process = started(*LONG, "trainer=ddp_cpu", "progress=lines")
    wait_for_epoch(process, 2)
    children = subprocess.run(
        ["ps", "--ppid", str(process.pid), "-o", "pid=,args="],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    [rank] = [
        line.split()[0]
        for line in children.splitlines()
        if "experiments.training.other_rank" in line
    ]
    os.kill(int(rank), signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode not in (0, None)
    [folder] = run_folders()
    record = load_run(folder).record
    assert record["status"] == "failed"
    assert record["error"]


def test_ranks_that_others_start_are_left_as_they_are() -> None:
    # As torchrun does: both processes run the same command, told apart by their environment.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    processes = [
        subprocess.Popen(
            [*TRAIN, *QUIET, "model=mlp", "trainer=ddp_cpu", "trainer.max_epochs=2"],
            env={**os.environ, "LOCAL_RANK": str(rank), "RANK": str(rank), "WORLD_SIZE": "2",
                 "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]  # fmt: skip
    for process in processes:
        out, _ = process.communicate(timeout=180)
        assert process.returncode == 0, out
    [folder] = run_folders()
    assert load_run(folder).record["status"] == "completed"


def test_help_completion_and_configuration_need_no_torch() -> None:
    script = (
        "import runpy, sys\n"
        "sys.argv = ['train.py', *sys.argv[1:]]\n"
        f"try: runpy.run_path({str(ROOT / 'train.py')!r}, run_name='__main__')\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'wandb' not in sys.modules\n"
    )
    for arguments in (["--help"], ["--cfg", "job"], ["model=cnm"], ["seed=abc"]):
        subprocess.run([sys.executable, "-c", script, *arguments], check=True, capture_output=True)


def test_a_job_finds_imported_what_it_needs(tmp_path: Path) -> None:
    # What it imports itself, every job of every sweep imports: 0.15 s of each went unseen once.
    script = (
        "import sys\n"
        "from experiments.config.launch import Launch\n"
        "from experiments.record.folder import read_config\n"
        "from experiments.sweep.jobs.server import warm_up\n"
        "warm_up()\n"
        "before = set(sys.modules)\n"
        "from experiments.training.run import train\n"
        "from pathlib import Path\n"
        "config = read_config(Path(sys.argv[1]))\n"
        "config['paths']['output'] = sys.argv[2]\n"
        "train(config, Launch([], is_quiet=True))\n"
        "# Of data and catalogue only what the config names.\n"
        "ours = tuple('experiments.' + room for room in ('training', 'config', 'record'))\n"
        "others = ('lightning', 'torchmetrics', 'hydra', 'omegaconf')\n"
        "new = set(sys.modules) - before\n"
        "print(sorted(name for name in new if name.startswith((*ours, *others))))\n"
    )
    subprocess.run([*TRAIN, *QUIET, "model=mlp", "trainer.max_epochs=1"], check=True)
    [folder] = run_folders()
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder), str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_progress_bar_is_for_terminals(tmp_path: Path) -> None:
    script = f"{' '.join(TRAIN)} logger=none model=mlp trainer.max_epochs=3"
    done = subprocess.run(
        ["script", "-qec", script, "/dev/null"], capture_output=True, text=True, check=True
    )
    assert "test/accuracy" in done.stdout
    assert "Epoch" in done.stdout


def test_a_run_killed_amid_an_epoch_ends_as_the_one_that_was_not(
    command: Callable[..., object], train_run: Callable[..., Run]
) -> None:
    """By SIGKILL, in a process of its own; all steps and moments: tests/training/test_calls.py."""
    overrides = ["logger=none", "model=mlp", "model.dropout=0.3", "data=moons", "seed=3"]
    overrides += ["data.num_samples=8000", "data.batch_size=8", "trainer.max_epochs=4"]
    overrides += ["checkpoint.every_n_steps=50", "data.val_fraction=0.1"]
    process = started(*overrides)
    wait_for_epoch(process, 1)
    [folder] = run_folders()
    last = folder / "checkpoints" / "last.ckpt"

    def steps() -> int:
        return torch.load(last, weights_only=True)["global_step"] if last.is_file() else 0

    # Its line is printed before the checkpoint of the epoch is written: 720 steps each.
    wait_until(lambda: steps() > 720 and steps() % 720)
    process.kill()
    process.communicate()
    assert steps() % 720  # amid an epoch
    command(*QUIET, f"resume={folder}")
    resumed, whole = load_run(folder), train_run(*overrides)
    assert resumed.history == whole.history
    assert resumed.record["metrics"] == whole.record["metrics"]
    for name, value in whole.module("last").state_dict().items():
        assert torch.equal(resumed.module("last").state_dict()[name], value)


def test_a_compiled_network_learns_the_same(train_run: Callable[..., Run]) -> None:
    overrides = ["logger=none", "model=mlp", "model.hidden=[16]", "trainer.max_epochs=2"]
    process = started(*overrides, "compile=true")
    assert "Compiling the network" in ended(process)
    [compiled] = [load_run(folder) for folder in run_folders()]
    plain = train_run(*overrides)
    for row, reference in zip(compiled.history, plain.history, strict=True):
        assert row == pytest.approx(reference, rel=1e-3)
    # What is saved is the network itself, which needs no compiler.
    assert compiled.module().state_dict().keys() == plain.module().state_dict().keys()


def test_a_second_start_opens_no_image_file_again(tmp_path: Path) -> None:
    overrides = ["data=fashion_mnist", f"data.root={tmp_path / 'data'}", "model=linear"]
    overrides += ["logger=none", "trainer.limit_train_batches=1", "trainer.max_epochs=1"]
    overrides += ["trainer.limit_val_batches=1", "test=false"]
    script = (
        "import runpy, sys; opened = []\n"
        "sys.addaudithook(lambda event, args: event == 'open' and opened.append(str(args[0])))\n"
        "sys.argv = sys.argv[1:]\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit: pass\n"
        "maps = open('/proc/self/maps').read() if sys.platform == 'linux' else 'fashion_mnist-'\n"
        "print(sum('-ubyte' in name for name in opened) > 0, 'fashion_mnist-' in maps)"
    )
    command = [sys.executable, "-c", script, *TRAIN[1:], *overrides]
    said = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
        for _ in range(2)
    ]
    assert said == ["True True", "False True"]


@pytest.mark.parametrize(
    "variables",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["latin-1", "C"],
)
def test_a_sweep_whose_output_is_redirected_in_another_encoding(variables: dict[str, str]) -> None:
    # It shows neither the mark before each line nor the lines around panels.
    typed = ["-m", "progress=none", "model=linear", "trainer.max_epochs=1", "seed=0,1"]
    done = subprocess.run(
        [*TRAIN, *typed, "logger.mode=offline", "logger.notes='→ 5 µm'"],
        env={**os.environ, **variables},
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    said = done.stdout.decode("latin-1")
    assert "[2/2] ? completed" in said
    assert {load_run(folder).record["status"] for folder in run_folders()} == {"completed"}


def test_the_task_of_a_one_task_job_trains_in_two_processes(
    command: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Lightning took it for all of SLURM's tasks: alone, it trained on its half of each batch.
    job = {"SLURM_NTASKS": "1", "SLURM_JOB_ID": "71", "SLURM_JOB_NAME": "train", "RANK": "1"}
    for name in ("PROCID", "LOCALID", "NODEID"):
        job[f"SLURM_{name}"] = "0"
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    tiny = [*QUIET, "logger=none", "model=linear", "trainer.max_epochs=2", "data=moons"]
    assert command(*tiny, "trainer=ddp_cpu").code == 0
    assert command(*tiny).code == 0
    shared, alone = (read_record(folder) for folder in run_folders())
    assert [r["environment"]["num_devices"] for r in (shared, alone)] == [2, 1]
    assert shared["metrics"] == pytest.approx(alone["metrics"], rel=1e-3)
