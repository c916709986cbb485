"""What a launcher's variables tell a process, and what the run wants."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from lightning.fabric.plugins.environments import (
    LightningEnvironment,
    LSFEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning.fabric.utilities.rank_zero import rank_zero_only
from running import run_folders

from experiments.errors.messages import UserError
from experiments.record.record import read_record
from experiments.training.launched import (
    OneProcess,
    check_tasks,
    cluster_environments,
    launcher_of_several,
    started_by_others,
    this_rank,
)

TINY = ["progress=none", "logger=none", "model=linear", "trainer.max_epochs=1", "data=moons"]
TINY += ["data.num_samples=60"]

# As SLURM's manual has them: a task of srun's, the script of a batch job, an allocation's shell.
SRUN = {
    "SLURM_JOB_ID": "71", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "2", "SLURM_NNODES": "1",
    "SLURM_NTASKS_PER_NODE": "2", "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0",
    "SLURM_STEP_ID": "0", "SLURM_STEP_NUM_TASKS": "2",
}  # fmt: skip
BATCH = {name: value for name, value in SRUN.items() if not name.startswith("SLURM_STEP")}
SHELL = SRUN | {"SLURM_STEP_ID": str(2**32 - 6), "SLURM_STEP_NUM_TASKS": "1"}
ONE_TASK = SRUN | {"SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1"}
TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_USE_AGENT_STORE": "True", "RANK": "1",
    "LOCAL_RANK": "1", "GROUP_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "9",
}  # fmt: skip
LSF = {
    "LSB_JOBID": "81", "LSB_DJOB_RANKFILE": "/no/such/file", "JSM_NAMESPACE_RANK": "3",
    "JSM_NAMESPACE_SIZE": "4", "JSM_NAMESPACE_LOCAL_RANK": "3",
}  # fmt: skip
KUBEFLOW = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "192.0.2.1", "MASTER_PORT": "9"}
NAMES = ("SLURM_", "LSB_", "JSM_", "TORCHELASTIC_", "MASTER_")


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """No launcher's variables but those that a test asks for, whatever the tests run in."""
    for name in [n for n in os.environ if n.startswith(NAMES)]:
        monkeypatch.delenv(name)
    for name in ("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(rank_zero_only, "rank", 0, raising=False)

    def set_all(given: dict[str, str]) -> None:
        for name, value in given.items():
            monkeypatch.setenv(name, value)

    return set_all


AROUND_ONE = {
    "a batch script of four tasks": BATCH | {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4"},
    "nothing but the number of tasks": {"SLURM_NTASKS": "4"},
    "no number": {"SLURM_NTASKS": "", "SLURM_PROCID": "0"},
    "the third of four tasks": SRUN | {"SLURM_NTASKS": "4", "SLURM_PROCID": "2"},
    "an interactive job": SHELL | {"SLURM_JOB_NAME": "interactive", "SLURM_PROCID": "1"},
    "a shell": {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "bash"},
    "jsrun": LSF,
    "torchrun": TORCHRUN,
    "a worker of Kubeflow": KUBEFLOW,
    "ranks by hand": {"LOCAL_RANK": "2", "NODE_RANK": "1", "MASTER_PORT": "9"},
}


@pytest.mark.parametrize("found", AROUND_ONE.values(), ids=AROUND_ONE.keys())
def test_a_run_of_one_process_has_nobody_beside_it(found: dict[str, str], variables: Callable):
    variables(found)
    [environment] = cluster_environments(1)
    assert isinstance(environment, OneProcess)
    assert not isinstance(environment, SLURMEnvironment)
    values = environment.world_size(), environment.global_rank(), environment.local_rank()
    assert (*values, environment.node_rank()) == (1, 0, 0, 0)
    assert environment.main_address == "127.0.0.1"
    assert environment.main_port not in (9, 0)
    rank_zero_only.rank = 2  # as Lightning reads it when it is imported
    assert this_rank(1) == rank_zero_only.rank == 0
    check_tasks(1, 1)


@pytest.mark.parametrize("strategy", ["auto", "ddp"])
def test_it_trains_amid_all_of_them(strategy: str, variables: Callable, command: Callable) -> None:
    # torch would wait for the agent of a torchrun, on MASTER_PORT.
    everything = SRUN | {"SLURM_NTASKS": "4"} | LSF | TORCHRUN
    variables(everything)
    rank_zero_only.rank = 1
    more = ["trainer.accelerator=cpu", "trainer.devices=1", f"trainer.strategy={strategy}"]
    assert command(*TINY, *more).code == 0
    assert not torch.distributed.is_initialized()
    [folder] = run_folders()
    record = read_record(folder)
    assert (record["status"], record["environment"]["num_devices"]) == ("completed", 1)
    assert (Path(folder) / "checkpoints" / "last.ckpt").is_file()
    assert "NODE_RANK" not in os.environ  # Lightning's own start would set it for the next run
    kept = {name: os.environ.get(name) for name in everything if not name.startswith("MASTER_")}
    assert kept == {name: everything[name] for name in kept}


@pytest.mark.parametrize(
    "found",
    [
        {"SLURM_NTASKS": "4"},
        SHELL | {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "interactive"},
        SHELL | {"SLURM_NTASKS": "4", "SLURM_JOB_NAME": "mine"},
        BATCH | {"SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "4"},
    ],
    ids=["a number", "an interactive allocation", "one with a name", "a batch script"],
)
def test_a_multirun_trains_amid_them(
    found: dict[str, str], variables: Callable, command: Callable
) -> None:
    variables(found)
    typed = [*TINY, "trainer.accelerator=cpu", "hydra/launcher=basic", "seed=0,1"]
    assert command("-m", *typed).code == 0
    records = [read_record(folder) for folder in run_folders()]
    assert [r["status"] for r in records] == ["completed"] * 2
    assert [r["environment"]["num_devices"] for r in records] == [1, 1]


def test_a_job_of_one_task_is_one_process(variables: Callable) -> None:
    # SLURM's signals are heard by interruption.py, whatever runs beside.
    for found in (ONE_TASK, {"SLURM_NTASKS": "1"}, ONE_TASK | {"SLURM_NTASKS_PER_NODE": "4"}):
        variables(found)
        [environment] = cluster_environments(1)
        assert not isinstance(environment, SLURMEnvironment)
        environment.validate_settings(num_devices=1, num_nodes=1)
        assert (environment.world_size(), environment.global_rank()) == (1, 0)


def test_one_task_starts_the_other_processes_of_its_run(variables: Callable) -> None:
    for found in (ONE_TASK, LSF | {"JSM_NAMESPACE_SIZE": "1"}, KUBEFLOW):
        variables(found)
        assert not started_by_others()
        rank_zero_only.rank = 1
        assert this_rank(2) == 0
        check_tasks(2, 1)
        [environment] = cluster_environments(2)
        assert type(environment) is LightningEnvironment


REAL = {
    "srun": (SRUN, SLURMEnvironment),
    "srun's second task": (SRUN | {"SLURM_PROCID": "1", "SLURM_LOCALID": "1"}, SLURMEnvironment),
    "jsrun": (LSF | {"JSM_NAMESPACE_SIZE": "2", "JSM_NAMESPACE_LOCAL_RANK": "1"}, LSFEnvironment),
    "torchrun": (TORCHRUN, TorchElasticEnvironment),
}


@pytest.mark.parametrize(("found", "environment"), REAL.values(), ids=REAL.keys())
def test_as_many_tasks_as_processes_are_left_as_they_are(
    found: dict[str, str], environment: type, variables: Callable
) -> None:
    variables(found)
    check_tasks(2, 1)
    assert started_by_others()
    assert cluster_environments(2) == []  # Lightning asks in the same order:
    launcher = launcher_of_several()
    assert launcher is not None
    assert launcher.environment is environment


def test_tasks_on_two_nodes(variables: Callable) -> None:
    nodes = {"SLURM_NTASKS": "4", "SLURM_NNODES": "2", "SLURM_NODEID": "1", "SLURM_PROCID": "3"}
    variables(SRUN | nodes | {"SLURM_LOCALID": "1"})
    check_tasks(2, 2)
    with pytest.raises(UserError, match=r"SLURM_NTASKS_PER_NODE=2 \(not 4\)"):
        check_tasks(4, 1)


APART = {
    "other tasks": (SRUN | {"SLURM_NTASKS": "4"}, "SLURM", r"SLURM_NTASKS=4 \(not 2\)", "srun"),
    "by number only": (
        {k: v for k, v in SRUN.items() if k != "SLURM_NTASKS_PER_NODE"},
        "SLURM", "SLURM_NTASKS_PER_NODE not set", "srun --nodes=1 --ntasks-per-node=2",
    ),
    "a batch script": (BATCH, "SLURM", "SLURM_STEP_ID of no step", "env -u SLURM_NTASKS python"),
    "an allocation's shell": (SHELL, "SLURM", "SLURM_STEP_ID of no step", "srun"),
    "only a number": ({"SLURM_NTASKS": "2"}, "SLURM", "SLURM_PROCID not set", "srun"),
    "nonsense": ({"SLURM_NTASKS": "two"}, "SLURM", r"SLURM_NTASKS=two \(not 2\)", "srun"),
    "jsrun": (LSF, "LSF", r"JSM_NAMESPACE_SIZE=4 \(not 2\)", "jsrun --nrs=1 --tasks_per_rs=2"),
    "torchrun": (
        TORCHRUN | {"WORLD_SIZE": "4", "LOCAL_RANK": "3"},
        "torchrun", r"WORLD_SIZE=4 \(not 2\)", "--nproc-per-node=2",
    ),
    "a rank left over": ({"LOCAL_RANK": "0"}, "a launcher", "MASTER_PORT not set", "-u LOCAL_RANK"),
    "a rank too many": (
        {"LOCAL_RANK": "2", "MASTER_PORT": "9"},
        "a launcher", r"LOCAL_RANK=2 \(not 0 to 1\)", "-u LOCAL_RANK",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("found", "who", "what", "instead"), APART.values(), ids=APART.keys())
def test_other_tasks_than_processes_are_one_message(
    found: dict[str, str], who: str, what: str, instead: str, variables: Callable
) -> None:
    variables(found)
    with pytest.raises(UserError, match=what) as raised:
        check_tasks(2, 1)
    message = str(raised.value)
    assert f"trainer.devices=2 is 2 processes, and {who} tells this one of others" in message
    assert instead in message
    assert "trainer.devices=1" in message


def test_what_the_message_has_one_type_is_what_works(
    variables: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables(BATCH | TORCHRUN | {"WORLD_SIZE": "4"} | LSF)
    with pytest.raises(UserError, match="env (.*?) python train.py") as raised:
        check_tasks(2, 1)
    for name in str(raised.value).partition("env -u ")[2].partition(" python")[0].split(" -u "):
        monkeypatch.delenv(name)
    check_tasks(2, 1)
    assert not started_by_others()


def test_nothing_is_written_for_tasks_that_do_not_fit(
    variables: Callable, command: Callable
) -> None:
    variables(BATCH)
    answer = command(*TINY, "trainer=ddp_cpu")
    assert answer.code == 2
    assert "SLURM tells this one of others" in answer.err
    assert "Traceback" not in answer.err
    assert not Path("outputs").exists()
