"""The weights of a run along its training, by training it once more.

Runs keep their best and their last weights only. Training is a pure function of the config, so
that it can be had again.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.errors.messages import user_error
from experiments.record.folder import CHECKPOINTS
from experiments.training.callbacks.snapshots import Snapshots
from experiments.training.check import check_config
from experiments.training.console import quiet_lightning
from experiments.training.module import ExperimentModule
from experiments.training.recording import Outcome
from experiments.training.run import fit_and_test
from experiments.training.run_parts import build_run


def weights_along(
    config: dict[str, Any],
    *,
    every: int = 1,
    each_step: bool = False,
    change: Callable[[ExperimentModule], None] | None = None,
) -> Tensor:
    """Return the weights along the training of a config, (S, P), those before the first step first.

    Nothing is written: checkpoints go to a folder that is deleted. The test set is not touched.

    Args:
        every: epochs from one snapshot to the next.
        each_step: a snapshot after each optimizer step instead.
        change: called with the module before it is trained.

    Raises:
        UserError: a mistake in the config, or one of several processes.
    """
    quiet_lightning()
    config = {**copy.deepcopy(config), "test": False, "progress": "none", "resume": None}
    if each_step:
        config["steps_per_execution"] = 1
    check_config(config)
    snapshots = Snapshots(every, each_step)
    parts = build_run(config, snapshots)
    if parts.num_ranks > 1:
        raise user_error("retraced_ranks", given=parts.num_ranks)
    if change is not None:
        change(parts.module)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / CHECKPOINTS).mkdir()
        parts.trainer.write_to(Path(folder), [])
        fit_and_test(parts, None, Outcome())
    return torch.stack(snapshots.weights)
