"""Where a search's scores point to."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.comparison.statistics.response_surface import top_of, top_of_key


def test_the_top_of_a_parabola_is_found_in_each_key() -> None:
    rng = np.random.default_rng(0)
    for number in (8, 18, 40):
        u = rng.random((number, 3))
        y = 0.9 - 0.1 * (u[:, 0] - 0.6) ** 2 - 0.1 * (u[:, 1] - 1.3) ** 2
        found = [top_of_key(u, y, key) for key in range(2)]
        assert found == [pytest.approx(0.6, abs=0.25 if number == 8 else 0.15), 1.0]
    assert top_of_key(u[:7], y[:7], 0) is None
    assert top_of_key(u, np.full(40, -np.inf), 0) is None
    # Beyond a range counts as its end, as a weight decay of 0 on a logarithmic scale.
    u[:, 2] = np.where(u[:, 2] < 0.1, -np.inf, u[:, 2])
    assert np.isfinite(top_of_key(u, y, 2) or np.nan)


def test_of_one_key_it_is_where_the_parabola_has_it() -> None:
    u = np.linspace(0, 1, 21)[:, None]
    for at in (0.3, 0.5, 0.7):
        assert top_of_key(u, -((u[:, 0] - at) ** 2), 0) == pytest.approx(at, abs=0.1)


def test_what_fails_further_out_says_that_the_end_is_none() -> None:
    u = np.linspace(0, 1, 19)[:, None]
    slow = 0.9 - 0.1 * np.maximum(0.8 - u[:, 0], 0)
    assert top_of_key(u, slow + 0.1 * np.maximum(u[:, 0] - 0.8, 0), 0) == 1.0
    for failed in (-np.inf, 0.0):
        y = np.where(u[:, 0] > 0.8, failed, slow)
        top = top_of_key(u, y, 0)
        assert top is not None
        assert 0.5 < top < 0.9


@pytest.mark.parametrize("slope", [-2.0, -0.3, 0.0, 0.1, 1.0, 3.0])
@pytest.mark.parametrize("bend", [-1.5, -0.5, 0.0, 1.0])
def test_a_top_is_the_highest_of_a_fine_line(slope: float, bend: float) -> None:
    v = np.linspace(-0.5, 0.5, 100_001)
    heights = slope * v + bend * v**2
    top = top_of(slope, bend) - 0.5
    assert slope * top + bend * top**2 == pytest.approx(heights.max(), abs=1e-9)
