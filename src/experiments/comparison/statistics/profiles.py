r"""How soon: steps until a target is reached, and profiles over tasks.

Dahl et al. 2023, "Benchmarking neural network training algorithms" (AlgoPerf), section 4; Dolan &
Moré 2002, "Benchmarking optimization software with performance profiles".

Steps are counted, since seconds depend on the machine; a run that never reaches the target took
infinitely many, and counts. Legend of shapes: E epochs, M settings, N tasks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

LARGEST_RATIO = 4.0
"""Whoever needs four times the steps of the fastest has no part in the score (AlgoPerf)."""


def steps_to_target(
    steps: ArrayLike, values: ArrayLike, target: float, *, higher_is_better: bool = True
) -> np.ndarray:
    """Return after how many steps a learning curve first is at the target or beyond.

    Nothing is interpolated: it has not been measured.

    Args:
        steps: rising, of shape (E,).
        values: of shape (..., E); NaN where nothing was measured.
        higher_is_better: at the target or above, otherwise at or below.

    Returns:
        of shape (...), infinite where it never is.

    >>> float(steps_to_target([100, 200, 300], [0.5, 0.9, 0.8], 0.8))
    200.0
    """
    steps, values = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
    is_there = values >= target if higher_is_better else values <= target
    return np.where(is_there, steps, np.inf).min(axis=-1, initial=np.inf)


def ratios(steps: ArrayLike) -> np.ndarray:
    r"""Return the steps of each setting over those of the fastest, $r = t / \min t$, task by task.

    Args:
        steps: positive, of shape (M, N), infinite where the target was missed.

    Returns:
        of shape (M, N): at least 1, and infinite for a miss; for all where all missed.

    Raises:
        ValueError: steps are missing, or not positive.
    """
    steps = np.asarray(steps, dtype=float)
    if not (steps > 0).all():
        raise ValueError("Steps to a target are positive, or infinite where it was missed.")
    fastest = steps.min(axis=0)
    # Where all missed, any finite number does: inf / 1 is a miss again, and inf / inf is nothing.
    return steps / np.where(np.isfinite(fastest), fastest, 1.0)


def performance_profile(steps: ArrayLike, taus: ArrayLike) -> np.ndarray:
    r"""Return the share of tasks on which a setting needs at most tau times the fastest's steps.

    $$ \rho_m(\tau) = \frac{1}{N} |\{n : r_{mn} \le \tau\}| $$

    At 1 it is the share of tasks on which the setting is the fastest. A task that nobody solves
    stays among the N, and no curve then reaches 1.

    Args:
        steps: see `ratios`.
        taus: at least 1, of shape (T,).

    Returns:
        of shape (M, T).

    >>> performance_profile([[100, np.inf], [200, 300]], [1, 2]).tolist()
    [[0.5, 0.5], [0.5, 1.0]]
    """
    return (ratios(steps)[:, :, np.newaxis] <= np.asarray(taus, dtype=float)).mean(axis=1)


def profile_score(steps: ArrayLike, largest: float = LARGEST_RATIO) -> np.ndarray:
    r"""Return the mean height of each profile between 1 and the largest ratio.

    $$ \frac{1}{N} \sum_n \max\Big(0, \frac{r_{max} - r_{mn}}{r_{max} - 1}\Big) =
       \frac{1}{r_{max} - 1} \int_1^{r_{max}} \rho_m(\tau) \, d\tau $$

    A missed target scores 0, and so does a task that nobody solves, for all alike. AlgoPerf's
    scores, with $r_{max} = 4$.

    Args:
        steps: see `ratios`.
        largest: r_max, above 1.

    Returns:
        of shape (M,), in [0, 1]; 1 for the fastest on every task.

    >>> profile_score([[100, 200], [100, 500]]).tolist()
    [1.0, 0.75]
    """
    return (np.maximum(0.0, largest - ratios(steps)) / (largest - 1)).mean(axis=1)
