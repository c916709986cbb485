"""How often `hydra.sweeper.pruner=wilcoxon` gives up a trial that is as good as the best one.

    python benchmarks/wilcoxon_pruner.py

Scores of seeds are independent and normal, and every trial has the same mean. The best one is
another trial (`fixed`), or the one with the best mean of twenty (`luckiest_of_20`), as it is late
in a search. Looks as Optuna's pruner does: after each seed from the first allowed one to the last
but one, and never where the trial's mean so far is the better. Writes
outputs/benchmarks/wilcoxon_pruner.json.
"""

from __future__ import annotations

import argparse

import numpy as np
from report import keep
from scipy.stats import wilcoxon

P_THRESHOLD = 0.1


def is_pruned(best: np.ndarray, current: np.ndarray, after: int) -> bool:
    """Return whether a trial is given up; lower scores are better."""
    for seen in range(after, len(best)):
        if best.mean() >= current[:seen].mean():
            continue
        differences = current[:seen] - best[:seen]
        if wilcoxon(differences, alternative="greater", zero_method="zsplit").pvalue < P_THRESHOLD:
            return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=1000)
    repeats = parser.parse_args().repeats
    rng = np.random.default_rng(0)
    found: dict[str, dict[str, float]] = {}
    for num_seeds in (5, 10, 20):
        for after in (2, 8):
            if after >= num_seeds:
                continue
            pools = [rng.normal(size=(20, num_seeds)) for _ in range(repeats)]
            news = [rng.normal(size=num_seeds) for _ in range(repeats)]
            kinds = {"fixed": 0, "luckiest_of_20": 0}
            for pool, new in zip(pools, news, strict=True):
                kinds["fixed"] += is_pruned(pool[0], new, after)
                kinds["luckiest_of_20"] += is_pruned(pool[pool.mean(axis=1).argmin()], new, after)
            name = f"{num_seeds} seeds, from {after}"
            found[name] = {kind: count / repeats for kind, count in kinds.items()}
            print(name, found[name], flush=True)
    keep("wilcoxon_pruner", {"given_up": found, "repeats": repeats}, {})


if __name__ == "__main__":
    main()
