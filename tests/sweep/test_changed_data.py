"""A sweep whose data have changed since its first runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from composers import composer_of
from sweep_folders import record_of

from experiments.config.composer import Composer
from experiments.errors.messages import UserError
from experiments.record.folder import write_config
from experiments.record.record import write_record
from experiments.sweep.declaration import FILE, read_declarations
from experiments.sweep.grid import grid_of
from experiments.sweep.plan import SweepPlan, make_plan


class Told:
    """Answers what a carrier is asked of the data as they are."""

    def __init__(self, checksum: str) -> None:
        self.answer = checksum

    def check(self, config: dict, overrides: Sequence[str]) -> None: ...

    def check_values(self, config: dict) -> None:
        pass

    def checksum(self, config: dict) -> str:
        return self.answer

    def num_points(self, config: dict) -> int:
        return 250

    def measures(self, config: dict) -> list[str]:
        return ["loss"]


@pytest.fixture(scope="module")
def composer() -> Iterator[Composer]:
    with composer_of("model=mlp", "data=moons") as composer:
        yield composer


@pytest.fixture
def plan_of(composer: Composer) -> Callable[..., SweepPlan]:
    def plan(place: Path, checksum: str, *typed: str) -> SweepPlan:
        cells = grid_of(["model=mlp", "data=moons", *typed], {}).cells(composer.value_of)
        return make_plan(cells, composer, Told(checksum), place)

    return plan


def write_runs(plan: SweepPlan, checksum: str | None) -> None:
    for job in plan.jobs:
        folder = job.sweep_dir / job.folder_name
        folder.mkdir(parents=True)
        write_config(folder, job.config)
        counts = {"num_train": 144, "num_val": 16, "num_test": 40}
        record = record_of(identity=job.identity, data_checksum=checksum or "", **counts)
        if checksum is None:
            del record["data_checksum"]  # type: ignore[misc]
        write_record(folder, record)


def test_runs_on_other_content_are_refused_and_allowed(
    plan_of: Callable[..., SweepPlan], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_runs(plan_of(tmp_path, "then" * 4, "seed=0,1"), "then" * 4)
    assert len(plan_of(tmp_path, "then" * 4, "seed=0,1").known) == 2
    # The same settings, or further ones: beside the old runs neither is a comparison.
    for typed in ("seed=0,1", "activation=tanh"):
        with pytest.raises(UserError) as refused:
            plan_of(tmp_path, "now!" * 4, typed)
        said = str(refused.value)
        assert "was trained on other data=moons: 200 points then, 250 now; checksum then" in said
        assert "resume.changed_data=allow trains them beside the old ones." in said
        assert "\n" not in said
    plan = plan_of(tmp_path, "now!" * 4, "seed=0,1", "changed_data=allow")
    assert (len(plan.to_do), plan.known) == (2, {})
    assert plan.jobs[0].config["changed_data"] == "allow"
    assert "allowed by resume.changed_data=allow" in capsys.readouterr().out


def test_other_data_sets_and_unknown_ones_stand_beside_them(
    plan_of: Callable[..., SweepPlan], tmp_path: Path
) -> None:
    write_runs(plan_of(tmp_path, "then" * 4, "seed=0"), "then" * 4)
    assert len(plan_of(tmp_path, "now!" * 4, "data.noise=0.3").jobs) == 1
    assert len(plan_of(tmp_path, "now!" * 4, "data=xor").jobs) == 1
    other = tmp_path / "other"
    write_runs(plan_of(other, "then" * 4, "seed=0"), None)
    assert len(plan_of(other, "now!" * 4, "seed=0").to_do) == 1


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"a: [", b"words"])
def test_a_broken_declaration_is_named_and_put_aside(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert read_declarations(tmp_path) == []
    assert f"{tmp_path / FILE} cannot be read (" in capsys.readouterr().out
    assert (tmp_path / f"{FILE}.broken").read_bytes() == content
    assert read_declarations(tmp_path) == []
