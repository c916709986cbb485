"""What a source of somebody else's returns, held against what a data set is."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from experiments.data.sources import DataSet, Points
from experiments.errors.messages import user_error

INPUTS = (torch.uint8, torch.float32, torch.float64)
WANTED = "a DataSet of experiments.data.sources"


def check_data_set(data: Any, owner: str) -> None:
    """Raise UserError for what is no data set, and for points that none can have."""
    if not isinstance(data, DataSet):
        given = type(data).__name__
        raise user_error("no_module", key="data", owner=owner, given=given, wanted=WANTED)
    is_classes = data.task == "classification"
    problem = None
    if data.task not in ("classification", "regression"):
        task = data.task if isinstance(data.task, str) else type(data.task).__name__
        problem = f"the task {task}", "classification or regression"
    elif is_classes and not data.class_names:
        problem = "no class_names", "a tuple with the name of each class"
    for part in ("train", "val", "test"):
        points = getattr(data, part)
        if problem is None and (points is not None or part != "val"):
            problem = problem_of(points, part, len(data.class_names) if is_classes else None)
    if problem is not None:
        given, wanted = problem
        raise user_error("no_module", key="data", owner=owner, given=given, wanted=wanted)


def problem_of(points: Any, part: str, num_classes: int | None) -> tuple[str, str] | None:
    """Return what is wrong with points, and what is right; None for nothing.

    Args:
        num_classes: None of a regression.
    """
    if not isinstance(points, Points):
        return f"{part} as {type(points).__name__}", "Points of experiments.data.sources"
    inputs, targets = points.inputs, points.targets
    if not isinstance(inputs, Tensor) or inputs.dtype not in INPUTS or inputs.dim() < 2:
        return f"{part}.inputs as {words_of(inputs)}", (
            "a tensor (N, F), (N, C, L) or (N, C, H, W) of uint8, float32 or float64"
        )
    types = (torch.int64,) if num_classes is not None else (torch.float32, torch.float64)
    dims = 2 if num_classes is None else 1
    if not isinstance(targets, Tensor) or targets.dtype not in types or targets.dim() != dims:
        wanted = (
            "values (N, K) of float32" if num_classes is None else "class numbers (N,) of int64"
        )
        return f"{part}.targets as {words_of(targets)}", wanted
    if len(inputs) != len(targets) or not len(inputs):
        return f"{len(inputs)} inputs and {len(targets)} targets in {part}", "as many of both"
    if num_classes is not None and not 0 <= int(targets.min()) <= int(targets.max()) < num_classes:
        given = f"class numbers from {targets.min()} to {targets.max()} in {part}"
        return given, f"0 to {num_classes - 1}, by its class_names"
    for name, values in (("inputs", inputs), ("targets", targets)):
        if values.is_floating_point() and not values.isfinite().all():
            return f"{part}.{name} that are not all finite", "finite numbers"
    return None


def words_of(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"{tuple(value.shape)} of {str(value.dtype).removeprefix('torch.')}"
    return type(value).__name__
