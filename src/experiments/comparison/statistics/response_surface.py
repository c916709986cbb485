"""Where a search's scores point to in one key: the top of a parabola.

The best of a few drawn points lies near an end of some range by chance alone, and of an optimum
beyond a range the best point need not be the outermost one. So an end is judged by all points that
tell of it: by a second-order response surface (Box & Wilson 1951, "On the experimental attainment
of optimum conditions") without its products,

    score = a + sum over j of b_j u_j + c_j u_j^2,

by least squares. Of the trials it takes the better half, since far from the top nothing is a
parabola, and all that lie further out than the best one, since they say what is there; what is
worse than the median, or has failed, counts as the median, since a fall is no parabola either. So
the top is a rough one, and good for telling an end from the inside.

N trials, D keys; u is a value's place in its range, from 0 to 1.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike


def top_of_key(places: ArrayLike, scores: ArrayLike, key: int) -> float | None:
    """Return at which place the parabola of a key is highest, 0 or 1 for an end.

    Args:
        places: of shape (N, D); beyond a range they count as its end.
        scores: of shape (N,), higher is better; those of failed trials are not finite.
        key: its column.

    Returns:
        None where there are fewer trials than twice the keys and two, or all have failed.

    >>> u = np.linspace(0, 1, 9)[:, None]
    >>> round(top_of_key(u, -(u[:, 0] - 0.4) ** 2, 0), 2), top_of_key(u, u[:, 0] ** 2, 0)
    (0.39, 1.0)
    """
    u = np.clip(np.asarray(places, dtype=float), 0, 1)
    y = np.asarray(scores, dtype=float)
    y = np.where(np.isfinite(y), y, -np.inf)
    least = 2 * u.shape[1] + 2
    if len(y) < least or not np.isfinite(y).any():
        return None
    order = np.argsort(-y, kind="stable")  # before the clipping, which makes equals of many
    middle = float(y[order[len(y) // 2]])
    y = np.maximum(y, middle if math.isfinite(middle) else y[np.isfinite(y)].min())
    taken = np.zeros(len(y), dtype=bool)
    taken[order[: max(math.ceil(len(y) / 2), least)]] = True
    best = u[order[0], key]
    taken |= u[:, key] > best if best > 0.5 else u[:, key] < best
    v = u[taken] - 0.5
    terms = np.column_stack([np.ones(len(v)), v, v**2])
    coefficients = np.linalg.lstsq(terms, y[taken], rcond=None)[0]
    slopes, bends = np.split(coefficients[1:], 2)
    return top_of(float(slopes[key]), float(bends[key]))


def top_of(slope: float, bend: float) -> float:
    """Return where slope v + bend v^2 is highest of v from -1/2 to 1/2, as a place from 0 to 1."""
    if bend < 0 and abs(slope) < -bend:
        return 0.5 - slope / (2 * bend)
    return 1.0 if slope > 0 else 0.0
