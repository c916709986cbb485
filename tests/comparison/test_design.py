from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from comparison.sweeps import declare, write_run, write_sweep

from experiments.comparison.design import Design, Request, design_of
from experiments.comparison.reading import read_runs
from experiments.comparison.verdict import compared
from experiments.errors.messages import UserError

ARMS = {"relu": lambda s: 0.9, "elu": lambda s: 0.8, "tanh": lambda s: 0.7}


def design(*sweeps: Path, **typed: Any) -> Design:
    return design_of(read_runs(sweeps), Request(**typed))


def test_what_a_sweep_declared_counts(tmp_path: Path) -> None:
    found = design(write_sweep(tmp_path / "a", "activation", ARMS, range(3), delta=0.01))
    assert (found.factor, found.control, found.metric) == (
        ["activation"],
        ["relu"],
        "test/accuracy",
    )
    assert (found.delta, found.comparisons, found.source) == (0.01, "control", "declared")
    assert found.order == {"activation": ["relu", "elu", "tanh"]}
    assert found.seeds == list(range(10))
    assert found.changes == []
    assert found.declared_at == "2026-11-01T00:00:00.000+00:00"


def test_what_is_typed_goes_before_and_is_told(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "a", "activation", ARMS, range(3))
    found = design(sweep, delta=0.02, control=["elu"])
    assert (found.delta, found.control, found.source) == (0.02, ["elu"], "typed")
    assert found.changes == [
        "control was declared as [relu]; typed: [elu]",
        "delta was declared as 0.005; typed: 0.02",
    ]
    # The same as declared is no change.
    assert design(sweep, delta=0.005, factor=["activation"]).changes == []


def test_a_declaration_that_was_changed_is_told_and_further_seeds_are_none(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "a", "activation", ARMS, range(3))
    declare(sweep, seeds=list(range(20)))
    assert design(sweep).changes == []
    declare(sweep, seeds=list(range(20)), delta=0.05)
    [change] = design(sweep).changes
    assert change.endswith("delta was 0.005, and since 2026-11-03T00:00:00.000+00:00 is 0.05")


def test_without_a_declaration_the_one_key_that_varies_is_the_factor(tmp_path: Path) -> None:
    found = design(write_sweep(tmp_path / "a", "activation", ARMS, range(3), declares=False))
    assert (found.factor, found.control) == (["activation"], None)
    assert (found.comparisons, found.source, found.delta) == ("all_pairs", "default", None)
    lr = write_sweep(
        tmp_path / "b", "optim.lr", {0.1: ARMS["relu"], 1.0: ARMS["elu"]}, range(3), declares=False
    )
    assert design(lr, control=["1e-1"]).control == ["0.1"]
    write_run(lr, {"optim.lr": 0.1, "activation": "elu"}, 0, 0.5)
    with pytest.raises(UserError, match=r"The runs differ in: activation, optim.lr. Type factor="):
        design(lr)
    # Data sets are tasks, unless they are all that varies.
    alone = tmp_path / "c"
    for data in ("digits", "moons"):
        write_run(alone, {"activation": "relu", "data": data}, 0, 0.9)
    assert design(alone).factor == ["data"]
    write_run(alone, {"activation": "elu", "data": "moons"}, 0, 0.9)
    assert design(alone).factor == ["activation"]


def test_two_sweeps_that_declare_different_things(tmp_path: Path) -> None:
    one = write_sweep(tmp_path / "a", "activation", ARMS, range(2))
    two = write_sweep(tmp_path / "b", "activation", ARMS, range(2, 4), delta=0.02)
    with pytest.raises(UserError, match=r"declare different things as delta .*a: 0.005; .*b: 0.02"):
        design(one, two)
    assert design(one, two, delta=0.02).delta == 0.02


def test_tuned_and_untuned_sweeps_are_different_comparisons(tmp_path: Path) -> None:
    one = write_sweep(tmp_path / "a", "activation", ARMS, range(2))
    two = write_sweep(tmp_path / "b", "activation", ARMS, range(2, 4), protocol="tuned")
    with pytest.raises(UserError, match="Some of the sweeps were tuned and some were not"):
        design(one, two)


def test_a_control_is_asked_for_where_it_was_asked_to_compare_with_it(tmp_path: Path) -> None:
    sweep = write_sweep(tmp_path / "a", "activation", ARMS, range(2), control=None)
    assert design(sweep).comparisons == "all_pairs"
    with pytest.raises(UserError, match="Type control=VALUE of \\[activation\\]"):
        design(sweep, comparisons="control")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"factor": ["activaton"]}, "They differ in: activation. Did you mean factor=activation?"),
        ({"factor": ["optim"]}, "factor=optim: all runs have sgd. They differ in: activation."),
        ({"factor": ["a", "b", "c"]}, "give one key, or two different ones"),
        ({"control": ["rlu"]}, "Did you mean control=relu?"),
        ({"control": ["relu", "sgd"]}, "give one control for each factor"),
        ({"metric": "test/acuracy"}, "Did you mean metric=test/accuracy?"),
        ({"delta": 0.0}, "delta=0.0"),
        ({"alpha": 1.5}, "alpha=1.5"),
        ({"comparisons": "every"}, "comparisons=every"),
    ],
)
def test_bad_words(tmp_path: Path, typed: dict[str, Any], words: str) -> None:
    sweep = write_sweep(tmp_path / "a", "activation", ARMS, range(2))
    with pytest.raises(UserError) as told:
        design(sweep, **typed)
    assert words in str(told.value)


def test_keys_that_belong_together_are_companions(tmp_path: Path) -> None:
    sweep = tmp_path / "a"
    for loss, phi_out in (("nll", "log_softmax"), ("mse", "softmax")):
        write_run(sweep, {"loss": loss, "model.phi_out": phi_out}, 0, 0.9)
    cases = [
        {"loss": ["nll"], "model.phi_out": ["log_softmax"]},
        {"loss": ["mse"], "model.phi_out": ["softmax"]},
    ]
    declare(sweep, factor=["loss"], control=["nll"], cases=cases)
    found = design(sweep)
    assert found.companions == {"model.phi_out"}
    assert found.holds("model.phi_out")
    assert found.holds("loss.name")
    assert not found.holds("model.hidden")


@pytest.mark.parametrize(("better", "best"), [("max", "relu"), ("min", "tanh")])
def test_what_runs_measure_beside_is_better_as_their_config_says(
    tmp_path: Path, better: str, best: str
) -> None:
    added = {"metrics": {"mine": {"_target_": "my.Metric", "better": better}}}
    for value, score in ARMS.items():
        for seed in range(10):
            changes = {**added, "activation": value}
            write_run(tmp_path / "a", changes, seed, score(seed), metric="test/mine")
    declare(tmp_path / "a", metric="test/mine", control=None, comparisons="all_pairs")
    verdict, _ = compared(read_runs([tmp_path / "a"]), Request(), name="a", command="")
    assert verdict["headline"][0].startswith(f"{best} beats")


def test_what_may_differ_is_what_every_sweep_allows_and_what_is_typed(tmp_path: Path) -> None:
    both = ["data.batch_size", "trainer.max_epochs"]
    first = write_sweep(tmp_path / "a", "activation", ARMS, [0], allow=both)
    second = write_sweep(tmp_path / "b", "activation", ARMS, [1], allow=both[1:])
    before = write_sweep(tmp_path / "c", "activation", ARMS, [2])  # by a version without the key
    assert design(first).allow == both
    assert design(first, second).allow == ["trainer.max_epochs"]
    assert design(first, second, before, allow=("init",)).allow == ["init"]
    # Allowed later, it is a change, as any other.
    declare(before, allow=["init"])
    [change] = design(before).changes
    assert "allow was null" in change
    assert change.endswith("is [init]")


def test_one_name_of_two_metrics_is_no_fair_comparison(tmp_path: Path) -> None:
    for value, average in (("relu", "macro"), ("tanh", "weighted")):
        node = {"f1": {"_target_": "torchmetrics.F1Score", "better": "max", "average": average}}
        for seed in range(10):
            changes = {"metrics": node, "activation": value}
            write_run(tmp_path / "a", changes, seed, ARMS[value](seed), metric="test/f1")
    for metric, verdict in (("test/f1", "withheld"), ("val/accuracy", "equivalent")):
        request = Request(metric=metric, delta=0.01)
        found, _ = compared(read_runs([tmp_path / "a"]), request, name="a", command="")
        assert found["tasks"][0]["pairs"][0]["verdict"] == verdict
