"""Draw a sweep from its run folders alone: python docs/plot_sweep.py FOLDER factor picture.svg

Left, validation accuracy by epoch, the mean over seeds; right, test accuracy of each seed. An
example of what can be done with record.json and history.csv; it needs no torch.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean

import matplotlib.pyplot as plt
from omegaconf import OmegaConf

from experiments.record.history import read_history
from experiments.record.record import read_record

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#444444"]
MARKERS = ["o", "s", "^", "D", "v", "P", "X"]


def main(sweep: Path, factor: str, picture: Path) -> None:
    """Read the runs of `sweep`, group them by the name of `factor`, and draw."""
    runs = defaultdict(list)
    for path in sweep.glob("*/record.json"):
        config, record = OmegaConf.load(path.parent / "config.yaml"), read_record(path.parent)
        if record["status"] == "completed":
            runs[config[factor].name].append((record, read_history(path.parent)))
    tested = {arm: [r["metrics"]["test/accuracy"] for r, _ in found] for arm, found in runs.items()}
    order = sorted(runs, key=lambda arm: mean(tested[arm]))
    plt.rcParams["svg.hashsalt"] = "experiments"
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for place, arm in enumerate(order):
        look = {"color": COLOURS[place % 7], "marker": MARKERS[place % 7]}
        curves = zip(*[[row["val/accuracy"] for row in h] for _, h in runs[arm]], strict=True)
        means = [100 * mean(values) for values in curves]
        left.plot(range(1, len(means) + 1), means, label=arm, **look)
        points = [100 * value for value in tested[arm]]
        right.scatter(points, [place] * len(points), alpha=0.8, **{**look, "s": 45})
    left.set(xlabel="epoch", ylabel="validation accuracy, % (mean over seeds)")
    left.xaxis.get_major_locator().set_params(integer=True)
    handles, labels = left.get_legend_handles_labels()
    left.legend(handles[::-1], labels[::-1], frameon=False)
    right.set(xlabel="test accuracy, % (one mark per seed)", yticks=range(len(order)))
    right.set_yticklabels(order)
    right.grid(axis="x", alpha=0.3)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, metadata={"Date": None} if picture.suffix == ".svg" else None, dpi=150)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
