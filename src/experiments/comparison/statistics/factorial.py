r"""Two factors at once: what each does, and whether one's effect depends on the other.

Every combination of levels is trained on the same seeds, which are blocks: an effect is computed
within each seed, and tested by flipping the signs of whole seeds.

Legend of shapes: A levels of the first factor, B of the second, S seeds. y are the scores,
of shape (A, B, S).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from experiments.comparison.statistics.paired import (
    FLOAT32,
    Effect,
    Verdict,
    effect_of,
    holm,
    verdict_of,
)
from experiments.comparison.statistics.permutation import sign_flip_together


@dataclass(frozen=True)
class Contrast:
    """One effect of a family, and what may be said of it.

    Attributes:
        levels: the index of a level, or one of either factor for an interaction.
        effect: its difference over the seeds.
        p_holm: adjusted for the family.
        verdict: of a main effect, whether the level is better than the control's; of an
            interaction, whether the combination gains more than its parts do one by one.
    """

    levels: tuple[int, ...]
    effect: Effect
    p_holm: float
    verdict: Verdict


@dataclass(frozen=True)
class Factorial:
    """The effects of two factors.

    Attributes:
        seeds: the indices of the seeds on which every combination has a score; all else here is of
            these alone.
        main: of either factor, each level against the control's, averaged over the other factor.
        main_p: of either factor, of the hypothesis that its levels are all alike.
        interaction: each combination of two levels that are not the control's; see `interactions`.
        interaction_p: of the hypothesis that the two factors' effects add up everywhere.
        shares: see `variance_shares`.
    """

    seeds: tuple[int, ...]
    main: tuple[list[Contrast], list[Contrast]]
    main_p: tuple[float, float]
    interaction: list[Contrast]
    interaction_p: float
    shares: dict[str, float] | None


def common_seeds(scores: ArrayLike) -> tuple[int, ...]:
    """Return the indices of the seeds on which every combination has a score.

    >>> common_seeds([[[0.9, 0.8, 0.7], [0.9, np.nan, 0.7]]])
    (0, 2)
    """
    is_complete = ~np.isnan(np.asarray(scores, dtype=float)).any(axis=(0, 1))
    return tuple(np.flatnonzero(is_complete).tolist())


def factorial(
    scores: ArrayLike,
    control: tuple[int, int],
    delta: float | None,
    *,
    alpha: float = 0.05,
    higher_is_better: bool = True,
    overlap: float | None = None,
) -> Factorial | None:
    """Return the effects of two factors.

    None where fewer than two seeds are common to all combinations, or where one of their scores is
    infinite, as a failed run's loss is: it has no mean to compare.

    Args:
        scores: of shape (A, B, S), NaN where a run is missing.
        control: the index of the control's level of either factor.
        delta, higher_is_better: see `verdict_of`.
        alpha: the chance of any false claim in a family. The other levels of a factor are one
            family, and the (A - 1)(B - 1) interactions are one.
        overlap: of splits in place of seeds, see `compare_pair`: no signs are flipped then, and the
            p of a whole family is the smallest in it, adjusted by Holm.
    """
    scores = np.asarray(scores, dtype=float)
    seeds = common_seeds(scores)
    y = scores[:, :, list(seeds)]
    if len(seeds) < 2 or not np.isfinite(y).all():
        return None
    rounding = FLOAT32 * float(np.abs(y).max())

    def judged(effects: Mapping[tuple[int, ...], np.ndarray], resolution: float) -> list[Contrast]:
        return contrasts(effects, resolution, delta, alpha, higher_is_better, overlap)

    def p_of(effects: np.ndarray, tested: list[Contrast], resolution: float) -> float:
        return p_of_all(effects, resolution) if overlap is None else smallest_p_of(tested)

    first, second, both = deviations(y)
    main = (
        judged(main_effects(y, 0, control[0]), rounding),
        judged(main_effects(y, 1, control[1]), rounding),
    )
    interaction = judged(interactions(y, control), 2 * rounding)
    return Factorial(
        seeds=seeds,
        main=main,
        main_p=(p_of(first, main[0], rounding), p_of(second, main[1], rounding)),
        interaction=interaction,
        interaction_p=p_of(both, interaction, 2 * rounding),
        shares=variance_shares(y),
    )


def main_effects(y: np.ndarray, factor: int, control: int) -> dict[tuple[int, ...], np.ndarray]:
    r"""Return of each other level of a factor, seed by seed, what it does on average.

    $$ \bar y_{a \cdot s} - \bar y_{a_0 \cdot s} $$

    By (level,), arrays of shape (S,).
    """
    marginal = y.mean(axis=1 - factor)
    return {
        (level,): marginal[level] - marginal[control]
        for level in range(len(marginal))
        if level != control
    }


def interactions(y: np.ndarray, control: tuple[int, int]) -> dict[tuple[int, ...], np.ndarray]:
    r"""Return of each combination, seed by seed, what it does beyond the sum of both changes.

    $$ y_{abs} - y_{a b_0 s} - y_{a_0 b s} + y_{a_0 b_0 s} $$

    By (a, b), without the control's row and column, arrays of shape (S,).
    """
    a_0, b_0 = control
    beyond = y - y[:, [b_0]] - y[[a_0]] + y[a_0, b_0]
    return {(a, b): beyond[a, b] for a, b in np.ndindex(*beyond.shape[:2]) if a != a_0 and b != b_0}


def contrasts(
    effects: Mapping[tuple[int, ...], np.ndarray],
    resolution: float,
    delta: float | None,
    alpha: float,
    higher_is_better: bool,
    overlap: float | None = None,
) -> list[Contrast]:
    """Return the effects of one family, tested, adjusted and judged; see `factorial`."""
    tested = {
        levels: effect_of(
            d, alpha=alpha, family=len(effects), resolution=resolution, overlap=overlap
        )
        for levels, d in effects.items()
    }
    adjusted = holm([effect.p for effect in tested.values()])
    judged = []
    for (levels, effect), p in zip(tested.items(), adjusted.tolist(), strict=True):
        verdict = verdict_of(
            effect.difference,
            effect.interval90,
            p,
            delta,
            alpha=alpha,
            higher_is_better=higher_is_better,
        )
        judged.append(Contrast(levels, effect, p, verdict))
    return judged


def deviations(y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Return both factors' effects and their interaction, seed by seed, each summing to 0.

    Unlike contrasts with a control they do not depend on what the control is.

    Returns:
        $\bar y_{a \cdot s} - \bar y_{\cdot \cdot s}$ of shape (A, S), the same of the second factor
        of shape (B, S), and what is left of $y_{abs} - \bar y_{\cdot \cdot s}$ without both, of
        shape (A, B, S).
    """
    common = y.mean(axis=(0, 1))
    first = y.mean(axis=1) - common
    second = y.mean(axis=0) - common
    return first, second, y - common - first[:, np.newaxis] - second


def smallest_p_of(contrasts: list[Contrast]) -> float:
    """Return the smallest adjusted p of a family, which holds for the whole of it."""
    return min((c.p_holm for c in contrasts if not np.isnan(c.p_holm)), default=1.0)


def p_of_all(effects: np.ndarray, resolution: float) -> float:
    """Return the p of the hypothesis that effects of shape (..., S) are all zero.

    It is exact where noise is symmetric, and where the effects have one degree of freedom.
    """
    by_seed = effects.reshape(-1, effects.shape[-1]).T
    return float(sign_flip_together(by_seed, resolution=resolution))


def variance_shares(y: np.ndarray) -> dict[str, float] | None:
    r"""Return where the variance of all runs comes from; None where nothing varies.

    The sums of squares of a balanced analysis of variance with seeds as blocks, over their sum
    (Fisher's $\eta^2$):

    $$ y_{abs} - \bar y = \alpha_a + \beta_b + (\alpha\beta)_{ab} + \sigma_s + \epsilon_{abs} $$

    Returns:
        the shares of the first factor, of the second, of their interaction, of what all runs of a
        seed have in common, and of the rest; they sum to 1.
    """
    if np.ptp(y) == 0:
        return None
    first, second, both = (d.mean(axis=-1, keepdims=True) for d in deviations(y))
    seed = y.mean(axis=(0, 1)) - y.mean()
    parts = np.broadcast_arrays(first[:, np.newaxis], second, both, seed, y)[:4]
    rest = y - y.mean() - sum(parts)
    squares = np.array([(part**2).sum() for part in (*parts, rest)])
    names = ("first", "second", "interaction", "seed", "rest")
    return dict(zip(names, (squares / squares.sum()).tolist(), strict=True))
