"""Fresh processes, as a user starts them: signals, kills, and a second launch by other hands."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from running import QUIET, ROOT, run_folders

from experiments import load_run
from experiments.resuming import is_alive

pytestmark = pytest.mark.slow

TRAIN = [sys.executable, str(ROOT / "train.py")]
LONG = ["logger=none", "model=mlp", "trainer.max_epochs=3000"]


def started(*overrides: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TRAIN, *overrides], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for_epoch(process: subprocess.Popen[str], number: int) -> None:
    assert process.stdout
    for line in process.stdout:
        if line.startswith(f"epoch {number}/"):
            return
    raise AssertionError(process.communicate()[1])


def test_ctrl_c_marks_the_run_and_says_how_to_continue() -> None:
    process = started(*LONG)
    wait_for_epoch(process, 3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    [folder] = run_folders()
    assert f"To continue: python train.py resume={folder}" in out
    assert "Traceback" not in out + err
    record = load_run(folder).record
    assert record["status"] == "interrupted"
    assert record["epochs"] >= 3


def test_sigterm_marks_the_run_too() -> None:
    process = started(*LONG)
    wait_for_epoch(process, 2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 143
    [folder] = run_folders()
    record = load_run(folder).record
    assert (record["status"], record["error"]) == ("interrupted", "stopped by SIGTERM")


def test_a_killed_run_never_looks_whole_and_can_be_resumed() -> None:
    reference = started(*QUIET, "model=mlp", "trainer.max_epochs=60", "hydra.run.dir=whole")
    reference.communicate(timeout=300)
    process = started("logger=none", "model=mlp", "trainer.max_epochs=60")
    wait_for_epoch(process, 7)
    [folder] = run_folders(Path("outputs"))
    assert is_alive(folder)
    process.kill()
    process.communicate()
    assert not is_alive(folder)
    assert json.loads((folder / "record.json").read_text())["status"] == "running"
    resumed = started(*QUIET, f"resume={folder}")
    _, err = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, err
    run, whole = load_run(folder), load_run("whole")
    assert run.record["status"] == "completed"
    assert run.history == whole.history
    assert run.record["metrics"] == whole.record["metrics"]


def test_two_runs_in_the_same_second_get_two_folders() -> None:
    both = [started(*QUIET, "model=linear", "trainer.max_epochs=1") for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert err == ""
        assert "GPU available" not in out
    assert len(run_folders()) == 2
    assert all(load_run(folder).record["status"] == "completed" for folder in run_folders())


def test_a_rank_that_dies_ends_the_run_as_failed() -> None:
    process = started(*LONG, "trainer=ddp_cpu", "progress=lines")
    wait_for_epoch(process, 2)
    children = subprocess.run(
        ["ps", "--ppid", str(process.pid), "-o", "pid=,args="],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    [rank] = [line.split()[0] for line in children.splitlines() if "experiments.fitting" in line]
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


def test_the_progress_bar_is_for_terminals(tmp_path: Path) -> None:
    script = f"{' '.join(TRAIN)} logger=none model=mlp trainer.max_epochs=3"
    done = subprocess.run(
        ["script", "-qec", script, "/dev/null"], capture_output=True, text=True, check=True
    )
    assert "test/accuracy" in done.stdout
    assert "Epoch" in done.stdout


def test_a_run_killed_amid_an_epoch_ends_as_the_one_that_was_not() -> None:
    """By SIGKILL, in a process of its own; all steps and moments: tests/test_execution.py."""
    overrides = ["logger=none", "model=mlp", "model.dropout=0.3", "data=moons", "seed=3"]
    overrides += ["data.num_samples=20000", "data.batch_size=8", "trainer.max_epochs=4"]
    overrides += ["checkpoint.every_n_steps=50", "data.val_fraction=0.1"]
    process = started(*overrides)
    wait_for_epoch(process, 1)
    [folder] = run_folders()
    last = folder / "checkpoints" / "last.ckpt"
    # Its line is printed before the checkpoint of the epoch is written: 1,800 steps each.
    until = time.monotonic() + 60
    step = 0
    while (step <= 1800 or step % 1800 == 0) and time.monotonic() < until:
        step = torch.load(last, weights_only=True)["global_step"] if last.is_file() else 0
    process.kill()
    process.communicate()
    assert torch.load(last, weights_only=True)["global_step"] % 1800  # amid an epoch
    subprocess.run([*TRAIN, f"resume={folder}", "logger=none"], check=True, capture_output=True)
    subprocess.run([*TRAIN, *overrides], check=True, capture_output=True)
    resumed, whole = (load_run(path) for path in run_folders())
    assert resumed.history == whole.history
    assert resumed.record["metrics"] == whole.record["metrics"]
    for name, value in whole.module("last").state_dict().items():
        assert torch.equal(resumed.module("last").state_dict()[name], value)


def test_a_compiled_network_learns_the_same() -> None:
    overrides = ["logger=none", "model=mlp", "model.hidden=[16]", "trainer.max_epochs=2"]
    for compiles in ("false", "true"):
        done = subprocess.run(
            [*TRAIN, *overrides, f"compile={compiles}"], capture_output=True, text=True, check=True
        )
    assert "Compiling the network" in done.stdout
    plain, compiled = (load_run(path) for path in run_folders())
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
