"""Several tasks: Demšar's worked example, with scipy and scikit-posthocs as twins."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from experiments.comparison.statistics.ranking import (
    against_control,
    cliques,
    critical_difference,
    friedman,
    ranks,
    standard_error,
)

# Demšar 2006, table 6: C4.5, C4.5+m, C4.5+cf, C4.5+m+cf on 14 data sets. The last digit of .97501
# breaks a tie of the printed table as the printed ranks do.
DEMSAR = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.97501, 0.975],
        [0.957, 0.978, 0.946, 0.970],
    ]
)
AVERAGE = ranks(DEMSAR).mean(axis=0)


def test_average_ranks_of_demsar() -> None:
    assert AVERAGE.round(3).tolist() == [3.143, 2.000, 2.893, 1.964]


def test_friedman_of_demsar() -> None:
    found = friedman(ranks(DEMSAR))
    assert round(found.statistic, 2) == 9.28
    assert round(found.corrected, 2) == 10.23
    assert round(found.f, 2) == 3.69
    # The paper: 2.85 is critical for F(3, 39) at 0.05.
    assert found.f_p == pytest.approx(stats.f.sf(found.f, 3, 39))
    assert found.f_p < 0.05
    assert found.p == pytest.approx(stats.chi2.sf(found.statistic, 3))


def test_nemenyi_of_demsar() -> None:
    assert round(critical_difference(4, 14), 2) == 1.25
    assert round(critical_difference(4, 14, 0.10), 2) == 1.12
    assert round(critical_difference(4, 14) / standard_error(4, 14), 3) == 2.569
    assert round(critical_difference(4, 14, 0.10) / standard_error(4, 14), 3) == 2.291


def test_against_c45_of_demsar() -> None:
    found = against_control(AVERAGE, 14, control=0)
    assert [one.setting for one in found] == [1, 2, 3]
    assert [round(one.z, 3) for one in found] == [2.342, 0.512, 2.415]
    assert [float(f"{one.p:.3g}") for one in found] == [0.0192, 0.608, 0.0157]
    assert [float(f"{one.p_holm:.3g}") for one in found] == [0.0472, 0.608, 0.0472]


def test_cliques_of_demsar() -> None:
    # At 0.05 the difference of best and worst, 1.18, is below 1.25; at 0.10 C4.5 is worse than two.
    assert cliques(AVERAGE, critical_difference(4, 14)) == [[3, 1, 2, 0]]
    assert cliques(AVERAGE, critical_difference(4, 14, 0.10)) == [[3, 1, 2], [2, 0]]


@pytest.mark.parametrize(
    ("k", "q_05", "q_10"),
    [
        (2, 1.960, 1.645),
        (3, 2.343, 2.052),
        (5, 2.728, 2.459),
        (7, 2.949, 2.693),
        (10, 3.164, 2.920),
    ],
)
def test_critical_values_of_demsar(k: int, q_05: float, q_10: float) -> None:
    # Table 5a of the paper, rounded there.
    assert critical_difference(k, 20) / standard_error(k, 20) == pytest.approx(q_05, abs=1e-3)
    assert critical_difference(k, 20, 0.1) / standard_error(k, 20) == pytest.approx(q_10, abs=1e-3)


def random_scores(seed: int, num_ties: int) -> np.ndarray:
    """Return scores of 9 tasks and 5 settings of which some are alike."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(np.linspace(0, 1, 5), 1, (9, 5))
    for task in generator.integers(9, size=num_ties):
        i, j = generator.choice(5, 2, replace=False)
        scores[task, i] = scores[task, j]
    return scores


@pytest.mark.parametrize("num_ties", [0, 6])
@pytest.mark.parametrize("seed", range(4))
def test_friedman_against_scipy(seed: int, num_ties: int) -> None:
    scores = random_scores(seed, num_ties)
    found, twin = friedman(ranks(scores)), stats.friedmanchisquare(*scores.T)
    assert found.corrected == pytest.approx(twin.statistic)
    assert found.corrected_p == pytest.approx(twin.pvalue)
    assert (found.corrected > found.statistic + 1e-9) == (num_ties > 0)


@pytest.mark.parametrize("seed", range(4))
def test_nemenyi_against_scikit_posthocs(seed: int) -> None:
    from scikit_posthocs import posthoc_nemenyi_friedman  # it takes a second to import

    scores = random_scores(seed, 0)
    average = ranks(scores).mean(axis=0)
    p = posthoc_nemenyi_friedman(scores).to_numpy()
    gaps = np.abs(average[:, np.newaxis] - average)
    for alpha in (0.01, 0.05, 0.3):
        np.testing.assert_array_equal(p < alpha, gaps > critical_difference(5, 9, alpha))


def test_ranks() -> None:
    scores = [[0.9, 0.7, 0.9], [0.1, 0.2, 0.3]]
    assert ranks(scores).tolist() == [[1.5, 3, 1.5], [3, 2, 1]]
    assert ranks(scores, higher_is_better=False).tolist() == [[2.5, 1, 2.5], [1, 2, 3]]
    # A failed run's loss ranks last.
    assert ranks([[0.3, np.inf, 0.2]], higher_is_better=False).tolist() == [[2, 3, 1]]


@pytest.mark.parametrize("wrong", [[[0.9, np.nan]], [[0.9], [0.8]], [0.9, 0.8]])
def test_no_ranks(wrong: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="a score of every setting on every task"):
        ranks(wrong)


def test_all_tasks_agree() -> None:
    found = friedman(ranks(np.tile([0.1, 0.2, 0.3], (6, 1))))
    assert found.statistic == pytest.approx(12.0)  # N (K - 1), the largest there is
    assert (found.f, found.f_p) == (np.inf, 0.0)


def test_all_settings_alike() -> None:
    found = friedman(ranks(np.ones((6, 3))))
    assert (found.statistic, found.corrected, found.f) == (0.0, 0.0, 0.0)
    assert found.p == found.corrected_p == found.f_p == 1.0


def test_z_is_positive_for_the_better_one() -> None:
    better, worse = against_control([2.0, 1.0, 3.0], 10, control=0)
    assert better.z == -worse.z > 0
    assert better.p == worse.p == pytest.approx(2 * stats.norm.sf(better.z))


@pytest.mark.parametrize(
    ("average", "critical", "expected"),
    [
        ([1.0, 2.0, 3.0], 0.5, []),
        ([1.0, 2.0, 3.0], 1.0, []),  # a difference of just CD is significant
        ([1.0, 2.0, 3.0], 1.1, [[0, 1], [1, 2]]),
        ([3.0, 1.0, 2.0], 2.1, [[1, 2, 0]]),
        ([1.0, 1.5, 2.2, 4.0, 4.5], 1.3, [[0, 1, 2], [3, 4]]),
        ([2.0, 2.0], 0.1, [[0, 1]]),
    ],
)
def test_cliques(average: list[float], critical: float, expected: list[list[int]]) -> None:
    assert cliques(average, critical) == expected


def test_cliques_against_all_groups() -> None:
    # By the definition: every maximal run of neighbours within the critical difference.
    for seed in range(50):
        average = np.random.default_rng(seed).uniform(1, 7, 7)
        order = average.argsort()
        groups = [
            set(order[i : j + 1].tolist())
            for i in range(7)
            for j in range(i + 1, 7)
            if average[order[j]] - average[order[i]] < 1.5
        ]
        maximal = [group for group in groups if not any(group < other for other in groups)]
        assert [set(clique) for clique in cliques(average, 1.5)] == maximal
