"""What a sweep says that it compares, before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiments.errors.messages import UserError
from experiments.sweep.declaration import (
    FILE,
    Declaration,
    check_allowed,
    declare,
    meaning,
    read_declarations,
    seeds_of,
    without_moment,
)
from experiments.sweep.grid import grid_of

NODE = {
    "factor": None,
    "control": None,
    "metric": "auto",
    "delta": None,
    "comparisons": "control",
}
OWN = {"optim.lr": 0.001, "activation": "relu"}


def declared(*typed: str, protocol: str = "fixed", **node: Any) -> Declaration:
    grid = grid_of(list(typed), {}, seeds=[0, 1])
    return Declaration.of({**NODE, **node}, protocol, grid, OWN.get)


def test_an_unnamed_multirun_compares_what_it_varies() -> None:
    said = declared("activation=relu,tanh", "model=mlp")
    assert said.factor == ["activation"]
    assert said.control is None
    assert said.metric == "auto"
    assert said.with_metric([["loss", "accuracy"]]).metric == "test/accuracy"
    assert said.with_metric([["loss", "accuracy"], ["loss", "mae", "r2"]]).metric == "test/loss"
    assert said.values == {"activation": ["relu", "tanh"]}
    assert said.fixed == ["model=mlp"]
    assert said.seeds == [0, 1]


def test_data_sets_are_tasks_where_something_else_varies() -> None:
    assert declared("data=digits,xor", "activation=relu,tanh").factor == ["activation"]
    assert declared("optim=sgd,adam", "data=digits,xor", "activation=relu,tanh").factor == [
        "optim",
        "activation",
    ]
    assert declared("data=digits,xor").factor == ["data"]
    assert declared("data=digits,xor", "activation=relu,tanh", factor="data").factor == ["data"]


def test_a_fold_is_no_factor() -> None:
    said = declared("activation=relu,tanh", "data.folds=5", "data.fold=range(0,5)")
    assert said.factor == ["activation"]
    assert said.values["data.fold"] == ["0", "1", "2", "3", "4"]
    with pytest.raises(UserError, match=r"sweep.factor=data.fold.*does not vary it"):
        declared("activation=relu,tanh", "data.fold=0,1", factor="data.fold")


def test_a_control_is_known_by_its_meaning() -> None:
    said = declared("optim.lr=0.1,1e-3", factor="optim.lr", control=0.001)
    assert said.control == ["0.001"]
    assert declared("optim.lr=0.1,1e-3", factor="optim.lr", control="default").control == ["0.001"]
    said = declared(
        "activation=relu,tanh", "model.hidden=[64],[64,64]",
        factor=["model.hidden", "activation"], control=["[64, 64]", "tanh"],
    )  # fmt: skip
    assert said.control == ["[64,64]", "tanh"]
    assert meaning("1.0") == meaning("1")
    assert meaning("true") != meaning("1")


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"factor": "activatoin"}, "does not vary it. It varies: activation, optim.lr. Did you mean activation"),
        ({"factor": "activation", "control": "elu"}, "sweep.control=elu.*relu, tanh"),
        ({"factor": ["activation", "optim.lr"], "control": "relu"}, "one control for each factor"),
        ({"delta": 0}, "sweep.delta=0: allowed is a number above 0"),
        ({"test": "tukey"}, "sweep.test=tukey.*sweep.test=dunnett"),
        ({"test": "dunnett", "factor": ["activation", "optim.lr"]}, "one factor.*type sweep.factor=activation"),
        ({"until": "setled"}, "sweep.until=setled.*Did you mean sweep.until=settled"),
        ({"until": "settled"}, r"one factor. Type sweep.factor=activation, or sweep.until=null"),
        ({"looks": [6, 9]}, r"sweep.looks=\[6,9\]: without sweep.until=settled"),
        ({"comparisons": "everyone"}, "sweep.comparisons=everyone"),
        ({"protocol": "tund"}, "protocol=tund.*Did you mean protocol=tuned"),
    ],
)  # fmt: skip
def test_a_declaration_that_contradicts_the_sweep_is_refused(node: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        declared("activation=relu,tanh", "optim.lr=0.1,1", **node)


def test_a_command_that_gives_a_factor_one_value_leaves_it_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    node = {"factor": ["activation", "optim.lr"], "control": ["relu", "default"]}
    said = declared("activation=relu", "optim.lr=0.1,1e-3", **node)
    assert (said.factor, said.control) == (["optim.lr"], ["0.001"])
    assert "activation=relu is one value: activation" in capsys.readouterr().out
    said = declared("activation=relu", "optim.lr=0.1", **node)
    assert (said.factor, said.control) == ([], None)
    # What is typed is meant.
    with pytest.raises(UserError, match="sweep.factor=activation: this sweep does not vary it"):
        declared("activation=relu", "sweep.factor=activation", factor="activation")


def test_a_choice_of_another_package_varies_what_it_sets() -> None:
    arms = "experiment/arms@_global_=a,b"
    said = declared(arms, factor="model", control="mlp")
    assert (said.factor, said.control) == (["model"], ["mlp"])
    # Its own key is none that runs have; a comparison finds what differs.
    assert declared(arms).factor == []
    assert declared(arms, "optim=sgd,adam").factor == ["optim"]


def test_what_may_differ_beside_the_factor_is_declared(tmp_path: Path) -> None:
    said = declared("optim=sgd,gd", allow="data.batch_size")
    assert said.allow == ["data.batch_size"]
    declare(tmp_path, declared("optim=sgd,gd"), "python train.py")
    declare(tmp_path, said, "python train.py")
    assert [one["allow"] for one in read_declarations(tmp_path)] == [[], ["data.batch_size"]]


def test_the_test_is_declared_and_an_older_declaration_means_the_exact_one(tmp_path: Path) -> None:
    declare(tmp_path, declared("optim=sgd,adam"), "python train.py")
    # As written before there was a choice.
    text = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(text.replace("  test: sign_flip\n", ""))
    assert "test" not in read_declarations(tmp_path)[0]
    declare(tmp_path, declared("optim=sgd,adam", test="sign_flip"), "python train.py")
    assert len(read_declarations(tmp_path)) == 1
    declare(tmp_path, declared("optim=sgd,adam", test="dunnett"), "python train.py")
    assert [one.get("test") for one in read_declarations(tmp_path)] == [None, "dunnett"]


def test_a_key_of_nothing_cannot_be_allowed() -> None:
    options: dict[str, list[str] | None] = {"data.batch_size": [], "optim": ["sgd"]}
    check_allowed(["data.batch_size", "optim", "environment.device", "data_checksum"], options.get)
    with pytest.raises(UserError, match=r"sweep.allow=data.batchsize: no configuration"):
        check_allowed(["data.batch_size", "data.batchsize"], options.get)


@pytest.mark.parametrize(
    ("given", "seeds"), [(None, None), (3, [0, 1, 2]), ([5, 2], [5, 2]), (1, [0])]
)
def test_seeds(given: Any, seeds: Any) -> None:
    assert seeds_of(given) == seeds


@pytest.mark.parametrize("given", [0, -1, True, [], [1, 1], ["a"], [-1], "ten", 2.5])
def test_seeds_that_are_none_are_refused(given: Any) -> None:
    with pytest.raises(UserError, match="a number of seeds"):
        seeds_of(given)


def test_the_first_declaration_stays_when_a_later_one_differs(tmp_path: Path) -> None:
    first = declared("activation=relu,tanh", delta=0.005)
    declare(tmp_path, first, "python train.py one")
    declare(tmp_path, first, "python train.py the same again")
    assert len(read_declarations(tmp_path)) == 1
    declare(tmp_path, declared("activation=relu,tanh", delta=0.001), "python train.py later")
    one, two = read_declarations(tmp_path)
    assert (one["delta"], two["delta"]) == (0.005, 0.001)
    assert one["declared_at"] <= two["declared_at"]
    assert one["command"] == "python train.py one"
    assert read_declarations(tmp_path / "nowhere") == []


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="the folder cannot be written to"):
        declare(tmp_path / "file" / "sweep", declared("optim=sgd,adam"), "python train.py")


def test_another_question_in_the_same_folder_is_declared_below(tmp_path: Path) -> None:
    for typed in (["data=digits"], ["data=digits", "logger=none"], ["data=moons"]):
        declare(tmp_path, declared("optim=sgd,adam", *typed), "python train.py")
    assert [one["fixed"] for one in read_declarations(tmp_path)] == [
        ["data=digits"],
        ["data=moons"],
    ]


def test_a_default_that_is_not_swept_is_explained() -> None:
    with pytest.raises(UserError, match=r"default stands for optim.lr=0.001, .* \(0.1, 0.2\)"):
        declared("optim.lr=0.1,0.2", factor="optim.lr", control="default")


def test_a_declaration_that_was_cut_short_is_none_wherever_it_was_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / FILE
    declare(tmp_path, declared("optim=sgd,adam", "seed=range(0,4)"), "python train.py")
    content = path.read_text()
    [whole] = read_declarations(tmp_path)
    for end in range(0, len(content), 7):
        path.write_text(content[:end])
        assert read_declarations(tmp_path) == []
        assert "cannot be read" in capsys.readouterr().out
    declare(tmp_path, declared("optim=sgd,adam", "seed=range(0,4)"), "python train.py")
    [again] = read_declarations(tmp_path)
    assert without_moment(again) == without_moment(whole)
