"""What the group `metrics` has as tables, counted once with the selected weights."""

from __future__ import annotations

from pathlib import Path

import torch

from experiments.record.class_table import write_table
from experiments.record.folder import CHECKPOINTS
from experiments.training.added_metrics import count_alone, update
from experiments.training.loggers import predictions
from experiments.training.run_parts import RunParts


def write_tables(parts: RunParts, folder: Path) -> None:
    """Write a table of validation and of test, as far as a run has them, for each that was asked
    for.

    The test set is met with the weights that were tested, and not at all with `test=false`.
    """
    best = folder / CHECKPOINTS / "best.ckpt"
    if not parts.tables or not best.is_file():
        return
    module, data = parts.module, parts.datamodule
    module.load_state_dict(torch.load(best, weights_only=True)["state_dict"])
    stages = {"val": data.val} | ({"test": data.test} if parts.config["test"] else {})
    told = {
        stage: (torch.from_numpy(predictions(module, points)).double(), points.targets)
        for stage, points in stages.items()
        if len(points)
    }
    for name, metric in parts.tables.items():
        by_stage = {}
        count_alone(metric)
        for stage, (outputs, targets) in told.items():
            metric.reset()
            update(metric, outputs, targets)
            by_stage[stage] = metric.compute().numpy()
        write_table(folder, name, module.spec.class_names, by_stage)
