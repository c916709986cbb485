"""A sweep of somebody's class whose text has changed since its first runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from composers import composer_of
from sweep_folders import record_of

from experiments.config.composer import Composer
from experiments.errors.messages import UserError
from experiments.record.identity import identity_of
from experiments.record.record import read_record, write_record
from experiments.sweep.changed_code import check_code_of_search
from experiments.sweep.grid import grid_of
from experiments.sweep.plan import SweepPlan, make_plan

THEN, NOW = {"mine": "1a"}, {"mine": "2b"}
TYPED = ["model=mlp", "data=moons", "activation._target_=mine.Phi"]


class Told:
    """Answers what a carrier is asked of the code as it is."""

    def __init__(self, code: dict[str, str]) -> None:
        self.answer = code

    def check(self, config: dict, overrides: object) -> None: ...

    def check_values(self, config: dict) -> None: ...

    def checksum(self, config: dict) -> str:
        return "c0"

    def code(self, config: dict) -> dict[str, str]:
        return self.answer


@pytest.fixture(scope="module")
def composer() -> Iterator[Composer]:
    with composer_of(*TYPED) as composer:
        yield composer


@pytest.fixture
def plan_of(composer: Composer) -> Callable[..., SweepPlan]:
    def plan(place: Path, code: dict[str, str], *typed: str) -> SweepPlan:
        words = [*TYPED, "seed=0,1,2", *typed]
        cells = grid_of(words, {}).cells(composer.value_of)
        return make_plan(cells, composer, Told(code), place)

    return plan


def write_runs(plan: SweepPlan, number: int = 3, **values: object) -> None:
    for job in plan.jobs[:number]:
        folder = job.sweep_dir / job.folder_name
        folder.mkdir(parents=True)
        known = {"identity": job.identity, "data_checksum": "c0", "code": job.code or None}
        write_record(folder, record_of(**{**known, **values}))


def test_the_text_is_part_of_a_run(plan_of: Callable, tmp_path: Path) -> None:
    one, other = plan_of(tmp_path, THEN), plan_of(tmp_path, NOW)
    assert {job.identity for job in one.jobs}.isdisjoint(job.identity for job in other.jobs)
    assert one.jobs[0].identity == identity_of(one.jobs[0].config, "c0", THEN)
    write_runs(one)
    assert plan_of(tmp_path, THEN).to_do == []


def test_runs_with_another_text_are_asked_about_once(plan_of: Callable, tmp_path: Path) -> None:
    write_runs(plan_of(tmp_path, THEN), 2)
    with pytest.raises(UserError) as caught:
        plan_of(tmp_path, NOW)
    said = str(caught.value)
    assert "2 of the runs there were trained with other code: mine (1a then, 2b now)" in said
    assert "sweep.changed_code=keep" in said
    assert "sweep.changed_code=anew" in said


@pytest.mark.parametrize(("how", "to_do"), [("keep", 1), ("anew", 3)])
def test_they_are_kept_or_trained_again(
    plan_of: Callable, tmp_path: Path, capsys: pytest.CaptureFixture, how: str, to_do: int
) -> None:
    write_runs(plan_of(tmp_path, THEN), 2)
    plan = plan_of(tmp_path, NOW, f"sweep.changed_code={how}")
    assert len(plan.to_do) == to_do
    assert f"sweep.changed_code={how}" in capsys.readouterr().out
    assert [job.identity for job in plan.to_do] == [
        identity_of(job.config, "c0", NOW) for job in plan.to_do
    ]


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_what_came_to_nothing_is_no_run_to_ask_about(
    plan_of: Callable, tmp_path: Path, status: str
) -> None:
    write_runs(plan_of(tmp_path, THEN), status=status)
    assert len(plan_of(tmp_path, NOW).to_do) == 3


def test_runs_whose_records_do_not_say_count_as_they_are(plan_of: Callable, tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {})
    write_runs(plan)
    assert plan_of(tmp_path, NOW).to_do == []


def test_a_search_asks_too_and_begins_anew_where_it_is_told(
    plan_of: Callable, tmp_path: Path
) -> None:
    write_runs(plan_of(tmp_path, THEN))
    [*folders] = tmp_path.glob("*/record.json")
    assert read_record(folders[0].parent)["code"] == THEN
    assert not check_code_of_search(THEN, None, tmp_path)
    with pytest.raises(UserError, match="mine \\(1a then, 2b now\\)"):
        check_code_of_search(NOW, None, tmp_path)
    assert check_code_of_search(NOW, "anew", tmp_path)
    assert not check_code_of_search(NOW, "keep", tmp_path)
