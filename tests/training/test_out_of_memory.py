"""Memory that runs out: what is told, by where it ran out, and a batch that is found to fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from running import QUIET, plain, run_folders
from torch import Tensor, nn

from experiments import load_run
from experiments.config.launch import Launch
from experiments.errors.memory import is_out_of_memory
from experiments.errors.messages import RunFailed, UserError
from experiments.record.folder import read_config
from experiments.training.fitting_batch import settle_batch_size
from experiments.training.population.train_members import train_members
from experiments.training.repeat import differences
from experiments.training.resume import newest_first, read_run
from experiments.training.run_parts import build_run

Command = Callable[..., Any]
TINY = [*QUIET, "data=moons", "data.num_samples=200", "model=mlp", "model.hidden=[8]"]
CUDA = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of\n15.77 GiB"
CPU = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 64 bytes."
ERRORS = [
    torch.OutOfMemoryError(CUDA),
    RuntimeError("MPS backend out of memory (MPS allocated: 17.90 GB)"),
    RuntimeError(CPU),
    MemoryError(),
]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Memory for so many points in a linear layer, in steps and in evaluation."""
    held: dict[str, Any] = {"training": 10**9, "evaluation": 10**9, "error": MemoryError()}
    forward = nn.Linear.forward

    def linear(layer: nn.Linear, inputs: Tensor) -> Tensor:
        is_step = layer.training and torch.is_grad_enabled()
        if len(inputs) > held["training" if is_step else "evaluation"]:
            raise held["error"]
        return forward(layer, inputs)

    monkeypatch.setattr(nn.Linear, "forward", linear)
    return held


@pytest.mark.parametrize("error", ERRORS, ids=["cuda", "mps", "cpu", "python"])
def test_every_device_says_it_in_words_of_its_own(error: Exception) -> None:
    assert is_out_of_memory(error)


def test_other_errors_are_none() -> None:
    for error in (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), KeyError("memory")):
        assert not is_out_of_memory(error)


def test_a_step_that_is_too_large_is_told_with_its_batch_and_a_smaller_one(
    command: Command, room: dict[str, Any]
) -> None:
    room |= {"training": 20, "error": ERRORS[0]}
    said = command(*TINY, "data.batch_size=36", "trainer.max_epochs=1")
    assert said.code == 1
    [line] = said.err.splitlines()
    assert "out of memory on cpu: " in line
    assert "in a step on a batch of 36 (2.00 GiB more were asked for). Try " in line
    advised = ["data.batch_size=18", "trainer.accumulate_grad_batches=2"]
    assert " ".join(advised) in line
    assert "data.batch_size=auto" in line
    [failed] = run_folders()
    record = json.loads((failed / "record.json").read_text())
    assert record["status"] == "failed"
    assert record["error"] in line
    assert command(*TINY, *advised, "trainer.max_epochs=1").code == 0
    assert load_run(run_folders()[-1]).record["steps"] == 4  # 144 points in steps of 36


@pytest.mark.parametrize(
    ("typed", "advised"),
    [
        (["loss.weight=[1,2]"], "Try data.batch_size=32, or data.batch_size=auto"),
        (["trainer.precision=bf16-mixed"], "finds one that fits), or a smaller model."),
        (["trainer.precision=64-true"], "trainer.precision=32-true"),
        (
            ["optim=gd"],
            "optim.full_batch=false data.batch_size=72 trainer.accumulate_grad_batches=2",
        ),
        (["optim=lbfgs"], "Try optim.full_batch=false data.batch_size=72, or trainer.precision"),
        (["data.batch_size=1"], "on a batch of 1. Try trainer.precision=bf16-mixed"),
        (["data.batch_size=31"], "Try data.batch_size=15, or data.batch_size=auto"),
    ],
)
def test_what_is_advised_can_be_had(
    room: dict[str, Any], train_run: Callable, typed: list[str], advised: str
) -> None:
    room["training"] = 0
    with pytest.raises(RunFailed) as caught:
        train_run(*TINY, "trainer.max_epochs=1", *typed)
    assert advised in str(caught.value)


def test_where_it_ran_out(room: dict[str, Any], train_run: Callable) -> None:
    room["evaluation"] = 10
    with pytest.raises(RunFailed, match="in validation, 16 points at once"):
        train_run(*TINY, "trainer.max_epochs=1")


def test_data_that_are_too_large_for_the_device(
    monkeypatch: pytest.MonkeyPatch, train_run: Callable
) -> None:
    def to(*_: Any) -> None:
        raise ERRORS[1]

    monkeypatch.setattr("experiments.data.sources.Subset.to", to)
    with pytest.raises(RunFailed, match=r"when the data were put there .* data.memory_limit="):
        train_run(*TINY, "trainer.max_epochs=1")


def test_a_network_that_cannot_be_built(
    monkeypatch: pytest.MonkeyPatch, train_run: Callable
) -> None:
    def broken(*_: Any) -> None:
        raise ERRORS[2]

    monkeypatch.setattr("experiments.training.build.build_network", broken)
    with pytest.raises(RunFailed, match="before anything was trained .64 bytes more"):
        train_run(*TINY)
    assert not run_folders()


def test_members_that_are_too_many_together_are_trained_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any) -> None:
        raise ERRORS[0]

    monkeypatch.setattr("experiments.training.population.stacked.Stack.backward", broken)
    members = [[*TINY, "trainer.max_epochs=1", f"seed={seed}"] for seed in range(2)]
    launches = [Launch(words, sweep_dir=Path("sweep"), is_quiet=True) for words in members]
    outcomes: Any = train_members([plain(*words) for words in members], launches)
    assert [run.record["status"] for run in outcomes] == ["completed"] * 2


@pytest.mark.parametrize(("points", "batch"), [(4, 2), (5, 4), (79, 32), (999, 64)])
def test_the_largest_power_of_two_with_a_quarter_to_spare(
    room: dict[str, Any], points: int, batch: int
) -> None:
    room |= {"training": points, "error": ERRORS[0]}
    config = plain(*TINY, "data.batch_size=auto")
    before = torch.get_rng_state()
    settle_batch_size(config, Launch([]))
    assert config["data"]["batch_size"] == batch
    assert torch.equal(torch.get_rng_state(), before)


def test_no_more_than_the_training_points() -> None:
    # Of a schedule that asks for what callbacks of a run measure.
    plateau = ["scheduler=plateau", "data.val_fraction=0"]
    config = plain(*TINY, "data.batch_size=auto", "data.num_train=50", *plateau)
    settle_batch_size(config, Launch([]))
    assert config["data"]["batch_size"] == 32


def test_on_a_gpu_it_goes_beyond_the_usual_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.training.fitting_batch.MOST_ON_CPU", 8192)
    config = plain(*TINY, "data.batch_size=auto", "data.num_samples=2000")
    settle_batch_size(config, Launch([]))
    assert config["data"]["batch_size"] == 1024  # of 1440 training points


def test_a_run_of_auto_is_that_of_the_number(room: dict[str, Any], command: Command) -> None:
    typed = ["trainer.accumulate_grad_batches=3", "trainer.ema_decay=0.9", "model.dropout=0.2"]
    typed += ["data.augment.mixup=0.4", "scheduler=warmup_cosine", "trainer.val_check_interval=3"]
    room["training"] = 12
    words = [*TINY, *typed, "trainer.max_epochs=2", "seed=3"]
    said = command(*words, "data.batch_size=auto")
    assert said.code == 0, said.err
    assert "data.batch_size=auto: 8, which fits; 16 would not with a quarter" in said.out
    [found] = run_folders()
    assert command(*words, "data.batch_size=8").code == 0
    [_, named] = run_folders()
    assert read_config(found)["data"]["batch_size"] == 8
    assert not differences(read_run(found), read_run(named))  # type: ignore[arg-type]
    assert load_run(found).record["identity"] == load_run(named).record["identity"]


def test_a_module_of_ones_own_is_tried_by_its_own_steps(command: Command) -> None:
    Path("large.py").write_text(
        "import lightning as L, torch\n"
        "class Large(L.LightningModule):\n"
        "    def __init__(self, shape, num_outputs):\n"
        "        super().__init__()\n"
        "        self.layer = torch.nn.Linear(shape[0], num_outputs)\n"
        "    def forward(self, x):\n"
        "        return self.layer(x)\n"
        "    def training_step(self, batch, index):\n"
        "        x, y = batch\n"
        "        if len(x) > 11:\n"
        "            raise torch.OutOfMemoryError('CUDA out of memory.')\n"
        "        return torch.nn.functional.cross_entropy(self(x), y)\n"
        "    def configure_optimizers(self):\n"
        "        return torch.optim.SGD(self.parameters(), 0.1)\n"
    )
    Path("conf/model").mkdir(parents=True)
    Path("conf/model/large.yaml").write_text("name: large\n_target_: large.Large\n")
    words = ["--config-dir=conf", *QUIET, "data=moons", "model=large", "trainer.max_epochs=1"]
    said = command(*words, "data.batch_size=auto")
    assert said.code == 0, said.err
    assert read_config(run_folders()[-1])["data"]["batch_size"] == 8


def test_where_no_batch_fits_nothing_is_written(room: dict[str, Any], command: Command) -> None:
    room["training"] = 1
    said = command(*TINY, "data.batch_size=auto")
    assert said.code == 1
    assert "data.batch_size=auto: no batch fits" in said.err
    assert not run_folders()


def test_what_goes_on_keeps_the_batch_that_it_has_found(
    room: dict[str, Any], command: Command
) -> None:
    room["training"] = 5
    words = [*TINY, "trainer.max_epochs=2", "data.batch_size=auto"]
    assert command(*words, "resume=auto").code == 0
    [folder] = run_folders()
    record = json.loads((folder / "record.json").read_text())
    (folder / "record.json").write_text(json.dumps({**record, "status": "interrupted"}))
    room["training"] = 10**9
    said = command(f"resume={folder}", "data.batch_size=auto", "trainer.max_epochs=3", *QUIET)
    assert said.code == 0, said.err
    assert read_config(run_folders()[-1])["data"]["batch_size"] == 4
    said = command(*words, "resume=auto")
    assert "data.batch_size=auto: 4, which the run that goes on has found" in said.out


def test_several_processes_and_sweeps_name_a_number(command: Command) -> None:
    said = command(*TINY, "data.batch_size=auto", "trainer=ddp_cpu", "trainer.devices=2")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert "this run has 2 processes" in said.err
    swept = ["-m", *TINY, "hydra/launcher=basic"]
    for words in (["data.batch_size=auto", "seed=0,1"], ["data.batch_size=16,auto"]):
        said = command(*swept, *words)
        assert said.code in (1, 2)
        assert "the runs of a sweep are to have one batch" in said.err
        assert not run_folders()
    with pytest.raises(UserError, match="auto for a single run"):
        build_run(plain(*TINY, "data.batch_size=auto"))


def test_runs_are_in_the_order_in_which_they_began_whatever_their_folders_say() -> None:
    began = {"2026-10-25/02-59-00-a": "2026-10-25T00:59:00.000+00:00",
             "2026-10-25/02-01-00-b": "2026-10-25T01:01:00.000+00:00"}  # fmt: skip
    paths = [Path(name, "record.json") for name in began]
    records = {path.parent: began[str(path.parent)] for path in paths}
    with pytest.MonkeyPatch.context() as patch:
        read = "experiments.training.resume.read_record"
        patch.setattr(read, lambda folder: {"started_at": records[folder]})
        assert [path.parent.name for path in newest_first(paths)] == ["02-01-00-b", "02-59-00-a"]
