"""Devices that this machine may not have: what a run's Trainer is built with, where they are.

That they are there is said in the place of torch; nothing is trained.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from lightning.fabric.accelerators.mps import MPSAccelerator
from lightning.fabric.plugins.environments import (
    LightningEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.strategies import DDPStrategy, SingleDeviceStrategy
from running import plain

from experiments.errors.messages import UserError
from experiments.training import devices
from experiments.training.run_parts import RunParts, build_run

TINY = ["data=moons", "data.num_samples=60", "model=mlp", "model.hidden=[8]", "logger=none"]
OF_LAUNCHERS = ("SLURM_", "TORCHELASTIC_", "MASTER_", "LSB_", "JSM_")
OF_RANKS = ("RANK", "LOCAL_RANK", "GROUP_RANK", "NODE_RANK", "WORLD_SIZE")


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No launcher's variables, whatever the tests run in."""
    for name in os.environ:
        if name.startswith(OF_LAUNCHERS) or name in OF_RANKS:
            monkeypatch.delenv(name)
    before = getattr(rank_zero_only, "rank", 0)
    yield
    rank_zero_only.rank = before


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    # Lightning's count, and ours; torch itself would look for a driver when an optimizer is made.
    for room in ("fabric", "pytorch"):
        monkeypatch.setattr(f"lightning.{room}.accelerators.cuda.num_cuda_devices", lambda: 2)
    monkeypatch.setattr(devices, "available", lambda: {"cuda": 2, "mps": 0, "cpu": 2})


@pytest.fixture
def apple(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MPSAccelerator, "is_available", lambda: True)
    monkeypatch.setattr(devices, "available", lambda: {"cuda": 0, "mps": 1, "cpu": 2})


def built(*overrides: str) -> RunParts:
    return build_run(plain(*TINY, *overrides))


def devices_of(parts: RunParts) -> list[str]:
    strategy = parts.trainer.strategy
    if isinstance(strategy, DDPStrategy):
        return [str(device) for device in strategy.parallel_devices or []]
    return [str(strategy.root_device)]


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("overrides", "wanted", "strategy"),
    [
        (["trainer=gpu"], ["cuda:0"], SingleDeviceStrategy),
        (["trainer=auto"], ["cuda:0"], SingleDeviceStrategy),
        (["trainer=gpu", "trainer.devices=[1]"], ["cuda:1"], SingleDeviceStrategy),
        (["trainer=gpu", "trainer.precision=bf16-mixed"], ["cuda:0"], SingleDeviceStrategy),
        (["trainer=ddp"], ["cuda:0", "cuda:1"], DDPStrategy),
        (["trainer=ddp", "trainer.devices=1"], ["cuda:0"], DDPStrategy),
        (["trainer=ddp", "model.norm=batch"], ["cuda:0", "cuda:1"], DDPStrategy),
        (
            ["trainer=ddp", "trainer.strategy=ddp_find_unused_parameters_true"],
            ["cuda:0", "cuda:1"],
            DDPStrategy,
        ),
        (["trainer=ddp_cpu"], ["cpu", "cpu"], DDPStrategy),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_the_devices_and_the_strategy_of_a_choice(
    overrides: list[str], wanted: list[str], strategy: type
) -> None:
    parts = built(*overrides)
    assert devices_of(parts) == wanted
    assert type(parts.trainer.strategy) is strategy
    assert parts.trainer.world_size == parts.num_ranks == len(wanted)
    assert parts.rank == 0
    is_shared = parts.module.execution.agreement is not None
    assert is_shared == (len(wanted) > 1)
    assert not parts.module.execution.by_batch  # many steps in a call, of several processes too


@pytest.mark.usefixtures("apple")
def test_the_gpu_of_an_apple_computer() -> None:
    for overrides in (["trainer=mps"], ["trainer=auto"]):
        parts = built(*overrides)
        assert devices_of(parts) == ["mps:0"]
        assert type(parts.trainer.strategy) is SingleDeviceStrategy
        assert parts.num_ranks == 1
    with pytest.raises(UserError, match=r"trainer.devices=2: this machine has 1 Apple GPU"):
        built("trainer=mps", "trainer.devices=2")


ON_TWO_NODES = {
    "torchrun": (
        {"TORCHELASTIC_RUN_ID": "7", "RANK": "3", "LOCAL_RANK": "1", "GROUP_RANK": "1"}
        | {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "192.0.2.1"}
        | {"MASTER_PORT": "9"},
        TorchElasticEnvironment,
    ),
    "srun": (
        {"SLURM_JOB_ID": "71", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "4"}
        | {"SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "2", "SLURM_PROCID": "3"}
        | {"SLURM_LOCALID": "1", "SLURM_NODEID": "1", "SLURM_STEP_ID": "0"},
        SLURMEnvironment,
    ),
}


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("launcher", ON_TWO_NODES)
def test_two_nodes_of_two_gpus(launcher: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variables, environment = ON_TWO_NODES[launcher]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    rank_zero_only.rank = 3  # as Lightning reads it when it is imported
    parts = built("trainer=ddp", "trainer.num_nodes=2")
    strategy = parts.trainer.strategy
    assert isinstance(strategy, DDPStrategy)
    assert type(strategy.cluster_environment) is environment
    assert (parts.rank, parts.num_ranks) == (3, 4)
    found = parts.trainer.global_rank, parts.trainer.world_size, strategy.node_rank
    assert (*found, str(strategy.root_device)) == (3, 4, 1, "cuda:1")
    with pytest.raises(UserError, match="WORLD_SIZE=4|SLURM_NTASKS=4"):
        built("trainer=ddp")


def test_the_command_starts_the_processes_of_one_machine_and_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parts = built("trainer=ddp_cpu")
    strategy = parts.trainer.strategy
    assert isinstance(strategy, DDPStrategy)
    assert type(strategy.cluster_environment) is LightningEnvironment
    with pytest.raises(UserError, match="trainer.num_nodes=2: processes on several machines"):
        built("trainer=ddp_cpu", "trainer.num_nodes=2")


@pytest.mark.usefixtures("two_gpus")
def test_each_process_by_its_own_batch_norm_is_refused() -> None:
    apart = ["trainer=ddp", "trainer.sync_batchnorm=false"]
    with pytest.raises(UserError, match="model.norm=batch with 2 processes: .*sync_batchnorm=true"):
        built(*apart, "model.norm=batch")
    assert built(*apart, "trainer.devices=1", "model.norm=batch").num_ranks == 1
    assert built(*apart, "model.norm=group", "model.norm_groups=4").num_ranks == 2


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("strategy", ["fsdp", "deepspeed_stage_2", "model_parallel"])
def test_processes_that_hold_parts_of_the_weights_are_refused(
    strategy: str, command: Callable
) -> None:
    said = command("trainer=ddp", f"trainer.strategy={strategy}", *TINY)
    assert said.code == 2
    assert f"trainer.strategy={strategy}: each process would hold a part" in said.err
    assert "Try trainer=ddp." in said.err
