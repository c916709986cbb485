"""A sweep that goes on, look by look, with what is not settled; its runs are scored by a formula."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from comparison.sweeps import ENVIRONMENT
from composers import composer_of
from sweep_folders import record_of

from experiments.config.composer import Composer
from experiments.config.schema import SPENDING
from experiments.errors.messages import UserError
from experiments.record.folder import write_config
from experiments.record.record import now, write_record
from experiments.sweep.declaration import Declaration, read_declarations
from experiments.sweep.grid import grid_of
from experiments.sweep.jobs.board import Board
from experiments.sweep.jobs.job import Result
from experiments.sweep.jobs.source import JobSource
from experiments.sweep.plan import Job
from experiments.sweep.start import complete_as_given
from experiments.sweep.sweep import Sweep
from experiments.sweep.tuning import tune
from experiments.sweep.until_settled import in_force

FIXED = ["model=mlp", "data=moons", "logger=none"]
SETTINGS = "activation=relu,tanh,sigmoid,elu"
LOOKS = [6, 8, 10]
NODE: dict[str, Any] = {
    "factor": None,
    "control": "relu",
    "metric": "auto",
    "delta": 0.02,
    "comparisons": "control",
    "until": "settled",
    "looks": LOOKS,
    "max_seeds": None,
    "spending": "pocock",
}
MEANS = {"relu": 0.7, "tanh": 0.7, "sigmoid": 0.6, "elu": 0.7}
SPREADS = {"relu": 0.0, "tanh": 0.004, "sigmoid": 0.01, "elu": 0.25}
"""Against relu: equivalent at the first look, worse at the second, and never settled."""


class ByFormula:
    """Carries out jobs by a formula: differences from relu alternate around their mean.

    Args:
        most: after so many jobs it is interrupted.
        failing: runs that fail, by activation and seed.
    """

    at_once = 2

    def __init__(self, most: int = 10**6, failing: Sequence[tuple[str, int]] = ()) -> None:
        self.most = most
        self.failing = set(failing)
        self.jobs: list[Job] = []
        self.examiner = self

    def check(self, config: dict[str, Any], overrides: Sequence[str]) -> None:
        """All keys are right."""

    def check_values(self, config: dict[str, Any]) -> None:
        """All values are right."""

    def checksum(self, config: dict[str, Any]) -> str:
        return "c"

    def measures(self, config: dict[str, Any]) -> list[str]:
        return ["loss", "accuracy"]

    def run_jobs(self, source: JobSource, board: Board) -> None:
        while (job := source.take()) is not None:
            if len(self.jobs) == self.most:
                raise KeyboardInterrupt
            self.jobs.append(job)
            result = self.carry_out(job)
            source.ended(job, result)

    def score(self, config: dict[str, Any]) -> float:
        """Return the accuracy of a run."""
        name, seed = config["activation"]["name"], config["seed"]
        return MEANS[name] + SPREADS[name] * (-1) ** seed * (1 + seed / 100)

    def carry_out(self, job: Job) -> Result:
        run = job.config["activation"]["name"], job.config["seed"]
        status = "failed" if run in self.failing else "completed"
        score = self.score(job.config)
        values = {
            "identity": job.identity,
            "setting": job.setting,
            "seed": job.config["seed"],
            "status": status,
            "error": "no memory" if status == "failed" else None,
            "metrics": {"val/accuracy": score, "test/accuracy": score},
            "data_checksum": "c",
            "environment": ENVIRONMENT,
            "num_classes": 2,
            "num_test": 400,
            "started_at": now(),
        }
        folder = job.sweep_dir / job.folder_name
        folder.mkdir(parents=True, exist_ok=True)
        write_config(folder, job.config)
        write_record(folder, record_of(**values))
        return Result(status, str(folder), values["error"])

    @property
    def seeds(self) -> dict[str, list[int]]:
        """The seeds that were trained here, by activation."""
        found: dict[str, list[int]] = {}
        for job in self.jobs:
            found.setdefault(job.config["activation"]["name"], []).append(job.config["seed"])
        return found


@pytest.fixture(scope="module")
def composer() -> Iterator[Composer]:
    with composer_of(*FIXED) as one:
        yield one


def swept(
    composer: Composer,
    carrier: ByFormula,
    place: Path,
    *typed: str,
    retry_failed: bool = False,
    dry_run: bool = False,
    protocol: str = "fixed",
    **node: Any,
) -> list[tuple[str, Result]]:
    """Carry out a sweep as its command does, and return what came to nothing."""
    node = {**NODE, **node}
    seeds = [*range(node["looks"][-1] if node["looks"] else 3)]
    grid = grid_of([*FIXED, *(typed or [SETTINGS])], {}, seeds=seeds)
    said = Declaration.of(node, protocol, grid, lambda key: None)
    said = in_force(said, place)
    grid = grid.with_seeds(said.seeds)
    sweep = Sweep(composer, carrier, said, place, retry_failed, dry_run, "typed")
    return complete_as_given(sweep, grid, node)


def numbers(carrier: ByFormula) -> dict[str, int]:
    """Return how many seeds of each activation were trained, which must be the first ones."""
    seeds = {name: sorted(own) for name, own in carrier.seeds.items()}
    assert all(own == [*range(len(own))] for own in seeds.values())
    return {name: len(own) for name, own in seeds.items()}


SPARED = {"relu": 10, "tanh": 6, "sigmoid": 8, "elu": 10}


def test_only_what_is_not_settled_goes_on(
    composer: Composer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    carrier = ByFormula()
    assert swept(composer, carrier, tmp_path) == []
    assert numbers(carrier) == SPARED
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if line.startswith("Look ")] == [
        "Look 1 of 3, at 6 seeds:",
        "Look 2 of 3, at 8 seeds:",
        "Look 3 of 3, at 10 seeds:",
    ]
    assert said.count("tanh and relu are equivalent within 2 points, settled at 6 seeds") == 1
    assert said.count("settled at 8 seeds") == 1
    assert "34 of at most 40 runs: 6 were not needed, about 6 s." in said
    [declared] = read_declarations(tmp_path)
    assert (declared["looks"], declared["seeds"]) == (LOOKS, [*range(10)])
    # The same command again has nothing to do, and says the same.
    again = ByFormula()
    assert swept(composer, again, tmp_path) == []
    assert again.jobs == []
    repeated = capsys.readouterr().out
    assert "Look 1" not in repeated
    assert repeated.count("settled at") == 2
    assert "34 of at most 40 runs" in repeated


def test_a_sweep_ends_when_all_is_settled(
    composer: Composer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    carrier = ByFormula()
    swept(composer, carrier, tmp_path, "activation=relu,tanh")
    assert numbers(carrier) == {"relu": 6, "tanh": 6}
    assert "12 of at most 20 runs: 8 were not needed" in capsys.readouterr().out


@pytest.mark.parametrize("most", [11, 24, 33])
def test_interrupted_anywhere_it_repeats_nothing(
    composer: Composer, tmp_path: Path, most: int
) -> None:
    first, second = ByFormula(most), ByFormula()
    with pytest.raises(KeyboardInterrupt):
        swept(composer, first, tmp_path)
    swept(composer, second, tmp_path)
    done = [job.identity for job in first.jobs + second.jobs]
    assert len(done) == len(set(done)) == sum(SPARED.values())


def test_all_pairs_go_on_while_one_of_theirs_is_open(composer: Composer, tmp_path: Path) -> None:
    carrier = ByFormula()
    swept(composer, carrier, tmp_path, control=None)
    # elu is open against each of the others.
    assert numbers(carrier) == dict.fromkeys(MEANS, 10)


def test_each_data_set_is_a_question_of_its_own(composer: Composer, tmp_path: Path) -> None:
    class NoisyOnXor(ByFormula):
        def score(self, config: dict[str, Any]) -> float:
            is_noisy = config["data"]["name"] == "xor" and config["activation"]["name"] == "tanh"
            return super().score({**config, "activation": {"name": "elu"}} if is_noisy else config)

    carrier = NoisyOnXor()
    swept(composer, carrier, tmp_path, "activation=relu,tanh", "data=moons,xor")
    assert Counter(job.config["data"]["name"] for job in carrier.jobs) == {"moons": 12, "xor": 20}


def test_a_value_that_is_added_begins_at_the_first_look(composer: Composer, tmp_path: Path) -> None:
    carrier = ByFormula()
    swept(composer, carrier, tmp_path, "activation=relu,tanh")
    assert numbers(carrier) == {"relu": 6, "tanh": 6}
    swept(composer, carrier, tmp_path, "activation=relu,tanh,sigmoid")
    assert numbers(carrier) == {"relu": 8, "tanh": 6, "sigmoid": 8}
    # Those that a command leaves out are compared all the same, and not trained.
    swept(composer, carrier, tmp_path, "activation=relu,elu")
    assert numbers(carrier) == SPARED


def test_a_failed_run_keeps_its_comparison_open_and_hangs_nothing(
    composer: Composer, tmp_path: Path
) -> None:
    carrier = ByFormula(failing=[("tanh", 3)])
    [(name, result)] = swept(composer, carrier, tmp_path)
    assert ("tanh" in name, result.outcome) == (True, "failed")
    # The others went on to their ends; tanh, which is not judged, stays at the first look.
    assert numbers(carrier) == SPARED
    again = ByFormula()
    [(name, result)] = swept(composer, again, tmp_path)
    assert "before; sweep.retry_failed=true" in str(result.message)
    assert again.jobs == []
    assert swept(composer, again, tmp_path, retry_failed=True) == []
    assert again.seeds == {"tanh": [3]}


def test_without_the_control_nothing_goes_on(
    composer: Composer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    carrier = ByFormula(failing=[("relu", 5)])
    assert len(swept(composer, carrier, tmp_path)) == 1
    assert numbers(carrier) == dict.fromkeys(MEANS, 6)
    assert "23 of at most 40 runs; what has failed keeps" in capsys.readouterr().out
    every = ByFormula(failing=[("relu", seed) for seed in range(12)])
    assert len(swept(composer, every, tmp_path / "other")) == 6
    assert numbers(every) == dict.fromkeys(MEANS, 6)


def test_a_dry_run_tells_the_next_look_and_what_may_follow(
    composer: Composer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said() -> str:
        capsys.readouterr()
        swept(composer, ByFormula(most=0), tmp_path, dry_run=True)
        return capsys.readouterr().out

    fresh = said()
    assert fresh.count("missing      activation-") == 24
    assert "at least 24 and at most 40 runs in all" in fresh
    assert not list(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        swept(composer, ByFormula(most=26), tmp_path)
    amid = said()
    # tanh is settled: eight seeds of three others, of which six and two runs more are there.
    assert "24 jobs: 20 completed, 4 missing" in amid
    swept(composer, ByFormula(), tmp_path)
    assert "Nothing is missing." in said()


def test_the_looks_that_were_declared_before_the_first_run_count(
    composer: Composer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        swept(composer, ByFormula(most=30), tmp_path)
    carrier = ByFormula()
    # Neither fewer nor more: the four runs that the first ones lack.
    for looks in ([6, 8], [6, 8, 10, 20]):
        capsys.readouterr()
        swept(composer, carrier, tmp_path, looks=looks)
        assert len(carrier.jobs) == 4
        said = capsys.readouterr().out
        assert "Looks at [6,8,10] seeds (spending pocock) were declared" in said
        assert "34 of at most 40 runs" in said
    assert len(read_declarations(tmp_path)) == 1
    # A sweep of all its runs declares none later.
    whole = tmp_path / "whole"
    swept(composer, ByFormula(), whole, until=None, looks=None, spending=SPENDING)
    with pytest.raises(UserError, match=r"begun before looks were declared.*sweep.until=null"):
        swept(composer, ByFormula(), whole)


def test_folds_have_no_looks(composer: Composer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="with data.folds=5: looks are at numbers of seeds"):
        swept(composer, ByFormula(), tmp_path, SETTINGS, "data.folds=5", "data.fold=0,1")
    assert not list(tmp_path.iterdir())


def test_tuned_settings_stop_in_their_second_stage(composer: Composer, tmp_path: Path) -> None:
    carrier = ByFormula()
    node = {**NODE, "tuning": {"seeds": [100], "trials": None}}
    typed = [*FIXED, SETTINGS, "optim.search={lr:[0.01,0.1]}"]
    grid = grid_of(typed, {}, seeds=[*range(10)])

    def tuned(carrier: ByFormula, **changed: Any) -> list[tuple[str, Result]]:
        said = in_force(Declaration.of(node, "tuned", grid, lambda key: None), tmp_path)
        sweep = Sweep(composer, carrier, said, tmp_path, False, False, "typed")
        return tune(sweep, grid, node)

    assert tuned(carrier) == []
    trials, final = carrier.jobs[:8], ByFormula()
    assert {job.config["seed"] for job in trials} == {100}
    final.jobs = carrier.jobs[8:]
    assert numbers(final) == SPARED
    assert tuned(final) == []
    assert len(final.jobs) == sum(SPARED.values())
