"""What looks cost and what they save: sweeps that stop when they are settled, against fixed ones.

    python benchmarks/looks.py [--sweeps 4000] [--write] [--kept]

Sweeps are drawn, judged at their looks by the code that judges real ones, and judged once at the
largest number of seeds. Nothing depends on the machine: the same numbers come out anywhere. With
--write they go to benchmarks/results/looks.json and into docs/comparison.md, a quarter of an hour;
--kept writes the page alone.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.comparison.statistics.intervals import t_interval
from experiments.comparison.statistics.paired import Effect, holm, verdict_of
from experiments.comparison.statistics.permutation import sign_flip
from experiments.comparison.statistics.sequential import levels_of, sequential_p
from experiments.comparison.statistics.settling import Standing, at_look, settle
from experiments.comparison.statistics.spending import Looks

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "looks.json"
PAGE = ROOT / "docs" / "comparison.md"
BEGIN, END = "<!-- looks: begin -->\n", "<!-- looks: end -->\n"

SIZES = (6, 9, 12, 16, 20)
SPENDINGS = ("obrien_fleming", "pocock")
FAMILIES = (1, 3, 6)
EFFECTS = (0.5, 1.0, 2.0, 4.0)
ALPHA = 0.05
DELTA = 1.0
"""The smallest difference that matters where equivalence is asked for, in standard deviations."""


def errors(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return errors of runs, such that the difference of two has a standard deviation of 1."""
    if kind == "student t, 3 df":
        return rng.standard_t(3, shape) / np.sqrt(6)
    if kind == "exponential":
        return rng.exponential(1, shape) / np.sqrt(2)
    drawn = rng.standard_normal(shape) / np.sqrt(2)
    # As of a small test set, where many scores are one number.
    return np.round(drawn * 2) / 2 if kind == "ties" else drawn


TITLES = {
    "normal": "normal errors",
    "student t, 3 df": "heavy tails (t, 3 df)",
    "exponential": "skew errors (exponential)",
    "ties": "ties (errors in halves of a sd)",
}
KINDS = tuple(TITLES)


def differences(
    rng: np.random.Generator, kind: str, sweeps: int, family: int, seeds: int, effect: float
) -> np.ndarray:
    """Return the differences (R, M, S) of settings to one control, all with the same true one."""
    drawn = errors(rng, kind, (sweeps, family + 1, seeds))
    return drawn[:, 1:] - drawn[:, :1] + effect


def effects_of(
    d: np.ndarray, alone: np.ndarray, looks: Looks, delta: float | None
) -> list[list[Effect]]:
    """Return how each comparison (M, S) looks at each look, as far as a verdict needs it.

    Args:
        alone: p of the sign-flip test at each look by itself, (K, M). Where none is as small as may
            be spent, the one with looks rejects nothing, and need not be asked.
    """
    levels = levels_of(ALPHA, len(d), has_grid=False)
    most = looks.spent(levels).max(axis=1)
    effects = []
    for own, own_alone in zip(d, alone.T, strict=True):
        p = np.ones(len(most))
        if (own_alone <= most).any():
            p = sequential_p(own, looks, levels)
        sizes = enumerate(looks.sizes)
        effects.append([effect_at(own[:n], float(p[k]), looks, k, len(d), delta) for k, n in sizes])
    return effects


def effect_at(
    d: np.ndarray, p: float, looks: Looks, k: int, family: int, delta: float | None
) -> Effect:
    """Return an effect as `effect_of` and `at_look` do, without a test that is not asked for."""
    n, endless = len(d), (-math.inf, math.inf)
    if delta is None:
        return Effect(n, float(d.mean()), np.nan, np.nan, n - 1, endless, np.nan, endless, p)
    sd = float(d.std(ddof=1))
    whole = Effect(n, float(d.mean()), sd, sd / math.sqrt(n), n - 1, endless, 0.0, endless, p)
    return at_look(whole, p, looks, k, ALPHA / family)


def judged_once(d: np.ndarray, p: np.ndarray, delta: float | None) -> list[str]:
    """Return the verdicts of a fixed design on all seeds (M, S), whose tests gave p (M,)."""
    inner = [t_interval(own, 0.9)[1:] for own in d]
    return [
        verdict_of(float(own.mean()), (float(low), float(high)), adjusted, delta, alpha=ALPHA)
        for own, (low, high), adjusted in zip(d, inner, holm(p), strict=True)
    ]


def runs_of(standings: Sequence[Standing], looks: Looks) -> int:
    """Return how many runs a sweep made: of each setting, and of the control the most."""
    seeds = [looks.sizes[s.look] for s in standings if s.look is not None]
    return sum(seeds) + max(seeds)


def shares(verdicts: Sequence[str]) -> list[float]:
    """Return whether any is a claim of a difference, how many are, and how many are equivalent."""
    is_found = [word in ("better", "worse") for word in verdicts]
    is_equal = [word == "equivalent" for word in verdicts]
    return [float(any(is_found)), float(np.mean(is_found)), float(np.mean(is_equal))]


def simulate(
    sizes: tuple[int, ...],
    family: int,
    sweeps: int,
    *,
    kind: str = "normal",
    effect: float = 0.0,
    delta: float | None = None,
    seed: int = 0,
) -> dict[str, dict[str, float]]:
    """Return shares of sweeps and of comparisons, and mean runs, by spending and of a fixed design.

    `any` is the share of sweeps with a claim of a difference, `found` that of comparisons, `equal`
    that of comparisons that are called equivalent; `peeked` is `any` of a fixed test at each look.
    All are of the same sweeps.
    """
    rng = np.random.default_rng([seed, family, KINDS.index(kind)])
    drawn = differences(rng, kind, sweeps, family, sizes[-1], effect)
    alone = np.stack([np.asarray(sign_flip(drawn[:, :, :n])) for n in sizes])
    rows: dict[str, list[list[float]]] = {name: [] for name in (*SPENDINGS, "fixed")}
    for d, p in zip(drawn, np.moveaxis(alone, 1, 0), strict=True):
        for spending in SPENDINGS:
            looks = Looks(sizes, spending)
            effects = effects_of(d, p, looks, delta)
            standings = settle(effects, family=family, delta=delta, alpha=ALPHA)
            own = [float(runs_of(standings, looks)), *shares([s.verdict for s in standings])]
            rows[spending].append(own)
        fixed = [float((family + 1) * sizes[-1]), *shares(judged_once(d, p[-1], delta))]
        rows["fixed"].append([*fixed, float((holm(p) < ALPHA).any())])
    names = ("runs", "any", "found", "equal", "peeked")
    return {
        name: dict(zip(names, np.mean(own, axis=0).tolist(), strict=False))
        for name, own in rows.items()
    }


def study(sweeps: int) -> dict[str, Any]:
    """Return all that is simulated; with a difference, a quarter of the sweeps is enough."""
    rows = []
    for family in FAMILIES:
        plans: list[dict[str, Any]] = [{"kind": kind} for kind in KINDS]
        plans += [{"kind": "normal", "effect": effect} for effect in EFFECTS]
        plans += [{"kind": "normal", "effect": e, "delta": DELTA} for e in (0.0, DELTA)]
        for plan in plans:
            number = sweeps // 4 if "effect" in plan else sweeps
            found = simulate(SIZES, family, number, **plan)
            rows.append({"family": family, "sweeps": number, **plan, "found": found})
            print(json.dumps(rows[-1]), flush=True)
    return {"looks": SIZES, "alpha": ALPHA, "delta": DELTA, "rows": rows}


def rows_of(found: dict[str, Any], **plan: Any) -> list[dict[str, Any]]:
    """Return the rows of a plan, one for each family."""
    keys = ("kind", "effect", "delta")
    return [
        row
        for family in FAMILIES
        for row in found["rows"]
        if row["family"] == family and {key: row[key] for key in keys if key in row} == plan
    ]


def cell(rows: Sequence[dict[str, Any]], name: str, key: str) -> str:
    """Return a share in percent, or a mean number of runs, of each family."""
    values = [row["found"][name][key] for row in rows]
    return " / ".join(f"{value:.0f}" if key == "runs" else f"{100 * value:.1f}" for value in values)


def level_table(found: dict[str, Any]) -> list[str]:
    """Return how many sweeps without any difference claim one."""
    lines = [
        "| claims where nothing differs, % of sweeps | O'Brien-Fleming | Pocock "
        "| once, with all seeds | the fixed test at each look |",
        "|---|---|---|---|---|",
    ]
    for kind in KINDS:
        rows = rows_of(found, kind=kind)
        cells = [cell(rows, name, "any") for name in (*SPENDINGS, "fixed")]
        cells.append(cell(rows, "fixed", "peeked"))
        lines.append(f"| {TITLES[kind]} | {' | '.join(cells)} |")
    return lines


def power_table(found: dict[str, Any]) -> list[str]:
    """Return how many comparisons are settled rightly, with how many runs in the mean."""
    runs = cell(rows_of(found, kind="normal"), "fixed", "runs")
    lines = [
        f"| difference of all from the control | O'Brien-Fleming, % | runs, mean | Pocock, % "
        f"| runs, mean | once, % (runs {runs}) |",
        "|---|---|---|---|---|---|",
    ]
    plans = [({"kind": "normal"}, "found", "none: found")]
    plans += [({"kind": "normal", "effect": e}, "found", f"{e:g} sd: found") for e in EFFECTS]
    equal = {"kind": "normal", "delta": DELTA}
    plans += [
        ({**equal, "effect": 0.0}, "equal", f"none, delta {DELTA:g} sd: equivalent"),
        ({**equal, "effect": DELTA}, "equal", f"{DELTA:g} sd, delta {DELTA:g} sd: equivalent"),
    ]
    for plan, key, title in plans:
        rows = rows_of(found, **plan)
        cells = [cell(rows, name, k) for name in SPENDINGS for k in (key, "runs")]
        lines.append(f"| {title} | {' | '.join(cells)} | {cell(rows, 'fixed', key)} |")
    return lines


def tables() -> str:
    """Return what the page shows of the kept result."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    numbers = sorted({row["sweeps"] for row in found["rows"]}, reverse=True)
    at = ", ".join(map(str, found["looks"][:-1]))
    about = (
        f"Looks at {at} and {found['looks'][-1]} seeds, alpha {found['alpha']:g}; of each number "
        f"the three are families of {', '.join(map(str, FAMILIES[:-1]))} and {FAMILIES[-1]} "
        f"comparisons with one control. {numbers[0]:,} sweeps each, {numbers[-1]:,} where there is "
        "a difference or a delta; sd is the standard deviation of a difference by seed. "
        f"{pooled_level(found)} `python benchmarks/looks.py --write` draws them again."
    )
    return "\n".join([*level_table(found), "", *power_table(found), "", about, ""])


def pooled_level(found: dict[str, Any]) -> str:
    """Return the claims of all sweeps without a difference together, with their standard error."""
    rows = [row for kind in KINDS for row in rows_of(found, kind=kind)]
    number = sum(row["sweeps"] for row in rows)
    said = []
    for name, title in (("obrien_fleming", "O'Brien-Fleming"), ("pocock", "Pocock")):
        share = sum(row["sweeps"] * row["found"][name]["any"] for row in rows) / number
        error = math.sqrt(share * (1 - share) / number)
        said.append(f"{100 * share:.2f} ± {100 * error:.2f} % ({title})")
    return f"Of all {number:,} sweeps without a difference, {' and '.join(said)} claim one."


def main() -> None:
    """Simulate, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sweeps", type=int, default=4000)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--kept", action="store_true", help="write the page of what is kept")
    given = parser.parse_args()
    if not given.kept:
        found = study(given.sweeps)
        if not given.write:
            return
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + tables() + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
