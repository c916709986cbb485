"""What guessing gets right, against the distribution of guesses that look at nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from experiments.record.chance import chance_of


@pytest.mark.parametrize(("k", "n"), [(10, 359), (2, 100), (100, 10_000)])
def test_of_classes_alike_it_is_one_in_k_and_3_binomial_errors(k: int, n: int) -> None:
    chance = chance_of([n / k] * k)
    assert chance.share == pytest.approx(1 / k)
    assert chance.limit == pytest.approx(1 / k + 3 * math.sqrt(1 / k * (1 - 1 / k) / n))


@pytest.mark.parametrize(
    ("counts", "share"), [([950, 50], 0.95), ([5, 20, 75], 0.75), ([0, 7], 1.0), ([30], 1.0)]
)
def test_it_is_the_share_of_the_most_frequent_class(counts: list[int], share: float) -> None:
    chance = chance_of(counts)
    assert chance.share == share
    assert share <= chance.limit <= 1


@pytest.mark.parametrize("rare", [5, 20, 45, 50])
def test_nobody_who_looks_at_nothing_gets_above_the_limit(rare: int) -> None:
    """Of 100 points with `rare` of one class, whoever says it m times hits hypergeometrically."""
    limit = chance_of([100 - rare, rare]).limit
    for m in range(0, rare + 1, 5):
        hits = stats.hypergeom(100, rare, m)
        accuracies = (100 - rare - m + 2 * np.arange(m + 1)) / 100
        assert float(hits.pmf(np.arange(m + 1))[accuracies > limit + 1e-9].sum()) < 0.03


def test_a_classifier_that_has_learned_the_rare_class_is_above_the_limit() -> None:
    # 3 binomial errors above 95 % would be 97.1 %: half of the rare class found would not show.
    assert chance_of([950, 50]).limit < 0.96
