"""Threads follow from the work; nothing that a run sets stays set."""

from __future__ import annotations

import os
import types
from collections.abc import Callable

import pytest
import torch
from running import QUIET, plain
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from experiments.catalogue.models.cnn import CNN
from experiments.catalogue.models.mlp import MLP
from experiments.record import host
from experiments.training import check, devices
from experiments.training.devices import (
    SMALL_STEP,
    Work,
    choose_threads,
    computing_with,
    cores_to_use,
    keep_freed_memory,
    without_asking_for_gpus,
    work_of,
)
from experiments.training.run_parts import build_run


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (MLP((1, 8, 8), 10, nn.ReLU, hidden=[7, 5], norm="batch"), (1, 8, 8)),
        (CNN((3, 8, 8), 10, nn.ReLU, channels=[4, 6], dense=[9]), (3, 8, 8)),
        (CNN((1, 40), 10, nn.ReLU, channels=[4], stride=2), (1, 40)),
    ],
)
def test_multiplications_are_half_of_torchs_operations(
    network: nn.Module, shape: tuple[int, ...]
) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, *shape))
    network.train()
    assert 2 * work_of(network, shape).multiplications == counter.get_total_flops()
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_evaluation_batches_are_as_large_as_a_cache_friendly_tensor() -> None:
    cnn = CNN((1, 28, 28), 10, nn.ReLU, channels=[16, 32])
    assert work_of(cnn, (1, 28, 28)).largest == 16 * 28 * 28
    assert Work(1, 2**22).evaluation_batch_size == 1
    assert Work(1, 2**30).evaluation_batch_size == 1
    for largest in (1, 100, 784, 12544, 25088, 10**6):
        size = Work(1, largest).evaluation_batch_size
        assert size * largest <= 2**22
        assert size == 1024 or 2 * size * largest > 2**22


def test_small_steps_get_one_thread_and_large_ones_all() -> None:
    assert choose_threads("auto", SMALL_STEP - 1, 8, 1) == 1
    assert choose_threads("auto", SMALL_STEP, 8, 1) == 8
    assert choose_threads("auto", SMALL_STEP, 8, 3) == 2
    assert choose_threads("auto", SMALL_STEP, 1, 2) == 1
    assert choose_threads(5, 1, 2, 1) == 5


def test_the_environment_and_others_limit_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "cores_of_machine", lambda: 8)
    monkeypatch.setattr(host, "num_free_cores", lambda: 5)
    for openmp, cores in (("", 5), ("3", 3), ("16", 5), ("1", 1)):
        monkeypatch.setenv("OMP_NUM_THREADS", openmp)
        assert cores_to_use() == cores
    # The jobs of a sweep share the machine by plan, and are not each other's neighbours.
    monkeypatch.setenv(host.SHARE, "6")
    for openmp, cores in (("", 6), ("3", 3)):
        monkeypatch.setenv("OMP_NUM_THREADS", openmp)
        assert cores_to_use() == cores


def test_more_threads_than_cores_are_refused(command: Callable) -> None:
    # They would wait for each other: a thousand never end an epoch.
    answer = command(*QUIET, "trainer.threads=1000")
    assert answer.code == 2
    assert "trainer.threads=1000: allowed is auto or a whole number of at most" in answer.err


def test_what_is_chosen_is_recorded_and_does_not_stay(
    train_run: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = torch.get_num_threads()
    run = train_run("model=linear", "trainer.max_epochs=1", "trainer.matmul_precision=medium")
    assert run.record["environment"]["threads"] == 1
    assert torch.get_num_threads() == before
    assert torch.get_float32_matmul_precision() == "highest"
    monkeypatch.setattr(check, "cores_of_machine", lambda: 2)
    chosen = train_run("model=linear", "trainer.max_epochs=1", "trainer.threads=2")
    assert chosen.record["environment"]["threads"] == 2
    monkeypatch.setattr(devices, "cores_to_use", lambda: 2)
    assert build_run(plain("model=mlp", "model.hidden=[4096,4096]")).num_threads == 2


def test_settings_end_with_the_block_even_by_an_error() -> None:
    before = torch.get_num_threads()

    def fail() -> None:
        with computing_with(before + 1, "high"):
            assert torch.get_num_threads() == before + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.get_num_threads() == before
    assert torch.get_float32_matmul_precision() == "highest"


def test_gpus_are_not_looked_for_at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "PYTORCH_NVML_BASED_CUDA_CHECK"
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with without_asking_for_gpus():
        assert name not in os.environ
    assert os.environ[name] == "1"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with without_asking_for_gpus():
        assert os.environ[name] == "1"


def test_memory_is_kept_by_glibc_and_left_alone_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    library = types.SimpleNamespace(mallopt=lambda key, value: asked.append((key, value)))
    monkeypatch.setattr("ctypes.CDLL", lambda name: library)
    monkeypatch.setattr("sys.platform", "linux")
    keep_freed_memory()
    # The numbers of glibc's malloc.h: M_TRIM_THRESHOLD is -1, M_MMAP_THRESHOLD is -3.
    assert asked == [(-1, 2**29), (-3, 2**25)]
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")  # the user has chosen
    keep_freed_memory()
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_")
    monkeypatch.setattr("ctypes.CDLL", lambda name: types.SimpleNamespace())
    keep_freed_memory()
    monkeypatch.setattr("sys.platform", "darwin")
    keep_freed_memory()
    assert len(asked) == 2
