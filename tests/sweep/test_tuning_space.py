"""What a setting is tuned over."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from experiments.errors.messages import UserError
from experiments.sweep.selection import TriedValues, selection_of
from experiments.sweep.tuning_dimension import Dimension
from experiments.sweep.tuning_space import TuningSpace, space_of

CONFIG: dict[str, Any] = {
    "optim": {
        "name": "adam",
        "_target_": "torch.optim.Adam",
        "lr": 0.001,
        "betas": [0.9, 0.999],
        "eps": 1e-8,
        "weight_decay": 0.0,
        "warmup_steps": 5,
        "search": {"lr": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1]},
    },
    "model": {"name": "mlp", "dropout": 0.1, "hidden": [64]},
    "seed": 0,
    "trainer": {"threads": 1},
}


def space(given: Any = None, trials: int | None = None, **more: Any) -> TuningSpace:
    return space_of(CONFIG, [], {"trials": trials, "space": given, **more})


def column(found: TuningSpace, key: str) -> list[Any]:
    return [point[key] for point in found.points]


def test_without_a_space_it_is_the_optimizers_own_grid() -> None:
    found = space()
    assert column(found, "optim.lr") == CONFIG["optim"]["search"]["lr"]
    assert found.drawn_by is None
    assert space(["lr"]).points == found.points
    assert space("lr").points == found.points
    assert space({"optim.lr": None}).points == found.points


def test_one_range_is_spaced_evenly() -> None:
    for found in (space({"lr": [1e-4, 1]}), space(["lr"], 9), space(trials=9)):
        values = column(found, "optim.lr")
        steps = [b / a for a, b in pairwise(values)]
        assert steps == pytest.approx([math.sqrt(10)] * 8, rel=1e-3)
        assert found.drawn_by is None
        assert all(float(f"{value:.4g}") == value for value in values)
    assert (values[0], values[-1]) == (1e-5, 0.1)
    assert column(space({"weight_decay": [0, 0.4]}, 5), "optim.weight_decay") == [
        0.0,
        0.1,
        0.2,
        0.3,
        0.4,
    ]


def test_several_keys_are_drawn_and_more_trials_begin_with_the_same() -> None:
    found = space(["lr", "weight_decay", "model.dropout"])
    assert len(found) == 27
    assert found.points[0] == {
        "optim.lr": 0.001,
        "optim.weight_decay": 0.0,
        "model.dropout": 0.1,
    }
    drawn = found.points[1:]
    assert space(["lr", "weight_decay", "model.dropout"], 40).points[:27] == found.points
    assert space(["lr", "weight_decay", "model.dropout"], space_seed=1).points[1:] != drawn
    rates = np.log10([point["optim.lr"] for point in drawn])
    decades = np.histogram(rates, bins=[-5, -4, -3, -2, -1])[0]
    assert decades.tolist() == pytest.approx([6.5] * 4, abs=1.6)
    decays = [point["optim.weight_decay"] for point in drawn]
    assert 1e-5 <= min(decays) < 3e-5
    assert 0.3 < max(decays) <= 1
    dropouts = [point["model.dropout"] for point in drawn]
    assert np.mean(dropouts) == pytest.approx(0.25, abs=0.03)
    for values in zip(rates, np.log10(decays), dropouts, strict=True):
        assert len(values) == 3
    assert abs(np.corrcoef(rates, np.log10(decays))[0, 1]) < 0.25


def test_a_grid_of_typed_values_is_one_until_a_number_of_trials_asks_for_another() -> None:
    given = {"lr": [1e-3, 1e-2, 1e-1], "betas": [[0.9, 0.99], [0.9, 0.999]]}
    found = space(given)
    assert len(found) == 6
    assert found.drawn_by is None
    assert space(given, 6).points == found.points
    more = space(given, 10)
    assert (len(more), more.drawn_by) == (10, 0)
    # Rates are drawn between the typed ones, and of betas there is nothing between.
    assert len(set(column(more, "optim.lr"))) == 10
    assert {tuple(betas) for betas in column(more, "optim.betas")} == {(0.9, 0.99), (0.9, 0.999)}
    both = space({"lr": [0.01, 0.02, 0.03], "weight_decay": [0, 0.1, 0.2]}, 5)
    assert len(both) == 5
    assert set(column(both, "optim.lr")) <= {0.001, 0.01, 0.02, 0.03}


def test_whole_numbers_stay_whole() -> None:
    found = space({"warmup_steps": [0, 20], "lr": [1e-3, 1]}, 12)
    assert all(type(value) is int for value in column(found, "optim.warmup_steps"))
    assert all(type(value) is float for value in column(found, "optim.lr"))
    assert all(type(value) is float for value in column(space({"lr": [1, 100]}), "optim.lr"))


def test_momentum_is_drawn_by_its_distance_from_one() -> None:
    dimension = Dimension("optim.momentum", low=0.5, high=0.999, scale="beside_one")
    x = 1 - np.array([dimension.at(u) for u in np.linspace(0, 1, 10)])
    assert np.diff(np.log(x)) == pytest.approx([math.log(0.002) / 9] * 9, rel=1e-3)
    for value in (0.5, 0.9, 0.999):
        place = dimension.place(value)
        assert place is not None
        assert dimension.at(place) == pytest.approx(value)


@pytest.mark.parametrize(
    ("given", "more", "told"),
    [
        (
            ["lr", "wieght_decay"],
            {},
            "optim=adam has no optim.wieght_decay. Did you mean optim.weight_decay",
        ),
        (["lr", "search"], {}, "optim.search is nothing to tune"),
        (["lr", "seed"], {}, "has no optim.seed. It has: optim.lr, optim.betas"),
        (["lr", "trainer.threads"], {}, "trainer.threads is nothing to tune"),
        (["lr", "model.width"], {}, "optim=adam has no model.width.* It has: model.dropout"),
        (["lr", "betas"], {}, "optim.betas has no range of its own.*space={optim.betas:"),
        ({"betas": [0.8, 0.9]}, {}, r"optim.betas=\[0.9,0.999\] is no number"),
        (
            {"lr": [1, 0.1]},
            {},
            "optim.lr: .1,0.1.: allowed is .*the lower first.*Try .sweep.tuning.space={optim.lr:",
        ),
        (["lr", "modl.dropout"], {}, "has no modl.dropout.*It has: model, optim, seed, trainer"),
        ({"lr": [0.1]}, {}, "at least two values"),
        ({"lr": 0.1}, {}, "at least two values"),
        ([], {}, r"sweep.tuning.space=\[\]: allowed is a list of keys"),
        (3, {}, "sweep.tuning.space=3: allowed is a list of keys"),
        (["lr"], {"trials": 1}, "sweep.tuning.trials=1: allowed is 2 or more"),
        ({"betas": [[0.9, 0.99], [0.9, 0.999]]}, {"trials": 9}, "no more than 2 different"),
    ],
)
def test_each_mistake_is_told_with_what_to_type(given: Any, more: Any, told: str) -> None:
    with pytest.raises(UserError, match=told):
        space(given, **more)


# Edges


LR = Dimension("optim.lr", low=1e-4, high=1.0)
DECAY = Dimension("optim.weight_decay", low=1e-5, high=1e-1)


def edges(score: Any, delta: float | None = 0.005, number: int = 18, seed: int = 0) -> list[str]:
    """The keys on an edge of a search whose score is a function of places from 0 to 1."""
    given = {"lr": [1e-4, 1.0], "weight_decay": [1e-5, 1e-1]}
    found = space(given, number, space_seed=seed)
    rng = np.random.default_rng(seed)
    trials = []
    for point in found.points:
        u, v = LR.place(point["optim.lr"]), DECAY.place(point["optim.weight_decay"])
        assert u is not None
        assert v is not None
        mean = score(u, max(v, 0.0))
        scores = [mean + float(rng.normal(0, 0.003)) for _ in range(3)]
        trials.append(TriedValues(point, scores))
    return selection_of([], trials, {}, "val/accuracy", found, delta).on_edge


def hill(at_u: float, at_v: float) -> Any:
    return lambda u, v: 0.9 - 0.8 * (u - at_u) ** 2 - 0.8 * (v - at_v) ** 2


def cliff(at_u: float) -> Any:
    """Slowly better with the rate, and then diverging, as rates are."""
    return lambda u, v: (
        0.9
        - (0.24 * max(at_u - u, 0) ** 1.5 + min(0.6, 1.6 * max(u - at_u, 0)))
        - 0.8 * (v - 0.5) ** 2
    )


def share(score: Any, key: str, **more: Any) -> float:
    return sum(key in edges(score, seed=seed, **more) for seed in range(25)) / 25


def test_an_optimum_beyond_is_named_by_its_key_and_one_inside_is_none() -> None:
    rate, decay = "optim.lr", "optim.weight_decay"
    assert share(hill(1.1, 0.5), rate) >= 0.9
    assert share(hill(-0.1, 0.5), rate) >= 0.9
    assert share(hill(0.5, 1.1), decay) >= 0.9
    assert share(cliff(1.1), rate) >= 0.9
    for place in (0.3, 0.5, 0.7, 0.8):
        assert share(hill(place, 0.5), rate) <= 0.1
        assert share(cliff(place), rate) <= 0.15
        assert share(hill(1.1, place), decay) <= 0.1


def test_a_key_that_changes_nothing_has_no_edge() -> None:
    assert share(lambda u, v: 0.9 - 0.8 * (u - 0.5) ** 2, "optim.weight_decay") <= 0.2


def test_without_a_delta_the_tuning_seeds_say_what_is_as_good() -> None:
    found = TuningSpace([LR], [{"optim.lr": v} for v in (0.9, 0.01)], drawn_by=0)
    close = [
        TriedValues({"optim.lr": 0.9}, [0.90, 0.92, 0.91]),
        TriedValues({"optim.lr": 0.01}, [0.91, 0.90, 0.91]),
    ]
    assert selection_of([], close, {}, "val/accuracy", found).on_edge == []
    apart = [close[0], TriedValues({"optim.lr": 0.01}, [0.88, 0.90, 0.89])]
    assert selection_of([], apart, {}, "val/accuracy", found).on_edge == ["optim.lr"]
    one_seed = [TriedValues(trial.values, trial.scores[1:2]) for trial in apart]
    assert selection_of([], one_seed, {}, "val/accuracy", found).on_edge == ["optim.lr"]


def test_of_a_loss_the_lowest_is_what_a_parabola_leads_to() -> None:
    found = space({"lr": [1e-4, 1.0], "weight_decay": [1e-5, 0.1]}, 18)
    trials = []
    for point in found.points:
        u = LR.place(point["optim.lr"])
        assert u is not None
        diverges = u < 0.1
        trials.append(TriedValues(point, [None if diverges else (u - 1.2) ** 2] * 2))
    assert selection_of([], trials, {}, "val/loss", found, 1e-3).on_edge == ["optim.lr"]


def test_ends_that_are_natural_are_none() -> None:
    dropout, rate, decay = space(
        {"model.dropout": [0, 0.5], "lr": [1e-4, 1], "weight_decay": None}
    ).dimensions
    near = [dropout.end_near(value) for value in (0.0, 0.02, 0.25, 0.49, 0.5, 0.7)]
    assert near == [None, None, None, 1.0, 1.0, 1.0]
    # The setting's own decay is 0, of which the lower end is next to nothing.
    assert [decay.end_near(v) for v in (0.0, 2e-5, 1e-3, 0.9)] == [None, None, None, 1.0]
    assert [rate.end_near(v) for v in (1e-5, 2e-4, 1e-2, 0.9, 3.0)] == [0.0, 0.0, None, 1.0, 1.0]
    assert Dimension("optim.betas", choices=([0.9], [0.8])).end_near([0.9]) is None
