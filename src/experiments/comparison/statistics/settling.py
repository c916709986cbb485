"""At which look each comparison of a family is settled: better, worse, or equivalent.

Differences are shown by the sequential sign-flip test and Holm's step-down (`sequential.py`).
Equivalence is shown by two one-sided t tests (Schuirmann 1987) that spend 5 % of their own over the
same looks, as an interval inside +-delta. What is settled is judged no more: seeds that come later
change nothing.

Legend of shapes: M comparisons, K looks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from scipy.special import stdtrit

from experiments.comparison.statistics.paired import Effect, Ends, Verdict, holm, verdict_of
from experiments.comparison.statistics.spending import Looks, nominal_levels

EQUIVALENCE = 0.05
"""What the tests of equivalence spend over all looks, of each comparison, as in `verdict_of`."""
E = TypeVar("E", bound=Effect)


@dataclass(frozen=True)
class Standing:
    """Where a comparison stands.

    Attributes:
        look: the index of the look that it is judged at, None before the first.
        verdict: what is said there.
        p_holm: its p in the family, NaN before the first look.
    """

    look: int | None
    verdict: Verdict
    p_holm: float

    @property
    def is_settled(self) -> bool:
        return self.verdict != "inconclusive"


def at_look(effect: E, p: float, looks: Looks, k: int, level: float) -> E:
    r"""Return an effect as look k judges it: p of the sequential test, and repeated intervals.

    $$ \bar d_k \pm t_{1 - a_k / 2,\, n_k - 1} \, s_k / \sqrt{n_k} $$

    where $a_k$ is the level of look k (`nominal_levels`), so that all intervals of all looks hold
    the mean together with a chance of 1 - level (Jennison & Turnbull 1989, "Interim analyses: the
    repeated confidence interval approach"). The field `interval90` is the one that shows
    equivalence.

    Args:
        effect: of the first $n_k$ seeds.
        p: of `sequential_p` at look k.
        level: of this comparison over all looks, alpha / m.
    """
    own = nominal_levels(looks, level)[k]
    inner = 2 * nominal_levels(looks, EQUIVALENCE, 1)[k]
    ends, inner_ends = t_ends(effect, own), t_ends(effect, inner)
    return replace(effect, p=p, level=1 - level, interval=ends, interval90=inner_ends)


def t_ends(effect: Effect, level: float) -> Ends:
    """Return the interval of Student's t at 1 - level, the whole line where there is none."""
    half = -float(stdtrit(effect.df, level / 2)) * effect.standard_error if effect.df > 0 else 0.0
    if not math.isfinite(effect.standard_error) or not math.isfinite(half) or effect.df < 1:
        return -math.inf, math.inf
    return effect.difference - half, effect.difference + half


def settle(
    effects: Sequence[Sequence[Effect]],
    *,
    family: int,
    delta: float | None,
    alpha: float = 0.05,
    higher_is_better: bool = True,
) -> list[Standing]:
    """Return where each comparison stands after all looks that its seeds reach.

    At each look those that are open are judged by all seeds so far. A comparison whose seeds do not
    reach a look is judged again as it stood, for others may have left it more of alpha; one without
    any look counts in the family.

    Args:
        effects: of each comparison (M), that of each look that it has (at most K), see `at_look`.
        family, delta, alpha, higher_is_better: see `compare_pair` and `verdict_of`.
    """
    places: list[int | None] = [None] * len(effects)
    verdicts: list[Verdict] = ["inconclusive"] * len(effects)
    adjusted = [math.nan] * len(effects)
    for k in range(max(map(len, effects), default=0)):
        still_open = [i for i, verdict in enumerate(verdicts) if verdict == "inconclusive"]
        for i in still_open:
            places[i] = k if k < len(effects[i]) else places[i]
        p = [math.nan if at is None else own[at].p for own, at in zip(effects, places, strict=True)]
        adjusted = holm(p, family).tolist()
        for i in still_open:
            at = places[i]
            if at is not None:
                effect = effects[i][at]
                verdicts[i] = verdict_of(
                    effect.difference,
                    effect.interval90,
                    adjusted[i],
                    delta,
                    alpha=alpha,
                    higher_is_better=higher_is_better,
                )
    return [Standing(*own) for own in zip(places, verdicts, adjusted, strict=True)]
