"""From what is typed to what is drawn."""

from __future__ import annotations

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from experiments.errors.messages import UserError
from experiments.sweep.grid import read_overrides
from experiments.sweep.search.space import Space, distribution_among, distribution_of, space_of

LRS = {"sgd": [0.001, 0.1, 10.0], "adam": [1e-5, 1e-3, 0.1], None: [1e-5, 1e-3, 0.1]}


def spaced(*typed: str, fixed: tuple[str, ...] = (), as_grid: bool = False) -> Space:
    swept = read_overrides(typed)
    return space_of(swept, fixed, lambda name: {"lr": LRS[name]}, as_grid)


@pytest.mark.parametrize(
    ("typed", "distribution"),
    [
        ("interval(1,16)", FloatDistribution(1, 16)),
        ("int(interval(1,16))", IntDistribution(1, 16)),
        ("tag(log,interval(1e-4,1e-1))", FloatDistribution(1e-4, 1e-1, log=True)),
        ("tag(log,int(interval(1,512)))", IntDistribution(1, 512, log=True)),
        ("range(1,10,3)", IntDistribution(1, 7, step=3)),
        ("range(10,1,-3)", IntDistribution(4, 10, step=3)),
        ("tag(log,range(1,9))", IntDistribution(1, 8, log=True)),
        ("range(0,1,0.25)", FloatDistribution(0, 0.75, step=0.25)),
        ("range(0.1,0.55,0.1)", FloatDistribution(0.1, 0.5, step=0.1)),
        ("1,2,2", CategoricalDistribution(["1", "2"])),
        ("[64],[64,64],null", CategoricalDistribution(["[64]", "[64,64]", "null"])),
        ("choice(true,false)", CategoricalDistribution(["True", "False"])),
    ],
)
def test_an_override_becomes_a_distribution(typed: str, distribution: object) -> None:
    [override] = read_overrides([f"key={typed}"])
    assert distribution_of(override) == distribution


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("tag(lin,interval(1,2))", "the only tag"),
        ("tag(log,choice(1,2))", "the only tag"),
        ("interval(2,1)", "no interval"),
        ("tag(log,interval(0,1))", "no interval"),
        ("tag(log,range(1,9,2))", "no interval"),
        ("tag(log,range(1,2,0.5))", "no interval"),
        ("range(3,1)", "empty"),
    ],
)
def test_what_is_no_space_is_told(typed: str, told: str) -> None:
    [override] = read_overrides([f"key={typed}"])
    with pytest.raises(UserError, match=told):
        distribution_of(override)


def test_the_search_of_a_file_is_an_interval_over_more_than_a_decade_else_a_choice() -> None:
    assert distribution_among([0.01, 1, 0.1], False) == FloatDistribution(0.01, 1, log=True)
    assert distribution_among([0.01, 0.1], False) == CategoricalDistribution(["0.01", "0.1"])
    assert distribution_among([0, 10], False) == CategoricalDistribution(["0", "10"])
    assert distribution_among([True, None], False) == CategoricalDistribution(["true", "null"])
    assert distribution_among([0.01, 1], True) == CategoricalDistribution(["0.01", "1"])


def test_each_optimizer_has_the_space_of_its_own_file() -> None:
    space = spaced("optim=sgd,adam", "model.hidden=[64],[128]")
    names = [one.name for one in space.parameters]
    assert names == ["optim", "model.hidden", "optim.lr[sgd]", "optim.lr[adam]"]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(20):
        trial = study.ask()
        values = space.draw(trial, all_of_them=False)
        overrides = dict(o.split("=", 1) for o in space.overrides(values))
        lr, optim = float(overrides["optim.lr"]), overrides["optim"]
        assert set(overrides) == {"optim", "model.hidden", "optim.lr"}
        assert min(LRS[optim]) <= lr <= max(LRS[optim])
        assert len(trial.params) == 3


def test_samplers_of_fixed_spaces_draw_what_no_one_uses_too() -> None:
    space = spaced("optim=sgd,adam")
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    values = space.draw(trial, all_of_them=True)
    assert set(trial.params) == {"optim", "optim.lr[sgd]", "optim.lr[adam]"}
    assert len(space.overrides(values)) == 2


def test_what_is_typed_takes_the_place_of_the_file() -> None:
    assert [one.name for one in spaced().parameters] == ["optim.lr"]
    shared = spaced("optim=sgd,adam", "optim.lr=interval(0.1,1)")
    assert [one.name for one in shared.parameters] == ["optim", "optim.lr"]
    fixed = spaced("model.hidden=[64],[128]", fixed=("optim.lr=0.1",))
    assert [one.name for one in fixed.parameters] == ["model.hidden"]
    with pytest.raises(UserError, match="nothing is left to search"):
        spaced(fixed=("optim.lr=0.1",))


def test_a_number_is_typed_with_six_digits_and_stays_inside() -> None:
    [one] = spaced("x=interval(0.12345649,0.2)", fixed=("optim.lr=1",)).parameters
    assert one.override(0.12345649) == "x=0.12345649"
    assert one.override(0.15555555) == "x=0.155556"
    [added] = spaced("+x=1,2", fixed=("optim.lr=1",)).parameters
    assert (added.name, added.override("2")) == ("x", "+x=2")


def test_a_grid_has_every_combination_once() -> None:
    rows = spaced("optim=sgd,adam", "x=range(0,3)", as_grid=True).grid()
    assert len(rows) == 2 * 3 * 3
    assert len({tuple(sorted(row.items())) for row in rows}) == len(rows)
    assert all(f"optim.lr[{row['optim']}]" in row and len(row) == 3 for row in rows)
    steps = spaced("x=range(0.1,0.45,0.1)", fixed=("optim.lr=1",))
    assert [row["x"] for row in steps.grid()] == [0.1, 0.2, 0.3, 0.4]
    with pytest.raises(UserError, match="no list of values for sampler=grid"):
        spaced("x=interval(0,1)", as_grid=True).grid()


def test_an_example_is_a_point_of_the_space() -> None:
    space = spaced("optim=sgd,adam", "x=range(2,5)")
    assert space.overrides(space.example()) == ("optim=sgd", "x=2", "optim.lr=0.001")
