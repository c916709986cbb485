"""The expected best of k trials: against every subset, closed forms, and the paper's estimator."""

from __future__ import annotations

import itertools
import math
from statistics import fmean

import numpy as np
import pytest

from experiments.comparison.statistics.expected_best import chances_of_choice, expected_best
from experiments.record.metric import Scores, best_trial, mean_score

TRIALS: list[Scores] = [
    [0.70, 0.74, 0.72],
    [0.91, 0.90, 0.95],
    [0.91, 0.95, 0.90],  # as good as the one before
    [None, 0.97, 0.98],
    [None, None, None],
    [0.10, 0.10, 0.12],
    [0.88, math.nan, 0.89],
]


def by_enumeration(trials: list[Scores], k: int, metric: str, seed: int | None = None) -> float:
    """The mean over all subsets of what each of them would choose, by the rule of tuning itself."""
    found = []
    for subset in itertools.combinations(trials, k):
        chosen = best_trial(subset, metric)
        scores = subset[0 if chosen is None else chosen]
        found.append(mean_score(scores if seed is None else [scores[seed]], metric))
    return fmean(found)


@pytest.mark.parametrize("metric", ["val/accuracy", "val/loss", "val/r2"])
def test_it_is_the_mean_over_all_subsets(metric: str) -> None:
    found = expected_best(TRIALS, metric)
    for k in range(1, len(TRIALS) + 1):
        assert found.mean[k - 1] == pytest.approx(by_enumeration(TRIALS, k, metric))
        for seed in range(3):
            by_seed = by_enumeration(TRIALS, k, metric, seed)
            assert found.by_seed[seed, k - 1] == pytest.approx(by_seed)
    # Three trials have a failed run: as long as only such may be drawn, a loss is infinite.
    assert list(np.isinf(found.mean)) == [metric != "val/accuracy"] * 3 + [False] * 4


def test_the_last_is_what_tuning_chose_and_the_first_the_mean() -> None:
    found = expected_best(TRIALS, "val/accuracy")
    assert found.mean[-1] == pytest.approx(fmean([0.91, 0.90, 0.95]))
    assert found.by_seed[:, -1] == pytest.approx([0.91, 0.90, 0.95])  # of equals the first
    assert found.mean[0] == pytest.approx(fmean(mean_score(t, "val/accuracy") for t in TRIALS))
    assert (found.low <= found.mean).all()
    assert (found.mean <= found.high).all()
    assert (np.diff(found.mean) >= 0).all()


@pytest.mark.parametrize("n", [1, 2, 9, 200])
def test_chances_are_those_of_order_statistics(n: int) -> None:
    scores = np.random.default_rng(n).permutation(n)
    chances = chances_of_choice(scores)
    assert chances.sum(axis=1) == pytest.approx(np.ones(n))
    assert chances[0] == pytest.approx(np.full(n, 1 / n))
    # The best is chosen wherever it is drawn: k of n times.
    assert chances[:, scores.argmax()] == pytest.approx(np.arange(1, n + 1) / n)
    assert chances_of_choice(-scores, higher_is_better=False) == pytest.approx(chances)
    # Of 0, ..., n - 1 the best of k is k (n + 1) / (k + 1) - 1 (David & Nagaraja 2003, section 3.7).
    k = np.arange(1, n + 1)
    assert chances @ scores == pytest.approx(k * (n + 1) / (k + 1) - 1)


def test_it_has_no_bias_where_the_papers_estimate_is_too_low() -> None:
    """The best of k uniform numbers is k / (k + 1) on average."""
    generator = np.random.default_rng(0)
    n, k, repeats = 8, np.arange(1, 9), 4000
    ours, papers = np.zeros(n), np.zeros(n)
    for _ in range(repeats):
        scores = generator.random(n)
        ours += expected_best([[s] for s in scores], "val/accuracy").mean / repeats
        # Dodge et al. 2019, equation 4: draws with replacement.
        shares = np.arange(n + 1) / n
        steps = np.diff(shares[None] ** k[:, None], axis=1)
        papers += steps @ np.sort(scores) / repeats
    error = 4 * 0.3 / math.sqrt(repeats)
    assert abs(ours - k / (k + 1)).max() < error
    assert (papers[3:] < k[3:] / (k[3:] + 1) - error).all()
    assert papers[0] == pytest.approx(ours[0])


def test_how_many_trials_come_near_what_all_of_them_choose() -> None:
    accuracy = expected_best([[0.1], [0.5], [0.9]], "val/accuracy")
    assert accuracy.mean.tolist() == pytest.approx([0.5, 2.3 / 3, 0.9])
    assert [accuracy.fewest(m) for m in (0.0, 0.13, 0.14, 0.4)] == [3, 3, 2, 1]
    loss = expected_best([[0.1], [None], [0.9]], "val/loss")
    assert loss.mean.tolist() == [math.inf, pytest.approx(1.1 / 3), 0.1]
    assert [loss.fewest(margin) for margin in (10.0, 0.1)] == [2, 3]
    assert expected_best([[None], [None]], "val/loss").fewest(0.1) is None
