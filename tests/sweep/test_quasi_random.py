"""The sequence that trials are drawn by."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.stats import qmc

from experiments.errors.messages import UserError
from experiments.sweep.quasi_random import BASES, halton, radical_inverse


def points(number: int, num_dimensions: int, seed: int) -> np.ndarray:
    return np.array([halton(index, num_dimensions, seed) for index in range(number)])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_part_of_an_axis_holds_one_point(seed: int) -> None:
    for dimension, base in enumerate(BASES[:4]):
        power = 3 if base < 5 else 2
        number = base**power
        # Of any run of b^m points, not only of the first.
        for start in (0, number):
            x = [radical_inverse(start + i, dimension, seed) for i in range(number)]
            assert sorted(int(value * number) for value in x) == list(range(number))


def test_boxes_of_two_axes_hold_one_point_each() -> None:
    # A Halton point's parts in bases 2 and 3 are its rests by 4 and 9: all pairs in 36 points.
    for seed in range(3):
        x = points(36, 2, seed)
        boxes = {(int(4 * a), int(9 * b)) for a, b in x}
        assert len(boxes) == 36


def test_without_permutations_it_would_be_scipys_plain_sequence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "experiments.sweep.quasi_random.permutation",
        lambda seed, dimension, place: tuple(range(BASES[dimension])),
    )
    plain = qmc.Halton(d=4, scramble=False).random(50)
    assert points(50, 4, 0) == pytest.approx(plain, abs=1e-8)


@pytest.mark.parametrize(("number", "num_dimensions"), [(18, 2), (27, 3), (36, 4)])
def test_it_is_more_even_than_random_points(number: int, num_dimensions: int) -> None:
    ours = [qmc.discrepancy(points(number, num_dimensions, seed)) for seed in range(10)]
    rng = np.random.default_rng(0)
    random = [qmc.discrepancy(rng.random((number, num_dimensions))) for _ in range(200)]
    assert np.mean(ours) < 0.5 * np.mean(random)
    assert max(ours) < np.quantile(random, 0.1)


def test_coordinates_of_large_bases_do_not_rise_together() -> None:
    plain = qmc.Halton(d=4, scramble=False).random(5)[:, 2:]
    assert np.corrcoef(plain.T)[0, 1] > 0.95
    ours = [np.corrcoef(points(28, 4, seed)[:, 2:].T)[0, 1] for seed in range(20)]
    assert abs(np.mean(ours)) < 0.1


def test_each_point_is_uniform_over_seeds() -> None:
    for index in (0, 5):
        x = np.array([halton(index, 2, seed) for seed in range(400)])
        counts = [len(c) for c in (x[x[:, 0] < 0.25], x[x[:, 1] < 0.5], x[x[:, 1] > 0.9])]
        assert counts == pytest.approx([100, 200, 40], abs=35)


def test_a_seed_gives_its_points_for_ever() -> None:
    # Runs of sweeps are found again by these numbers: other ones would train all of them anew.
    first = [tuple(round(u, 4) for u in halton(index, 2, seed=0)) for index in range(3)]
    assert first == FROZEN
    assert len({halton(0, 2, seed) for seed in range(100)}) == 100
    for one, other in itertools.combinations(range(5), 2):
        assert halton(one, 1, 0) != halton(other, 1, 0)


FROZEN = [(0.8338, 0.9193), (0.3338, 0.586), (0.5838, 0.2526)]


def test_more_keys_than_bases_are_refused() -> None:
    with pytest.raises(UserError, match="names 9 keys, and at most 8"):
        halton(0, 9, 0)
