"""Jobs that are trained together: which, how many, and what becomes of them when they die."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from composers import composer_of
from fake_ray import FakeBoard
from running import plain, run_folders
from sweep_folders import write_run

from experiments.errors.messages import UserError
from experiments.record.record import read_record
from experiments.sweep.grid import Cell
from experiments.sweep.jobs.job import Assignment, Result, RunningJob
from experiments.sweep.jobs.populations import GroupedJobs, Populations, in_groups, size_of
from experiments.sweep.jobs.server import EndedJob, ServerProcess
from experiments.sweep.jobs.source import ListedJobs
from experiments.sweep.jobs.workers import Workers
from experiments.sweep.plan import Job
from experiments.training.load import load_run
from experiments.training.population import measured_costs
from experiments.training.population.member_costs import MemberCosts, num_steps_of

Command = Callable[..., "object"]
QUICK = ["logger=none", "model=mlp", "model.hidden=[8]", "data=moons", "trainer.max_epochs=3"]


def job(number: int, kind: str = "a", folder: Path = Path()) -> Job:
    config = {"kind": kind, "trainer": {"devices": 1}}
    identity = f"{number:08x}" * 2
    return Job(Cell((), (f"seed={number}",)), config, identity, kind, folder, number)


def sizes(kinds: str, largest: int, num_seats: int) -> list[tuple[str, int]]:
    """Return kind and number of each group; capitals are jobs that are trained alone."""
    jobs = [job(number, kind) for number, kind in enumerate(kinds)]
    groups = in_groups(
        jobs,
        lambda each: None if each.setting.isupper() else each.setting,
        lambda alike, seats: largest,
        num_seats,
    )
    assert sorted(each.number for group in groups for each in group) == list(range(len(kinds)))
    assert all(len({each.setting for each in group}) == 1 for group in groups)
    return [(group[0].setting, len(group)) for group in groups]


@pytest.mark.parametrize(
    ("kinds", "largest", "num_seats", "expected"),
    [
        ("a" * 24, 64, 2, [("a", 12), ("a", 12)]),
        ("a" * 24, 64, 1, [("a", 24)]),
        ("a" * 24, 5, 1, [("a", 5)] * 4 + [("a", 4)]),
        ("a" * 5, 64, 8, [("a", 1)] * 5),
        ("ab" * 4, 64, 2, [("a", 4), ("b", 4)]),
        # The third of three groups would leave a seat idle.
        ("abc" * 10, 64, 2, [("a", 10), ("b", 10), ("c", 5), ("c", 5)]),
        ("aaAA", 64, 1, [("a", 2), ("A", 1), ("A", 1)]),
        ("AAA", 64, 2, [("A", 1)] * 3),
        ("aa", 1, 1, [("a", 1), ("a", 1)]),
        # As many as there are seats: nothing is gained together.
        ("aaaa", 64, 4, [("a", 1)] * 4),
        ("", 64, 2, []),
    ],
)
def test_jobs_are_grouped_such_that_no_seat_is_idle(
    kinds: str, largest: int, num_seats: int, expected: list[tuple[str, int]]
) -> None:
    assert sizes(kinds, largest, num_seats) == expected


def grouped(jobs: list[Job], largest: int = 64, num_seats: int = 2) -> GroupedJobs:
    return GroupedJobs(
        ListedJobs(jobs), lambda each: each.setting, lambda alike, seats: largest, num_seats
    )


def test_groups_are_given_and_taken_back() -> None:
    source = grouped([job(number) for number in range(5)])
    first = source.take_group(2)
    assert [each.number for each in first] == [0, 1, 2]
    source.put_back_group(first)
    assert source.take_group(1) == first
    assert not source.is_over
    source.try_alone(first[0])
    source.try_alone(first[2])
    assert [len(source.take_group(2)) for _ in range(4)] == [2, 1, 1, 0]
    assert source.is_over
    source.ended(first[0], Result("completed"))
    assert source.source.results[first[0].identity].outcome == "completed"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("given", "size"), [("auto", "auto"), ("off", 1), (False, 1), (1, 1), (12, 12)]
)
def test_a_size_of_populations(given: Any, size: int | str) -> None:
    assert size_of(given) == size


@pytest.mark.parametrize("given", [0, -3, True, 1.5, "many", None])
def test_a_size_that_is_none_is_told(given: Any) -> None:
    with pytest.raises(UserError, match="hydra.launcher.population=.*auto, off, or a number"):
        size_of(given)


@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_a_launcher_that_has_no_populations_says_who_has(command: Command, launcher: str) -> None:
    typed = [f"hydra/launcher={launcher}", "hydra.launcher.population=4"]
    answer = command("-m", *QUICK, *typed, "seed=0,1")
    assert answer.code == 2
    assert "type hydra/launcher=workers, which trains jobs together" in answer.err
    assert len(answer.err.strip().splitlines()) == 1


def test_as_many_are_trained_together_as_pays() -> None:
    # Of 1000 steps; a step of n members takes (3 + n) / 4 of one of a single run.
    flat = MemberCosts({1: 1e-3, 5: 2e-3}, 0.0, 10)
    assert flat.step_seconds(9) == pytest.approx(3e-3)
    assert flat.best_size(40, 1000) == 40
    assert flat.best_size(1000, 1000) == 64
    # Each costs what it costs alone, or more: only what a run takes beside its steps is shared.
    steep = MemberCosts({1: 1e-3, 4: 4e-3}, 0.0, 1000)
    assert steep.best_size(40, 100) > 1
    assert steep.best_size(40, 1000) > 1
    assert MemberCosts(steep.seconds, 0.0, 10**6).best_size(40, 10**6) == 1
    assert MemberCosts({1: 1e-3, 4: 8e-3}, 0.0, 1000).best_size(40, 1000) == 1
    # Half of the memory for all that are at work.
    assert MemberCosts(flat.seconds, 1e6, 10, memory=64e6).best_size(40, 1000, num_seats=2) == 16
    assert MemberCosts(flat.seconds, 1e9, 10, memory=64e6).best_size(40, 1000) == 1


def test_who_asks_for_populations_hears_why_runs_are_alone() -> None:
    configs = [plain(*QUICK, f"seed={seed}") for seed in range(3)]
    configs += [plain(*QUICK, "activation=rrelu"), plain(*QUICK, "optim=lbfgs")]
    jobs = [Job(Cell((), ()), c, str(n), str(n), Path(), n) for n, c in enumerate(configs)]
    for size, more in ((2, ["activation=rrelu draws", "optim=lbfgs computes"]), ("auto", [])):
        populations = Populations(size, lambda *unused: MemberCosts({1: 1.0, 2: 1.0}, 0, 1))
        groups = in_groups(jobs, populations.key_of, populations.largest_of, 2)
        assert [len(group) for group in groups] == ([2, 1, 1, 1] if size == 2 else [3, 1, 1])
        together, *alone = populations.told_of(groups)
        assert together.startswith(f"{len(groups[0])} of them differ in seeds and numbers alone")
        assert len(alone) == len(more)
        for line, reason in zip(alone, more, strict=True):
            assert line.startswith(f"Trained alone, 1 of them: {reason}")


def test_the_server_measures_and_keeps_it_where_the_launcher_stands(
    job_server: ServerProcess,
) -> None:
    costs = job_server.member_costs(plain(*QUICK), 1, differ=False)
    assert {1, 4} <= set(costs.seconds)
    assert (Path("data/cache") / measured_costs.FILE).is_file()
    with pytest.raises(UserError, match="there is no such key"):
        job_server.member_costs(plain(*QUICK, "+data.nose=1"), 1, differ=False)


def test_a_launcher_asks_once_for_an_architecture_and_an_optimizer() -> None:
    asked: list[tuple[str, str, bool]] = []

    def costs_of(config: Any, cores: int, differ: bool) -> MemberCosts:
        asked.append((config["activation"]["name"], config["optim"]["name"], differ))
        return MemberCosts({1: 1.0, 4: 1.0}, 0.0, 1)

    populations = Populations("auto", costs_of)
    words = ["activation=relu", "activation=tanh", "optim=sgd", "optim=sgd optim.lr=0.5"]
    groups = [
        [Job(Cell((), ()), plain(*QUICK, *word.split()), word, f"{word}{n % m}", Path(), n)
         for n in range(4)] for word in words for m in (1, 2)
    ]  # fmt: skip
    assert [populations.largest_of(group, 2) for group in groups] == [4] * 8
    assert asked == [("relu", "adam", False), ("relu", "adam", True),
                     ("relu", "sgd", False), ("relu", "sgd", True)]  # fmt: skip


def test_what_cannot_be_measured_is_told() -> None:
    def refuse(*unused: object) -> MemberCosts:
        raise UserError("no such thing")

    populations = Populations("auto", refuse)
    jobs = [Job(Cell((), ()), plain(*QUICK), str(n), "s", Path(), n) for n in range(3)]
    assert populations.largest_of(jobs, 1) == 1
    [line] = populations.told_of([jobs])[1:]
    assert line.endswith("each is trained by itself: no such thing")


def test_steps_of_a_run_by_its_config() -> None:
    assert num_steps_of(plain(*QUICK), 7) == 21
    assert num_steps_of(plain(*QUICK, "trainer.max_steps=5"), 7) == 5
    assert num_steps_of(plain(*QUICK, "trainer.accumulate_grad_batches=7"), 7) == 3


def test_what_members_cost_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = plain(*QUICK)
    costs = measured_costs.costs_on_this_machine(config, 1, differ=True)
    assert set(costs.seconds) >= {1, 4}
    assert all(0 < seconds < 1 for seconds in costs.seconds.values())
    assert costs.num_batches == 23  # of 64 of the 1,440 points that train
    assert 0 <= costs.bytes_per_member < costs.memory
    monkeypatch.setattr(measured_costs, "measured", lambda *unused: pytest.fail("measured again"))
    again = measured_costs.costs_on_this_machine(plain(*QUICK, "optim.lr=0.5"), 1, differ=True)
    assert again.seconds == costs.seconds
    path = Path("data/cache") / measured_costs.FILE
    for content in ("half of a fi", '{"format": 1, "costs": {"0123456789abcdef": {"ms": [1, 2]}}}'):
        path.write_text(content)
        with pytest.raises(pytest.fail.Exception):
            measured_costs.costs_on_this_machine(config, 1, differ=True)


class DyingServer:
    """Ends jobs as it is told, and those that are alone as completed."""

    ready: ClassVar = {"devices": {"cuda": 0, "mps": 0, "cpu": 1}}

    def __init__(self, *ends: list[EndedJob]) -> None:
        self.ends = list(ends)
        self.started: list[list[int]] = []
        self.told: set[int] = set()
        self.clock = 0.0
        self.begun: dict[int, float] = {}
        self.stopped: list[tuple[int, signal.Signals]] = []

    def start_job(self, *assignments: Assignment) -> None:
        numbers = [assignment.job.number for assignment in assignments]
        self.started.append(numbers)
        self.begun[numbers[0]] = self.clock
        if len(numbers) == 1:
            self.ends.append([EndedJob(numbers[0], Result("completed"), 0, "")])

    def stop_job(self, number: int, how: signal.Signals) -> None:
        self.stopped.append((number, how))
        group = next(numbers for numbers in self.started if number in numbers)
        left = [n for n in group if n not in self.told]
        self.ends.append([EndedJob(n, None, -how, "a last word") for n in left])

    def ended_jobs(self, timeout: float) -> list[EndedJob]:
        ended = self.ends.pop(0) if self.ends else []
        self.told |= {each.number for each in ended}
        self.clock += 20
        return ended


def carried_out(
    server: DyingServer, folder: Path, number: int, timeout: float | None = None
) -> tuple[FakeBoard, dict[str, Result]]:
    jobs = [job(n, folder=folder) for n in range(number)]
    for each in jobs:
        write_run(folder / f"seed-{each.identity[:8]}", identity=each.identity, status="running")
    source, board = ListedJobs(jobs), FakeBoard()
    populations = Populations(64, lambda *unused: pytest.fail("not asked"))
    populations.keys = {each.identity: "alike" for each in jobs}
    arguments: dict[str, Any] = {"workers": 1, "jobs_per_device": 1, "populations": populations}
    with composer_of() as composer:
        Workers(server, composer, False, timeout, **arguments).run_jobs(source, board)  # type: ignore[arg-type]
    return board, source.results


def statuses_in(folder: Path) -> list[str]:
    return [read_record(path)["status"] for path in sorted(folder.glob("seed-*"))]


def test_members_whose_process_dies_go_on_one_by_one(tmp_path: Path) -> None:
    done = EndedJob(1, Result("completed"), 0, "")
    died = [EndedJob(number, None, -9, "a last word") for number in (0, 2)]
    server = DyingServer([done], died)
    board, results = carried_out(server, tmp_path, 3)
    assert server.started == [[0, 1, 2], [0], [2]]
    assert [result.outcome for result in results.values()] == ["completed"] * 3
    assert len(board.printed) == 2
    assert board.printed[0].startswith("3 of them differ in seeds and numbers alone")
    assert board.printed[1].startswith("3 runs that were trained together: its process was killed")
    assert statuses_in(tmp_path) == ["interrupted", "running", "interrupted"]
    record = read_record(next(tmp_path.glob("seed-00000002")))
    assert record["error"].endswith("killed by SIGKILL, as the system does when memory runs out, "
                                    "with 3 runs in it")  # fmt: skip


def test_members_may_take_as_long_as_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = DyingServer([], [EndedJob(0, Result("completed"), 0, "")])
    seconds = property(lambda running: server.clock - server.begun[running.first])
    monkeypatch.setattr(RunningJob, "seconds", seconds)
    _, results = carried_out(server, tmp_path, 2, timeout=30.0)
    # Neither at once, nor because the first of them, which names the process, has ended.
    assert server.stopped == [(0, signal.SIGKILL)]
    assert server.started == [[0, 1], [1]]
    assert server.clock == 20 * 6
    assert [result.outcome for result in results.values()] == ["completed"] * 2


def test_together_or_alone_jobs_leave_the_same_runs(
    command: Command, lent_server: ServerProcess
) -> None:
    typed = ["-m", *QUICK, "optim=sgd", "seed=0,1,2", "optim.lr=0.1,0.2"]
    for folder, population in (("together", "6"), ("alone", "off")):
        more = [f"hydra.sweep.dir={folder}", "hydra.launcher.workers=1"]
        answer = command(*typed, *more, f"hydra.launcher.population={population}")
        assert (answer.code, answer.err) == (0, "")
    runs = {name: {load_run(path).record["identity"]: load_run(path)
            for path in run_folders(Path(name))} for name in ("together", "alone")}  # fmt: skip
    assert runs["together"].keys() == runs["alone"].keys()
    assert len(runs["alone"]) == 6
    for name, num_processes in (("together", 1), ("alone", 6)):
        records = [run.record for run in runs[name].values()]
        assert len({record["environment"]["pid"] for record in records}) == num_processes
        assert {record["status"] for record in records} == {"completed"}
    for identity, run in runs["together"].items():
        alone = runs["alone"][identity]
        assert run.folder.name == alone.folder.name
        assert run.record["metrics"] == pytest.approx(alone.record["metrics"], rel=1e-4)
        assert run.record["overrides"] == alone.record["overrides"]
        for name in ("config.yaml", "overrides.yaml"):
            own, other = (each.folder / ".hydra" / name for each in (run, alone))
            assert own.read_text() == other.read_text()
