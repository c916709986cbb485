"""The tuned protocol: equal budgets, selection on validation, fresh seeds."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from composers import composer_of
from sweep_folders import write_run

from experiments.config.composer import Composer
from experiments.errors.messages import UserError
from experiments.record.metric import mean_score
from experiments.sweep.declaration import Declaration, read_declarations
from experiments.sweep.grid import Cell, Grid, grid_of
from experiments.sweep.jobs.board import Board
from experiments.sweep.jobs.job import Result
from experiments.sweep.jobs.source import JobSource
from experiments.sweep.selection import TriedValues, selection_of
from experiments.sweep.sweep import Sweep
from experiments.sweep.tuning import trial_cell, tune

NODE: dict[str, Any] = {
    "factor": "optim",
    "control": None,
    "metric": "auto",
    "delta": None,
    "comparisons": "control",
    "tuning": {"seeds": [100, 101], "trials": None},
}
BEST = {"sgd": 0.1, "adam": 0.00316}


class Closed:
    """Carries out jobs by a formula: the accuracy falls with the distance of lr from the best.

    Args:
        most: after so many jobs it is interrupted.
    """

    at_once = 2

    def __init__(self, most: int = 10**6) -> None:
        self.most = most
        self.done: list[str] = []
        self.configs: list[dict[str, Any]] = []
        self.examiner = self

    def check(self, config: dict[str, Any], overrides: Sequence[str]) -> None:
        """All keys are right."""

    def check_values(self, config: dict[str, Any]) -> None:
        pass

    def checksum(self, config: dict[str, Any]) -> str:
        return "c"

    def measures(self, config: dict[str, Any]) -> list[str]:
        return ["loss", "accuracy"]

    def run_jobs(self, source: JobSource, board: Board) -> None:
        while (job := source.take()) is not None:
            if len(self.done) == self.most:
                raise KeyboardInterrupt
            self.done.append(job.identity)
            self.configs.append(job.config)
            optim, seed = job.config["optim"], job.config["seed"]
            distance = abs(math.log10(optim["lr"] / BEST[optim["name"]]))
            accuracy = 0.9 - 0.1 * distance + 0.001 * (seed % 10)
            diverges = optim["name"] == "sgd" and optim["lr"] >= 1
            folder = write_run(
                job.sweep_dir / f"{job.name}-{job.identity[:8]}",
                identity=job.identity,
                seed=seed,
                status="diverged" if diverges else "completed",
                metrics={} if diverges else {"val/accuracy": accuracy, "test/accuracy": accuracy},
            )
            source.ended(job, Result("diverged" if diverges else "completed", str(folder)))


@pytest.fixture
def composer() -> Iterator[Composer]:
    with composer_of("model=mlp", "logger=none") as one:
        yield one


def sweep_of(composer: Composer, grid: Grid, carrier: Closed, place: Path, **node: Any) -> Sweep:
    declaration = Declaration.of({**NODE, **node}, "tuned", grid, lambda key: None)
    return Sweep(composer, carrier, declaration, place, False, False, "python train.py")


def grid(*typed: str, seeds: tuple[int, ...] = (0, 1, 2)) -> Grid:
    return grid_of(["model=mlp", "logger=none", *typed], {"optim": "sgd,adam"}, seeds=seeds)


def test_both_stages(composer: Composer, tmp_path: Path) -> None:
    carrier = Closed()
    this = sweep_of(composer, grid(), carrier, tmp_path)
    assert tune(this, grid(), NODE) == []
    trials, final = carrier.configs[:36], carrier.configs[36:]
    # Two settings, nine values of lr, two tuning seeds; then two settings on three fresh seeds.
    assert len(carrier.configs) == 2 * 9 * 2 + 2 * 3
    assert {config["seed"] for config in trials} == {100, 101}
    assert not any(config["test"] for config in trials)
    for name in BEST:
        tried = [c["optim"]["lr"] for c in trials if c["optim"]["name"] == name]
        assert len(tried) == 18
        assert len(set(tried)) == 9
    assert all(config["test"] for config in final)
    assert {config["seed"] for config in final} == {0, 1, 2}
    assert {(c["optim"]["name"], c["optim"]["lr"]) for c in final} == set(BEST.items())
    assert len(list((tmp_path / "tuning").iterdir())) == 36
    chosen = json.loads((tmp_path / "selection.json").read_text())
    assert chosen["metric"] == "val/accuracy"
    sgd, adam = chosen["settings"]
    assert (sgd["chosen"], sgd["default"]) == ({"optim.lr": 0.1}, {"optim.lr": 0.1})
    assert (adam["chosen"], adam["default"]) == ({"optim.lr": 0.00316}, {"optim.lr": 0.001})
    assert sgd["trials"][-1] == {"values": {"optim.lr": 10.0}, "scores": [None, None]}
    [declared] = read_declarations(tmp_path)
    assert declared["tuning"] == NODE["tuning"]


@pytest.mark.parametrize("most", [0, 3, 11, 12, 14, 17])
def test_interrupted_anywhere_it_repeats_nothing(
    composer: Composer, tmp_path: Path, most: int
) -> None:
    three = grid("optim.search={lr:[0.01,0.1,1]}")
    first, second, third = Closed(most), Closed(), Closed()
    with pytest.raises(KeyboardInterrupt):
        tune(sweep_of(composer, three, first, tmp_path), three, NODE)
    tune(sweep_of(composer, three, second, tmp_path), three, NODE)
    assert len(first.done) == most
    # Two settings, three values of lr, two tuning seeds; then three fresh seeds.
    assert len(first.done + second.done) == len({*first.done, *second.done}) == 12 + 6
    tune(sweep_of(composer, three, third, tmp_path), three, NODE)
    assert third.done == []
    # More seeds are more final runs and no further tuning.
    more = grid("optim.search={lr:[0.01,0.1,1]}", seeds=(0, 1, 2, 3))
    tune(sweep_of(composer, more, third, tmp_path), more, NODE)
    assert [config["seed"] for config in third.configs] == [3, 3]


def test_a_value_on_the_edge_is_undertuned(composer: Composer, tmp_path: Path, capsys) -> None:
    few = grid("optim.search={lr:[0.1,0.3]}")
    tune(sweep_of(composer, few, Closed(), tmp_path), few, NODE)
    chosen = json.loads((tmp_path / "selection.json").read_text())["settings"]
    assert [one["on_edge"] for one in chosen] == [["optim.lr"], ["optim.lr"]]
    assert "undertuned: optim.lr at the edge" in capsys.readouterr().out


def test_a_diverged_run_counts_as_the_worst() -> None:
    trials = [
        TriedValues({"optim.lr": 1.0}, [0.99, 0.99, None]),
        TriedValues({"optim.lr": 0.1}, [0.7, 0.7, 0.7]),
        TriedValues({"optim.lr": 0.01}, [0.7, 0.7, 0.7]),
        TriedValues({"optim.lr": 0.001}, [None, None, None]),
    ]
    assert (
        selection_of([], trials, {"optim.lr": 0.01}, "val/accuracy").chosen == 1
    )  # the first of equals
    assert selection_of([], trials, {"optim.lr": 0.01}, "val/accuracy").default == 2
    assert selection_of([], trials, {"optim.lr": 5}, "val/loss").chosen == 1
    assert selection_of([], trials[3:], {"optim.lr": 5}, "val/accuracy").chosen is None
    assert mean_score(trials[0].scores, "val/loss") == math.inf
    assert mean_score(trials[0].scores, "val/accuracy") == pytest.approx(0.66)


def test_a_diverged_run_is_worse_than_any_r2() -> None:
    values = [
        TriedValues({"optim.lr": 1.0}, [None, -0.2, None]),
        TriedValues({"optim.lr": 0.1}, [-0.3] * 3),
    ]
    assert selection_of([], values, {}, "val/r2").chosen == 1


def test_words_and_lists_are_tuned_and_have_no_edge(
    composer: Composer, tmp_path: Path, capsys
) -> None:
    few = grid("optim=adam", "optim.search={lr:[0.1],betas:[[0.9,0.99],[0.8,0.9]]}")
    this = sweep_of(composer, few, Closed(), tmp_path, factor=None, control=None)
    assert tune(this, few, NODE) == []
    [one] = json.loads((tmp_path / "selection.json").read_text())["settings"]
    assert one["chosen"] == {"optim.lr": 0.1, "optim.betas": [0.9, 0.99]}
    assert one["on_edge"] == []
    assert "optim.betas=[0.9,0.99]" in capsys.readouterr().out
    trial = trial_cell(Cell((), ("optim=adam",)), {"optim.weight_decay": None}, 7)
    assert trial.swept == ("optim=adam", "optim.weight_decay=null", "seed=7")


class Failing(Closed):
    """Of the tuning runs, one of sgd fails in a way that says nothing of the setting."""

    def run_jobs(self, source: JobSource, board: Board) -> None:
        job = source.take()
        assert job is not None
        source.ended(job, Result("failed", None, "killed"))
        super().run_jobs(source, board)


def test_nothing_is_chosen_while_a_tuning_run_has_failed(
    composer: Composer, tmp_path: Path, capsys
) -> None:
    two = grid("optim.search={lr:[0.1,0.3]}")
    [(_, result)] = tune(sweep_of(composer, two, Failing(), tmp_path), two, NODE)
    assert result.outcome == "failed"
    assert not (tmp_path / "selection.json").exists()
    assert "No values are chosen before every tuning run" in capsys.readouterr().out


class Hopeless(Closed):
    """No run measures what the sweep asks for."""

    def measures(self, config: dict[str, Any]) -> list[str]:
        return ["loss", "mae", "r2"]


def test_a_metric_that_no_run_measures_is_refused_before_the_first_run(
    composer: Composer, tmp_path: Path
) -> None:
    carrier, two = Hopeless(), grid("optim.search={lr:[0.1,0.3]}")
    this = sweep_of(composer, two, carrier, tmp_path, metric="test/accuracy")
    with pytest.raises(
        UserError, match=r"sweep.metric=test/accuracy.*test/loss, test/mae, test/r2"
    ):
        tune(this, two, NODE)
    assert carrier.done == []
    assert list(tmp_path.iterdir()) == []
    # Not named, it is what they do measure.
    this = sweep_of(composer, two, carrier, tmp_path)
    found = tune(this, two, NODE)
    assert this.declaration.metric == "test/loss"
    # None has a val/loss to choose by.
    assert [result.outcome for _, result in found] == ["failed", "failed"]
    assert "no trial came to a result" in str(found[0][1].message)


@pytest.mark.parametrize(
    ("typed", "tuning", "said"),
    [
        (["optim.lr=0.1"], {}, "optim.lr=0.1: protocol=tuned chooses that"),
        (["optim.search=null"], {}, "optim=sgd says no search space"),
        ([], {"seeds": [1, 100]}, r"none of the final runs' \(shared: 1\)"),
        ([], {"seeds": []}, "at least one seed"),
        ([], {"trials": 1}, "sweep.tuning.trials=1: allowed is 2 or more"),
        (
            ["optim.search={lr:[0.1,1],momentum:[0,0.9]}"],
            {"trials": 9},
            "sweep.tuning.trials=9: optim.lr, optim.momentum have no more than 4 different comb",
        ),
    ],
)
def test_what_would_be_unfair_is_refused(
    composer: Composer, tmp_path: Path, typed: list[str], tuning: dict, said: str
) -> None:
    node = {**NODE, "tuning": {**NODE["tuning"], **tuning}}
    carrier = Closed()
    with pytest.raises(UserError, match=said):
        tune(sweep_of(composer, grid(*typed), carrier, tmp_path), grid(*typed), node)
    assert carrier.done == []


def test_tuning_over_folds_is_refused(composer: Composer, tmp_path: Path) -> None:
    # What fold 0 tests would choose the values with which fold 1 is tested.
    typed = ["optim=sgd,adam", "data.folds=5", "data.fold=0,1"]
    carrier = Closed()
    with pytest.raises(UserError, match="data.folds=5: protocol=tuned is not offered with folds"):
        tune(sweep_of(composer, grid(*typed), carrier, tmp_path), grid(*typed), NODE)
    assert carrier.done == []
    none = [*typed[:1], "data.folds=null"]
    tune(sweep_of(composer, grid(*none), carrier, tmp_path), grid(*none), NODE)
    assert carrier.done


def test_settings_with_spaces_of_different_sizes_are_refused(
    composer: Composer, tmp_path: Path
) -> None:
    cases = [{"optim": "sgd", "optim.search": "{lr:[0.1,1]}"}, {"optim": "adam"}]
    unequal = grid_of(["model=mlp", "logger=none"], {}, cases=cases, seeds=[0])
    with pytest.raises(UserError, match="different sizes.*sweep.tuning.trials=9"):
        tune(sweep_of(composer, unequal, Closed(), tmp_path), unequal, NODE)
    node = {**NODE, "tuning": {"seeds": [100], "trials": 5}}
    carrier = Closed()
    tune(sweep_of(composer, unequal, carrier, tmp_path), unequal, node)
    assert len(carrier.done) == 2 * 5 + 2


SPACE = ["optim=sgd,adam", "sweep.tuning.space=[lr,weight_decay]"]


def test_several_keys_are_drawn_alike_for_every_setting_and_typed_again_repeat_nothing(
    composer: Composer, tmp_path: Path, capsys
) -> None:
    node = {**NODE, "tuning": {**NODE["tuning"], "space": ["lr", "weight_decay"], "space_seed": 3}}
    carrier = Closed()
    assert tune(sweep_of(composer, grid(*SPACE), carrier, tmp_path), grid(*SPACE), node) == []
    # Eighteen trials on two seeds for two settings, then three fresh seeds.
    assert len(carrier.done) == 2 * 18 * 2 + 2 * 3
    told = capsys.readouterr().out
    assert "18 trials each: its own values, and a Halton sequence (seed 3) over optim.lr" in told
    content = json.loads((tmp_path / "selection.json").read_text())
    sgd, adam = content["settings"]
    # Each has its own values first, and then the same parts of its own ranges.
    assert [one["trials"][0]["values"] for one in (sgd, adam)] == [
        {"optim.lr": 0.1, "optim.weight_decay": 0.0},
        {"optim.lr": 0.001, "optim.weight_decay": 0.0},
    ]
    assert (sgd["default"], adam["default"]) == (
        {"optim.lr": 0.1, "optim.weight_decay": 0.0},
        {"optim.lr": 0.001, "optim.weight_decay": 0.0},
    )
    # sgd's rates are searched from 1e-3, adam's from 1e-5: two decades apart at every point.
    for one, other in zip(sgd["trials"][1:], adam["trials"][1:], strict=True):
        assert one["values"]["optim.lr"] == pytest.approx(100 * other["values"]["optim.lr"], 1e-3)
        assert one["values"]["optim.weight_decay"] == other["values"]["optim.weight_decay"]
    assert sgd["space"]["by"] == "Halton sequence, seed 3"
    assert sgd["space"]["ranges"]["optim.lr"] == "0.001 to 10, log"
    [declared] = read_declarations(tmp_path)
    assert declared["tuning"]["space"] == ["lr", "weight_decay"]
    again = Closed()
    assert tune(sweep_of(composer, grid(*SPACE), again, tmp_path), grid(*SPACE), node) == []
    assert again.done == []
    assert len(read_declarations(tmp_path)) == 1
    # A larger budget keeps all that was tried.
    node["tuning"] = {**node["tuning"], "trials": 20}
    assert tune(sweep_of(composer, grid(*SPACE), again, tmp_path), grid(*SPACE), node) == []
    assert sum(not config["test"] for config in again.configs) == 2 * 2 * 2


def test_keys_of_other_groups_are_tuned(composer: Composer, tmp_path: Path) -> None:
    typed = ["optim=sgd,adam", "model.dropout=0.25"]
    space = {"lr": None, "model.dropout": [0.0, 0.5]}
    node = {**NODE, "tuning": {"seeds": [100], "trials": 4, "space": space}}
    carrier = Closed()
    refused = grid(*typed)
    with pytest.raises(UserError, match="model.dropout=0.25: protocol=tuned chooses that"):
        tune(sweep_of(composer, refused, carrier, tmp_path), refused, node)
    assert carrier.done == []
    tune(sweep_of(composer, grid(), carrier, tmp_path), grid(), node)
    tried = {config["model"]["dropout"] for config in carrier.configs}
    assert len(tried) == 4
    assert all(0 <= value <= 0.5 for value in tried)
    chosen = json.loads((tmp_path / "selection.json").read_text())["settings"][0]["chosen"]
    final = [c for c in carrier.configs if c["test"] and c["optim"]["name"] == "sgd"]
    assert {c["model"]["dropout"] for c in final} == {chosen["model.dropout"]}


def test_a_seed_of_the_sequence_needs_one(composer: Composer, tmp_path: Path) -> None:
    node = {**NODE, "tuning": {**NODE["tuning"], "space_seed": 1}}
    with pytest.raises(UserError, match="space_seed=1 has no effect with a grid of values"):
        tune(sweep_of(composer, grid(), Closed(), tmp_path), grid(), node)


def test_a_declaration_of_before_is_not_declared_again(composer: Composer, tmp_path: Path) -> None:
    three = grid("optim.search={lr:[0.01,0.1,1]}")
    tune(sweep_of(composer, three, Closed(), tmp_path), three, NODE)
    later = {**NODE, "tuning": {**NODE["tuning"], "space": None, "space_seed": 0}}
    tune(sweep_of(composer, three, Closed(), tmp_path), three, later)
    [declared] = read_declarations(tmp_path)
    assert declared["tuning"] == NODE["tuning"]
