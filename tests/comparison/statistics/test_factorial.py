"""Two factors: effects that were put in come out; the shares are those of an analysis of variance."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.statistics.factorial import (
    Factorial,
    common_seeds,
    factorial,
    variance_shares,
)
from experiments.comparison.statistics.paired import effect_of, holm
from experiments.comparison.statistics.permutation import sign_flip


def made(
    first: list[float],
    second: list[float],
    both: list[list[float]] | None = None,
    noise: float = 0.0,
    num_seeds: int = 8,
    seed: int = 0,
) -> np.ndarray:
    """Return scores that are a sum of effects, of a seed's own effect and of noise."""
    generator = np.random.default_rng(seed)
    shape = (len(first), len(second), num_seeds)
    y = np.add.outer(first, second)[:, :, np.newaxis] + generator.normal(0, 1, num_seeds)
    if both is not None:
        y = y + np.array(both)[:, :, np.newaxis]
    return y + noise * generator.normal(size=shape)


def analysed(
    y: np.ndarray, control: tuple[int, int] = (0, 0), delta: float | None = 0.1
) -> Factorial:
    found = factorial(y, control, delta)
    assert found is not None
    return found


def test_effects_that_were_put_in() -> None:
    y = made([0, 10, 20], [0, 3], [[0, 0], [0, 4], [0, -2]])
    found = analysed(y)
    first, second = found.main
    assert [one.levels for one in first] == [(1,), (2,)]
    assert [one.effect.difference for one in first] == pytest.approx([12, 19])
    assert [one.effect.difference for one in second] == pytest.approx([3 + 2 / 3])
    assert {one.levels: one.effect.difference for one in found.interaction} == pytest.approx(
        {(1, 1): 4, (2, 1): -2}
    )
    # A seed's own effect is in every run of it, and so in no contrast.
    assert first[0].effect.sd == pytest.approx(0, abs=1e-12)
    assert [one.verdict for one in found.interaction] == ["better", "worse"]


def test_contrasts_with_another_control() -> None:
    y = made([0, 10, 20], [0, 3], [[0, 0], [0, 4], [0, -2]])
    found = analysed(y, control=(2, 1))
    assert {one.levels: one.effect.difference for one in found.main[0]} == pytest.approx(
        {(0,): -19, (1,): -7}
    )
    assert {one.levels: one.effect.difference for one in found.interaction} == pytest.approx(
        {(0, 0): -2, (1, 0): -6}
    )
    # The hypotheses as a whole do not know of a control.
    noisy = made([0, 0.2, 0.3], [0, 0.1], noise=0.5)
    assert analysed(noisy).interaction_p == analysed(noisy, control=(2, 1)).interaction_p
    assert analysed(noisy).main_p == analysed(noisy, control=(2, 1)).main_p


def test_contrasts_are_paired_by_seed_and_families_are_apart() -> None:
    y = made([0, 0.3, 0.6], [0, 0.2, 0.1, 0.0], noise=0.4)
    found = analysed(y)
    by_hand = [(y[a] - y[0]).mean(axis=0) for a in (1, 2)]
    for one, d in zip(found.main[0], by_hand, strict=True):
        assert one.effect.difference == pytest.approx(effect_of(d, family=2).difference)
        assert one.effect.interval == pytest.approx(effect_of(d, family=2).interval)
        assert one.effect.p == sign_flip(d)
        assert one.effect.level == 1 - 0.05 / 2
    p = [sign_flip(d) for d in by_hand]
    assert [one.p_holm for one in found.main[0]] == holm(p).tolist()
    assert {one.effect.level for one in found.main[1]} == {1 - 0.05 / 3}
    assert {one.effect.level for one in found.interaction} == {1 - 0.05 / 6}
    pairs = {
        (a, b): y[a, b] - y[a, 0] - y[0, b] + y[0, 0]
        for a, b in itertools.product((1, 2), (1, 2, 3))
    }
    assert [one.levels for one in found.interaction] == list(pairs)
    adjusted = holm([sign_flip(d) for d in pairs.values()])
    assert [one.p_holm for one in found.interaction] == adjusted.tolist()


def test_a_loss_is_the_mirror_image() -> None:
    y = made([0, 5, -5], [0, 0])
    found = factorial(y, (0, 0), 0.1, higher_is_better=False)
    assert found is not None
    assert [one.verdict for one in found.main[0]] == ["worse", "better"]
    assert found.main[1][0].verdict == "equivalent"


def test_two_by_two_as_a_whole_is_its_one_contrast() -> None:
    y = made([0, 0.5], [0, 0.3], [[0, 0], [0, 0.5]], noise=0.5)
    found = analysed(y)
    assert found.interaction_p == found.interaction[0].effect.p < 1
    assert found.main_p[0] == found.main[0][0].effect.p
    assert found.main_p[1] == found.main[1][0].effect.p


def test_missing_runs_take_their_seed_away() -> None:
    y = made([0, 1], [0, 1, 2], noise=0.1, num_seeds=6)
    y[0, 1, 2] = y[1, 0, 5] = np.nan
    assert common_seeds(y) == (0, 1, 3, 4)
    found, without = analysed(y), analysed(y[:, :, [0, 1, 3, 4]])
    assert found.seeds == (0, 1, 3, 4)
    assert found.main == without.main
    assert found.interaction == without.interaction
    y[1, 1, [0, 1, 3]] = np.nan
    assert common_seeds(y) == (4,)
    assert factorial(y, (0, 0), 0.1) is None


def test_an_infinite_loss_has_no_mean() -> None:
    y = made([0, 1], [0, 1])
    y[0, 0, 3] = np.inf
    assert common_seeds(y) == tuple(range(8))
    assert factorial(y, (0, 0), 0.1) is None


# Shares of variance


def residual(y: np.ndarray, columns: np.ndarray) -> float:
    """Return the sum of squares that a regression on some columns leaves."""
    solution = np.linalg.lstsq(columns, y.ravel(), rcond=None)[0]
    return float(((y.ravel() - columns @ solution) ** 2).sum())


def test_shares_against_regression() -> None:
    # Fisher's decomposition is what each group of indicator columns takes off the residuals.
    y = made([0, 1, 0.5], [0, 2, 1, 1], [[0] * 4, [0, 1, 0, 0], [0, 0, 0, -1]], noise=0.7)
    a, b, s = (index.ravel() for index in np.indices(y.shape))
    one = np.ones((y.size, 1))
    groups = [np.eye(3)[a], np.eye(4)[b], np.eye(12)[4 * a + b], np.eye(8)[s]]
    left, columns = [residual(y, one)], one
    for group in groups:
        columns = np.hstack([columns, group])
        left.append(residual(y, columns))
    expected = [*(np.subtract(left[:-1], left[1:]) / left[0]), left[-1] / left[0]]
    shares = variance_shares(y)
    assert shares is not None
    assert list(shares.values()) == pytest.approx(expected)


def test_shares_against_f_oneway() -> None:
    # With one level of the second factor and seeds that share nothing: F of a one-way analysis.
    y = np.random.default_rng(0).normal([[0], [0.5], [1]], 1, (3, 9))[:, np.newaxis]
    shares = variance_shares(y)
    assert shares is not None
    within = shares["seed"] + shares["rest"]
    f = (shares["first"] / 2) / (within / 24)
    assert f == pytest.approx(stats.f_oneway(*y[:, 0]).statistic)


def test_shares_of_one_source_alone() -> None:
    flat = np.zeros((2, 3, 4))
    sources = {
        "first": flat + np.array([0, 1])[:, np.newaxis, np.newaxis],
        "second": flat + np.array([0, 1, 5])[:, np.newaxis],
        "interaction": flat + np.array([[0, 1, -1], [0, -1, 1]])[:, :, np.newaxis],
        "seed": flat + np.arange(4),
    }
    for name, y in sources.items():
        shares = variance_shares(y)
        assert shares is not None
        assert shares[name] == pytest.approx(1)
        assert sum(shares.values()) == pytest.approx(1)
    assert variance_shares(flat + 0.1) is None
