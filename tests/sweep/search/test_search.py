"""A search from its command to the experiment that it leaves behind."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from composers import composer_of
from rich.console import Console
from running import QUIET, plain

from experiments.config.launch import Launch
from experiments.errors.messages import UserError
from experiments.record.folder import is_asked_to_stop
from experiments.record.identity import identity_of
from experiments.record.plain_yaml import to_yaml
from experiments.record.record import read_record
from experiments.sweep.search import search_report
from experiments.sweep.search.options import Options
from experiments.sweep.search.search import search_of
from experiments.sweep.search.search_report import SearchReport, experiment_of
from experiments.training.callbacks import prune_on_request
from experiments.training.run import train


def test_mistakes_in_the_options_are_told() -> None:
    for (key, value), told in {
        ("sampler", "tpee"): "Did you mean hydra.sweeper.sampler=tpe",
        ("pruner", "hyperbad"): "Did you mean hydra.sweeper.pruner=hyperband",
        ("n_trials", 0): "n_trials=0: allowed is 1 or more",
        ("reduction_factor", 3): "no effect with hydra.sweeper.pruner=none",
        ("startup_trials", 3): "no effect with hydra.sweeper.sampler=grid",
        ("p_threshold", 0.05): "no effect with hydra.sweeper.pruner=none",
        ("prune_after_seeds", 4): "no effect with hydra.sweeper.pruner=none",
    }.items():
        with pytest.raises(UserError, match=told):
            Options(**{"sampler": "grid", key: value}).check()


@pytest.mark.parametrize(
    ("number", "options", "told"),
    [
        (4, {}, "wilcoxon stops no trial of 4 seeds.*below 0.1 after 4 .*sweep.seeds=5 or more"),
        (5, {}, None),
        (5, {"p_threshold": 0.06}, "below 0.06 after 5 of them.*sweep.seeds=6 or more"),
        (9, {"prune_after_seeds": 9}, "after 9 of them.*sweep.seeds=10 or more"),
        (6, {"p_threshold": 1.0}, "hydra.sweeper.p_threshold=1.0: allowed is above 0, below 1"),
        (6, {"prune_after_seeds": 1}, "prune_after_seeds=1: allowed is 2 or more"),
    ],
)
def test_seeds_that_are_too_few_for_wilcoxon_are_told(
    number: int, options: dict[str, Any], told: str | None
) -> None:
    chosen = Options(pruner="wilcoxon", **options)
    with contextlib.ExitStack() as stack:
        if told is not None:
            stack.enter_context(pytest.raises(UserError, match=told))
        chosen.check()
        chosen.check_seeds(range(number))


def test_options_that_came_later_do_not_change_what_searches_of_before_are_called() -> None:
    before = ("sampler", "n_trials", "seed", "startup_trials", "pruner", "prune_after_trials")
    before += ("prune_after_epochs", "prune_every_epochs", "reduction_factor")
    assert tuple(Options().plain()) == before
    assert "p_threshold" in Options(pruner="wilcoxon", p_threshold=0.05).plain()


@contextlib.contextmanager
def search_for(*typed: str, params: dict[str, Any] | None = None, **options: Any) -> Iterator[Any]:
    with composer_of(*typed) as composer:
        yield (
            search_of(composer.master, composer.loader, typed, params or {}, Options(**options)),
            composer,
        )


def test_a_command_is_a_search() -> None:
    with search_for("optim=sgd,adam", "model=mlp", "seed=3", "trainer.max_epochs=2") as (search, _):
        names = [one.name for one in search.spec.space.parameters]
        assert names == ["optim", "optim.lr[sgd]", "optim.lr[adam]"]
        assert (search.spec.metric, search.spec.higher) == ("val/loss", False)
        [cell] = search.cells(("optim=sgd",))
        assert cell.overrides == [
            "model=mlp",
            "trainer.max_epochs=2",
            "test=false",
            "optim=sgd",
            "seed=3",
        ]
        name = search.name
    with search_for("model=mlp", "trainer.max_epochs=2", "optim=sgd,adam", "seed=3") as (search, _):
        assert search.name == name
    with search_for("model=mlp", "sweep.seeds=[4,5]", "sweep.metric=test/accuracy") as (search, _):
        assert search.seeds == [4, 5]
        assert (search.spec.metric, search.spec.higher) == ("val/accuracy", True)
        assert search.name != name


def test_a_file_says_what_is_searched_and_what_is_typed_takes_its_place() -> None:
    params = {"optim.lr": "tag(log,interval(0.01,1))", "model.dropout": "0.1,0.2"}
    with search_for("model=mlp", "model.dropout=0.3", params=params) as (search, _):
        [one] = search.spec.space.parameters
        assert one.name == "optim.lr"
        assert search.fixed == ("model=mlp", "model.dropout=0.3")


@pytest.mark.parametrize(
    ("typed", "options", "told"),
    [
        ("seed=0,1", {}, "sweep.seeds=3"),
        ("data.fold=0,1", {}, "a fold is nothing to search for"),
        ("test=true", {}, "never touches the test set"),
        ("optim.lr=0.1", {}, "nothing is left to search"),
        ("sweep.metric=val/acc", {}, "Did you mean sweep.metric=val/accuracy"),
        ("optim.lr=interval(0,1)", {"sampler": "grid"}, "no list of values for sampler=grid"),
        ("model.hidden=[64],[32]", {"sampler": "cmaes"}, "this space has optim.lr"),
    ],
)
def test_mistakes_in_a_command_are_told(typed: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=told), search_for("model=mlp", typed, **options):
        pass


def test_the_best_trial_is_an_experiment_that_composes_to_the_same_run(tmp_path: Path) -> None:
    typed = ["model=mlp", "sweeps=depth", "trainer.max_epochs=3"]
    drawn = ["optim=sgd", "model.hidden=[64,32]", "optim.lr=1e-05", "+optim.dampening=0.1"]
    # Where its runs are told is no part of an experiment.
    with composer_of("logger=none") as composer:
        overrides = [*typed, *drawn, "test=false", "seed=5", "logger=none"]
        content, deleted = experiment_of(composer, overrides)
        wanted = composer.config(overrides)
    assert deleted == []
    assert content["defaults"] == [{"override /model": "mlp"}, {"override /optim": "sgd"}]
    (tmp_path / "experiment").mkdir()
    text = "# @package _global_\n" + to_yaml(content)
    (tmp_path / "experiment" / "best.yaml").write_text(text)
    place = f"hydra.searchpath=[sweeps://,file://{tmp_path}]"
    with composer_of(place) as composer:
        found = composer.config(["experiment=best", "test=false", "seed=5"])
    assert identity_of(found, "") == identity_of(wanted, "")


def test_a_run_stops_when_it_is_asked_to_and_can_be_trained_to_its_end_later(
    train_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = iter([False, False, True])
    monkeypatch.setattr(prune_on_request, "is_asked_to_stop", lambda folder: next(asked))
    run = train_run("model=linear", "test=false", "trainer.max_epochs=5")
    assert (run.record["status"], run.record["epochs"]) == ("pruned", 3)
    assert run.record["error"] == "stopped by the search's pruner after epoch 3"
    assert run.record["metrics"]["val/loss"] > 0
    monkeypatch.setattr(prune_on_request, "is_asked_to_stop", is_asked_to_stop)
    train(plain(*QUIET, f"resume={run.folder}"), Launch([]))
    record = read_record(run.folder)
    assert (record["status"], record["epochs"]) == ("completed", 5)


def test_the_last_epoch_is_no_place_to_stop(
    train_run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = iter([False, True])
    monkeypatch.setattr(prune_on_request, "is_asked_to_stop", lambda folder: next(asked))
    run = train_run("model=linear", "test=false", "trainer.max_epochs=2")
    assert run.record["status"] == "completed"


def test_a_search_ends_with_its_best_values_and_the_command_that_trains_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = ["model=mlp", "sweep.seeds=3", "optim.lr=tag(log,interval(1e-4,1e-1))"]
    typed += ["optim.weight_decay=interval(0,0.1)", "model.dropout=interval(0,0.5)"]
    params = {"optim.lr": 0.0012345, "optim.weight_decay": 0.0345678, "model.dropout": 0.2718}
    best: list[Any] = [SimpleNamespace(number=n, value=n / 10, params=params) for n in (4, 7)]
    with search_for(*typed, sampler="tpe") as (search, _):
        none: Any = None
        report = SearchReport(search.spec, none, none, search.cells, search.seeds)
        for width in (40, 50, 80, 100):
            shown = Console(file=sys.stdout, width=width)
            monkeypatch.setattr(search_report, "console", lambda shown=shown: shown)
            report.tell(best)
            told = capsys.readouterr().out
            assert {"0.4000", "0.0012345", "0.0345678", "0.2718"} <= set(told.split())
            assert ("0.7000" in told) == (width > 40)  # fewer trials, and none of them in part
        command = report.command_of(best[0])
    words = command.split()[2:]
    assert words[-1] == "seed=3"
    assert not any(word.startswith(("test", "sweep")) for word in words)
    config = plain(*words)
    values = (config["optim"]["lr"], config["optim"]["weight_decay"], config["model"]["dropout"])
    assert values == tuple(params.values())
    assert config["test"]
