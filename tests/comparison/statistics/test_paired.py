"""One pair of settings: its numbers against scipy and hand counts, its verdict rule by rule."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.statistics.paired import (
    Pair,
    Verdict,
    compare_pair,
    correlation,
    effect_of,
    holm,
    superiority,
    variance_ratio,
    verdict_of,
)
from experiments.comparison.statistics.permutation import sign_flip

A = [0.912, 0.921, 0.917, 0.925, 0.909, 0.931, 0.918, 0.922]
B = [0.905, 0.918, 0.919, 0.915, 0.905, 0.921, 0.916, 0.915]


def judge(pair: Pair, delta: float | None, higher_is_better: bool = True) -> Verdict:
    """Return the verdict of a pair that is a family by itself."""
    return verdict_of(
        pair.difference, pair.interval90, pair.p, delta, higher_is_better=higher_is_better
    )


def test_numbers_of_a_pair() -> None:
    pair = compare_pair(A, B, family=4)
    d = np.subtract(A, B)
    twin = stats.ttest_rel(A, B)
    assert pair.n == 8
    assert pair.level == 1 - 0.05 / 4
    assert pair.difference == pytest.approx(d.mean())
    assert pair.sd == pytest.approx(d.std(ddof=1))
    assert pair.interval == pytest.approx(tuple(twin.confidence_interval(pair.level)))
    assert pair.interval90 == pytest.approx(tuple(twin.confidence_interval(0.9)))
    assert pair.p == sign_flip(np.round(1000 * d))
    assert pair.superiority == 7 / 8
    assert pair.superiority_interval == pytest.approx(
        tuple(stats.binomtest(7, 8).proportion_ci(pair.level))
    )
    assert pair.correlation == pytest.approx(stats.pearsonr(A, B).statistic)


def test_a_pair_turned_round() -> None:
    pair, turned = compare_pair(A, B), compare_pair(B, A)
    assert turned.difference == -pair.difference
    assert turned.interval == pytest.approx((-pair.interval[1], -pair.interval[0]))
    assert turned.p == pair.p
    assert turned.superiority == 1 - pair.superiority


@pytest.mark.parametrize(("a", "b"), [([1, 2], [1, 2, 3]), ([], []), ([1, math.nan], [1, 2])])
def test_no_pair(a: list[float], b: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one|each seed"):
        compare_pair(a, b)


def test_one_seed_settles_nothing() -> None:
    pair = compare_pair([0.9], [0.1])
    assert pair.difference == pytest.approx(0.8)
    assert math.isnan(pair.sd)
    assert pair.interval == pair.interval90 == (-math.inf, math.inf)
    assert pair.p == 1.0
    assert pair.correlation is pair.variance_ratio is None
    assert judge(pair, 0.005) == judge(pair, None) == "inconclusive"


@pytest.mark.parametrize("n", [2, 5, 10, 30])
def test_identical_arms_are_equivalent(n: int) -> None:
    scores = np.random.default_rng(0).normal(0.9, 0.01, n)
    pair = compare_pair(scores, scores)
    assert (pair.difference, pair.sd, pair.interval, pair.p) == (0.0, 0.0, (0.0, 0.0), 1.0)
    assert pair.superiority == 0.5
    assert judge(pair, 1e-6) == "equivalent"
    assert judge(pair, None) == judge(pair, 0.0) == "inconclusive"


def test_a_constant_difference() -> None:
    base = np.array([0.90, 0.91, 0.92, 0.93, 0.94])
    few = compare_pair(base + 0.02, base)
    assert few.p == 0.0625
    assert judge(few, 0.01) == "inconclusive"  # five seeds cannot do it
    assert judge(few, 0.03) == "equivalent"
    many = compare_pair([*base + 0.02, 0.97], [*base, 0.95])
    assert judge(many, 0.02) == judge(many, None) == "better"


def test_rounding_of_float32_makes_no_difference() -> None:
    # Accuracies of 10,000 test points, as they are and as records hold them.
    whole = np.random.default_rng(0).integers(8400, 8600, (100, 2, 8))
    held = np.float32(whole / 10_000).astype(float)
    for (a, b), (x, y) in zip(held, whole, strict=True):
        assert compare_pair(a, b).p == sign_flip(x - y)
    raw = sign_flip(held[:, 0] - held[:, 1])
    assert (raw != sign_flip(whole[:, 0] - whole[:, 1])).any()


def test_infinite_losses_rank_last() -> None:
    finite = [0.30, 0.31, 0.29, 0.33, 0.32, 0.30]
    lower = [0.20, 0.22, 0.28, 0.235, 0.205, 0.10]
    pair = compare_pair([math.inf, *finite], [0.25, *lower], higher_is_better=False)
    assert pair.difference == math.inf
    assert math.isnan(pair.sd)
    assert pair.interval == (-math.inf, math.inf)
    assert pair.p == sign_flip(np.arange(1, 8))
    assert pair.superiority == 0
    assert judge(pair, 0.01, higher_is_better=False) == "worse"
    # The largest rank against the smaller ones, as Wilcoxon's test has it.
    mixed = compare_pair([math.inf, *lower], [0.25, *finite], higher_is_better=False)
    twin = stats.wilcoxon([1e9, *np.subtract(lower, finite)], method="exact")
    assert mixed.p == pytest.approx(twin.pvalue)


def test_failures_on_both_sides() -> None:
    both = compare_pair([math.inf, 0.3, 0.2], [0.3, math.inf, 0.2])
    assert math.isnan(both.difference)
    assert both.p == 1.0
    assert judge(both, 0.1) == judge(both, None) == "inconclusive"
    same = compare_pair([math.inf, 0.25, 0.25], [math.inf, 0.25, 0.25])
    assert (same.difference, same.p, same.superiority) == (0.0, 1.0, 0.5)


# Holm


def holm_step_by_step(p: list[float], alpha: float) -> list[bool]:
    """Return which hypotheses Holm's procedure rejects, as he describes it."""
    rejected = [False] * len(p)
    for step, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if p[i] >= alpha / (len(p) - step):
            break
        rejected[i] = True
    return rejected


@pytest.mark.parametrize("seed", range(20))
def test_holm_rejects_what_the_procedure_does(seed: int) -> None:
    p = (np.random.default_rng(seed).random(6) ** 4).tolist()
    assert (holm(p) < 0.05).tolist() == holm_step_by_step(p, 0.05)


def test_holm_is_monotone_and_at_most_1() -> None:
    p = np.random.default_rng(0).random((50, 8))
    adjusted = holm(p)
    order = p.argsort(axis=-1)
    assert (np.diff(np.take_along_axis(adjusted, order, -1), axis=-1) >= 0).all()
    assert adjusted.max() == 1.0
    np.testing.assert_array_equal(adjusted[3], holm(p[3]))


def test_holm_of_a_comparison_without_p() -> None:
    # It stays in the family: else a run that is missing would make the others easier.
    np.testing.assert_allclose(holm([0.01, None, 0.04]), [0.03, math.nan, 0.08])
    np.testing.assert_allclose(holm([0.01, 0.04], family=10), [0.1, 0.36])
    assert holm([]).shape == (0,)


# The verdict


@pytest.mark.parametrize(
    ("difference", "interval90", "p", "delta", "expected"),
    [
        (0.010, (0.008, 0.012), 0.01, 0.005, "better"),
        (-0.010, (-0.012, -0.008), 0.01, 0.005, "worse"),
        (0.010, (0.008, 0.012), 0.05, 0.005, "inconclusive"),  # below alpha, not at it
        (0.010, (-0.002, 0.022), 0.20, 0.005, "inconclusive"),
        (0.003, (0.002, 0.004), 0.01, 0.005, "equivalent"),  # found, and too small to matter
        (0.003, (0.000, 0.006), 0.01, 0.005, "inconclusive"),  # found, and it may matter
        (0.000, (-0.004, 0.004), 0.90, 0.005, "equivalent"),
        (0.000, (-0.004, 0.006), 0.90, 0.005, "inconclusive"),
        (0.000, (-0.006, 0.004), 0.90, 0.005, "inconclusive"),
        (0.000, (-0.005, 0.004), 0.90, 0.005, "inconclusive"),  # inside, not at the end
        (0.005, (0.004, 0.006), 0.01, 0.005, "better"),  # at least delta
        (0.004999999, (0.004, 0.006), 0.01, 0.005, "better"),  # as float32 has it
        (0.0049, (0.004, 0.006), 0.01, 0.005, "inconclusive"),
        (0.0001, (0.0001, 0.0001), 0.01, None, "better"),
        (0.0001, (-0.0001, 0.0003), 0.30, None, "inconclusive"),
        (0.0, (0.0, 0.0), 1.0, 0.0, "inconclusive"),
        (0.010, (0.008, 0.012), None, 0.005, "inconclusive"),
        (0.010, (0.008, 0.012), math.nan, 0.005, "inconclusive"),
    ],
)
def test_verdict(
    difference: float,
    interval90: tuple[float, float],
    p: float | None,
    delta: float | None,
    expected: str,
) -> None:
    assert verdict_of(difference, interval90, p, delta) == expected
    # A loss is the mirror image, and so is the pair turned round.
    mirrored = {"better": "worse", "worse": "better"}.get(expected, expected)
    assert verdict_of(difference, interval90, p, delta, higher_is_better=False) == mirrored
    turned = (-interval90[1], -interval90[0])
    assert verdict_of(-difference, turned, p, delta) == mirrored


def test_equivalence_is_two_one_sided_tests() -> None:
    # The 90 % interval lies inside exactly where both tests at 5 % reject (Schuirmann 1987).
    generator = np.random.default_rng(0)
    verdicts = set()
    for _ in range(200):
        d = generator.normal(0.0, 0.01, 8)
        below = stats.ttest_1samp(d, 0.01, alternative="less").pvalue
        above = stats.ttest_1samp(d, -0.01, alternative="greater").pvalue
        verdict = verdict_of(d.mean(), effect_of(d).interval90, None, 0.01)
        assert (verdict == "equivalent") == (max(below, above) < 0.05)
        verdicts.add(verdict)
    assert verdicts == {"equivalent", "inconclusive"}


# Superiority and pairing


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_superiority(higher_is_better: bool) -> None:
    share, low, high = superiority(
        [3, 3, 3, 3], [1, 2, 3, 4], 0.9, higher_is_better=higher_is_better
    )
    wins = 2.5 if higher_is_better else 1.5
    assert share == wins / 4
    assert low == pytest.approx(stats.beta.ppf(0.05, wins, 5 - wins))
    assert high == pytest.approx(stats.beta.ppf(0.95, wins + 1, 4 - wins))


@pytest.mark.parametrize(
    ("a", "b"), [([1, 2], [2, 3]), ([0.1] * 3, [1, 2, 3]), ([1, 2, math.inf], [1, 2, 3])]
)
def test_no_correlation(a: list[float], b: list[float]) -> None:
    assert correlation(a, b) is None
    assert correlation(b, a) is None


def test_variance_ratio_is_1_minus_the_correlation_where_variances_are_equal() -> None:
    for seed, r in itertools.product(range(3), (-0.5, 0.0, 0.9)):
        x, y = stats.zscore(np.random.default_rng(seed).normal(size=(2, 12)), axis=1)
        y = stats.zscore(y - x * (x @ y) / (x @ x))
        b = r * x + math.sqrt(1 - r**2) * y
        assert correlation(x, b) == pytest.approx(r)
        assert variance_ratio(x, b) == pytest.approx(1 - r)


def test_no_variance_ratio() -> None:
    assert variance_ratio([0.1] * 3, [0.3] * 3) is None
    assert variance_ratio([1], [2]) is None
    assert variance_ratio([1, math.inf], [2, 3]) is None
    assert variance_ratio([0.1, 0.2], [0.3, 0.3]) == pytest.approx(1.0)
