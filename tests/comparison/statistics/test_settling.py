"""Families at their looks: Holm, what stays settled, equivalence, and repeated intervals."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from experiments.comparison.statistics.paired import Effect, effect_of
from experiments.comparison.statistics.settling import EQUIVALENCE, at_look, settle
from experiments.comparison.statistics.spending import Looks, nominal_levels

LOOKS = Looks((5, 8, 12), "pocock")
WIDE = (-math.inf, math.inf)


def effect(difference: float, p: float, inner: tuple[float, float] = WIDE) -> Effect:
    """Return an effect of which a verdict needs no more than this."""
    return Effect(5, difference, 1.0, 0.4, 4, WIDE, 0.95, inner, p)


def verdicts(family: list[list[Effect]], **more: object) -> list[tuple[int | None, str]]:
    found = settle(family, **{"family": len(family), "delta": None, **more})
    return [(one.look, one.verdict) for one in found]


def test_what_is_settled_stays_so_whatever_comes_after() -> None:
    turned = [effect(1.0, 0.01), effect(-1.0, 0.01), effect(-1.0, 0.01)]
    assert verdicts([turned]) == [(0, "better")]
    worse = verdicts([turned], higher_is_better=False)
    assert worse == [(0, "worse")]


def test_holm_leaves_a_comparison_more_of_alpha_once_others_are_rejected() -> None:
    never = [effect(0.1, 0.04), effect(0.1, 0.04)]
    late = [effect(1.0, 0.2), effect(1.0, 0.02)]
    # 0.04 alone is above 0.05 / 2, until the other one is rejected at the second look.
    assert verdicts([never, late]) == [(1, "better"), (1, "better")]
    assert verdicts([never, [effect(1.0, 0.2), effect(1.0, 0.03)]])[0] == (1, "inconclusive")


def test_one_whose_seeds_end_is_judged_again_as_it_stood() -> None:
    ends = [effect(0.1, 0.04)]
    late = [effect(1.0, 0.2), effect(1.0, 0.02)]
    assert verdicts([ends, late]) == [(0, "better"), (1, "better")]


def test_a_comparison_without_a_look_counts_in_the_family() -> None:
    [none, one] = settle([[], [effect(1.0, 0.03)]], family=2, delta=None)
    assert (none.look, none.verdict, one.verdict) == (None, "inconclusive", "inconclusive")
    assert math.isnan(none.p_holm)
    assert one.p_holm == pytest.approx(0.06)


def test_a_claim_needs_delta_at_the_look_that_settles_it() -> None:
    grows = [effect(0.4, 0.001), effect(0.6, 0.001)]
    assert verdicts([grows], delta=0.5) == [(1, "better")]
    shrinks = [effect(0.4, 0.001), effect(0.3, 0.001, (0.1, 0.45))]
    assert verdicts([shrinks], delta=0.5) == [(1, "equivalent")]


def test_nothing_to_settle_is_nothing() -> None:
    assert settle([], family=1, delta=None) == []


def test_an_interval_is_students_at_the_level_of_its_look() -> None:
    d = np.random.default_rng(0).standard_normal(8)
    judged = at_look(effect_of(d), 0.3, LOOKS, 1, 0.05)
    error = d.std(ddof=1) / math.sqrt(8)
    for ends, level in (
        (judged.interval, nominal_levels(LOOKS, 0.05)[1]),
        (judged.interval90, 2 * nominal_levels(LOOKS, EQUIVALENCE, 1)[1]),
    ):
        half = t.isf(level / 2, 7) * error
        assert ends == pytest.approx((d.mean() - half, d.mean() + half))
    assert (judged.p, judged.level) == (0.3, 0.95)


def test_there_is_no_interval_of_one_seed_or_of_failures() -> None:
    one = at_look(effect_of([0.3]), 1.0, Looks((1, 2)), 0, 0.05)
    failed = at_look(effect_of([0.1, math.inf]), 1.0, Looks((2, 4)), 0, 0.05)
    assert one.interval == failed.interval == failed.interval90 == WIDE


def test_intervals_of_all_looks_hold_the_mean_together() -> None:
    repeats, looks = 10_000, Looks((6, 9, 12, 20))
    d = np.random.default_rng(1).standard_normal((repeats, 20))
    missed = {0.05: np.zeros(repeats, bool), 0.05 / 6: np.zeros(repeats, bool)}
    for alpha, out in missed.items():
        for n, level in zip(looks.sizes, nominal_levels(looks, alpha), strict=True):
            own = d[:, :n]
            out |= np.abs(own.mean(1)) > t.isf(level / 2, n - 1) * own.std(1, ddof=1) / math.sqrt(n)
        # By Student's t at levels of known deviations: exact to a tenth of alpha, and 3 errors.
        assert out.mean() <= 1.1 * alpha + 3 * math.sqrt(alpha / repeats)
        assert out.mean() >= 0.8 * alpha


def test_a_settled_effect_keeps_what_it_was_made_of() -> None:
    whole = effect_of([0.1, 0.3, 0.2, 0.4, 0.3])
    judged = at_look(whole, 0.5, LOOKS, 0, 0.05)
    own = {"p": whole.p, "interval": whole.interval, "interval90": whole.interval90}
    assert replace(judged, **own, level=whole.level) == whole
