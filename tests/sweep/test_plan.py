"""Which runs are missing: by identity, whatever they are called and however they were typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from composers import composer_of
from sweep_folders import write_run

from experiments.config.composer import Composer
from experiments.record.claim import claim
from experiments.sweep.grid import grid_of
from experiments.sweep.jobs.board import summary
from experiments.sweep.plan import SweepPlan, data_key, make_plan

Make = Callable[..., SweepPlan]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    with composer_of("model=mlp", "data=moons") as composer:

        def plan(*typed: str, checksum: str = "c", retry_failed: bool = False) -> SweepPlan:
            return plan_of(composer, typed, tmp_path, checksum, retry_failed)

        yield plan


class Told:
    """Answers what a carrier is asked, and keeps what it was asked of."""

    def __init__(self, checksum: str = "c") -> None:
        self.answer = checksum
        self.checked: list[dict] = []
        self.data: list[dict] = []

    def check(self, config: dict, overrides: Sequence[str]) -> None:
        self.checked.append(config)

    def check_values(self, config: dict) -> None:
        pass

    def checksum(self, config: dict) -> str:
        self.data.append(config)
        return self.answer


def plan_of(
    composer: Composer, typed: Sequence[str], place: Path, checksum: str, retry_failed: bool
) -> SweepPlan:
    cells = grid_of(["model=mlp", "data=moons", *typed], {}).cells(composer.value_of)
    return make_plan(cells, composer, Told(checksum), place, retry_failed)


def identities(plan: SweepPlan) -> set[str]:
    return {job.identity for job in plan.jobs}


def test_order_and_spelling_do_not_matter(make: Make) -> None:
    one = make("optim=sgd,adam", "optim.lr=0.1,1e-3", "seed=0,1")
    other = make("seed=1,0", "optim.lr=0.001,1e-1", "optim=adam,sgd")
    assert identities(one) == identities(other)
    assert len(one.jobs) == 8
    assert len({job.setting for job in one.jobs}) == 4


def test_values_that_mean_one_run_are_one_job(make: Make) -> None:
    assert len(make("optim.lr=0.1,1e-1,0.10").jobs) == 1
    # gd is sgd's step on the full batch, and says so in its file; the batch size is settled first.
    assert make("optim=gd").jobs[0].config["data"]["batch_size"] == "full"


def test_what_cannot_change_a_result_is_no_part_of_it(make: Make) -> None:
    usual = identities(make("seed=0"))
    assert (
        identities(make("seed=0", "logger=none", "sweep.delta=0.1", "trainer.threads=2")) == usual
    )
    assert identities(make("seed=0", "trainer.max_epochs=3")) != usual
    assert identities(make("seed=0", checksum="other data")) != usual


def test_each_job_is_in_one_state(make: Make, tmp_path: Path) -> None:
    plan = make("seed=range(0,7)")
    statuses = ["completed", "diverged", "pruned", "failed", "interrupted", "running"]
    for job, status in zip(plan.jobs, statuses, strict=False):
        write_run(tmp_path / f"x-{job.identity[:8]}", identity=job.identity, status=status)
    plan = plan.anew()
    states = [plan.state(job) for job in plan.jobs]
    # Nobody holds the claim of the one that says running: it was killed.
    assert states == [*statuses[:5], "interrupted", "missing"]
    assert [job.number for job in plan.to_do] == [4, 5, 6]
    assert [job.number for job in make("seed=range(0,7)", retry_failed=True).to_do] == [3, 4, 5, 6]
    with claim(tmp_path, plan.jobs[5].identity), claim(tmp_path, plan.jobs[6].identity):
        assert [plan.state(job) for job in plan.jobs[5:]] == ["running", "running"]
        assert [job.number for job in plan.to_do] == [4]


def test_more_seeds_or_values_add_only_their_own_jobs(make: Make, tmp_path: Path) -> None:
    for job in make("optim=sgd,adam", "seed=0,1").jobs:
        write_run(tmp_path / f"x-{job.identity[:8]}", identity=job.identity)
    larger = make("optim=sgd,rmsprop,adam", "seed=0,1,2")
    assert {job.name for job in larger.to_do} == {
        "optim=rmsprop,seed=0", "optim=rmsprop,seed=1", "optim=sgd,seed=2",
        "optim=rmsprop,seed=2", "optim=adam,seed=2",
    }  # fmt: skip


def test_the_expected_time_is_that_of_runs_like_them(make: Make, tmp_path: Path) -> None:
    plan = make("optim=sgd,adam", "seed=range(0,3)")
    assert plan.expected_seconds(2) is None
    assert "known once one is done" in summary(plan, 2)
    for job in plan.jobs[:2]:
        seconds = 10.0 if "optim=sgd" in job.cell.swept else 30.0
        folder = tmp_path / f"x-{job.identity[:8]}"
        write_run(folder, identity=job.identity, setting=job.setting, duration_seconds=seconds)
    plan = plan.anew()
    assert plan.expected_seconds(2) == (2 * 10 + 2 * 30) / 2
    # A single job takes as long as it takes, however many could work beside it.
    assert plan.expected_seconds(100) == 30
    assert summary(plan, 2) == "6 jobs: 2 completed, 4 missing; 4 to do, 2 at once: about 40 s."


def test_the_data_are_asked_for_once_per_set(make: Make) -> None:
    told = Told()
    with composer_of("model=mlp") as composer:
        typed = ["model=mlp", "data=moons,xor", "data.batch_size=16,32", "seed=0,1"]
        cells = grid_of(typed, {}).cells(composer.value_of)
        make_plan(cells, composer, told, Path("nowhere"))
    assert sorted(config["data"]["name"] for config in told.data) == ["moons", "xor"]


def test_keys_are_looked_at_once_per_combination_of_classes_and_keys() -> None:
    told = Told()
    with composer_of("model=mlp") as composer:
        typed = ["model=mlp", "optim=sgd,adam", "activation=relu,elu", "optim.lr=0.1,0.2"]
        cells = grid_of([*typed, "seed=0,1", "data=moons"], {}).cells(composer.value_of)
        make_plan(cells, composer, told, Path("nowhere"))
    assert [(c["optim"]["name"], c["activation"]["name"]) for c in told.checked] == [
        ("sgd", "relu"), ("sgd", "elu"), ("adam", "relu"), ("adam", "elu"),
    ]  # fmt: skip


def test_batches_are_no_part_of_the_data() -> None:
    one = {"data": {"name": "moons", "noise": 0.1, "batch_size": 3, "split_seed": 1}}
    other = {"data": {"name": "moons", "noise": 0.1, "batch_size": 4, "split_seed": 2}}
    third = {"data": {"name": "moons", "noise": 0.2, "batch_size": 3, "split_seed": 1}}
    assert data_key(one) == data_key(other) != data_key(third)
