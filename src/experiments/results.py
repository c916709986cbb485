"""What a finished run gives: the selected metrics, and predictions for a set of points."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import NDArray

from experiments.data.datamodule import EVALUATION_BATCH_SIZE
from experiments.data.sources import Points, Subset
from experiments.module import ExperimentModule

Row = dict[str, float | None]


def selected_metrics(rows: list[Row], best_path: str) -> tuple[dict[str, float | None], int | None]:
    """Return train/* and val/* of the epoch whose weights were selected, and that epoch.

    Args:
        rows: history.csv.
        best_path: the selected checkpoint; "" where none was written.
    """
    if not best_path:
        return {}, None
    checkpoint = torch.load(best_path, map_location="cpu", weights_only=True)
    best_epoch, best_step = int(checkpoint["epoch"]) + 1, int(checkpoint["global_step"])
    metrics: dict[str, float | None] = {}
    for row in rows:
        if row["epoch"] == best_epoch:
            # An epoch may have been validated several times; its training has one row.
            stages = ("train/", "val/") if row["step"] == best_step else ("train/",)
            metrics |= {
                name: value
                for name, value in row.items()
                if value is not None and name.startswith(stages) and name != "train/loss_step"
            }
    return metrics, best_epoch


@torch.no_grad()
def predictions(module: ExperimentModule, points: Points | Subset) -> NDArray[Any]:
    """Return the score that the network gives each class, (N, K).

    It is a probability where the loss reads the outputs as one, else the output itself.
    """
    was_training = module.training
    module.eval()
    outputs = torch.cat(
        [
            module(part.to(module.device)).float().cpu()
            for part in points.inputs.split(EVALUATION_BATCH_SIZE)
        ]
    )
    module.train(was_training)
    scores = getattr(module.loss, "scores", None)
    outputs = scores(outputs) if scores else outputs
    result: NDArray[Any] = outputs.numpy()
    return result
