"""The Trainer of a run, from the group `trainer`."""

from __future__ import annotations

import io
import math
import os
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import AdvancedProfiler, Profiler, PyTorchProfiler, SimpleProfiler

from experiments.callbacks.divergence import StopOnDivergence
from experiments.callbacks.epoch_means import EpochMeans
from experiments.callbacks.full_loss import FullLoss
from experiments.callbacks.history import History
from experiments.callbacks.last_amid_epoch import LastAmidEpoch
from experiments.callbacks.last_validation import LastValidation
from experiments.callbacks.progress import EpochBar, EpochLines
from experiments.callbacks.prune_on_request import PruneOnRequest
from experiments.callbacks.stay_stopped import StayStopped
from experiments.callbacks.stopwatch import Stopwatch
from experiments.derived import is_higher_better
from experiments.errors import check_choice
from experiments.execution import LONGEST_CALL, MOST_STEPS, Execution, per_batch_hooks
from experiments.records import CHECKPOINTS, HistoryFile

PROFILERS: dict[str, type[Profiler]] = {
    "simple": SimpleProfiler,
    "advanced": AdvancedProfiler,
    "pytorch": PyTorchProfiler,
}
LAST_MODE = {"min": "max", "max": "min"}
OWN_KEYS = (
    "accelerator",
    "devices",
    "profiler",
    "overfit_batches",
    "log_every_n_steps",
    "val_check_interval",
    # The module's: the Trainer would count calls of the training step, not optimizer steps.
    "accumulate_grad_batches",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "ema_decay",
    "threads",
    "matmul_precision",
)

# Said by Lightning of things that we do on purpose, or that a user cannot act on.
EXPECTED = (
    ".*does not have many workers.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*You requested to overfit but enabled.*",
    # With check_val_every_n_epoch, before the first validation; check_trainer knows the monitor.
    ".*could not find the monitored key in the returned metrics.*",
    # A rank without a single point in an epoch has no part in its metrics.
    ".*was called before the ``update`` method.*",
    ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
    ".*The number of training batches .* is smaller than the logging interval.*",
)


class AtomicCheckpoints(TorchCheckpointIO):
    """Write a checkpoint beside its place and move it there in one step.

    Lightning writes into the system's folder for temporary files, from which a move to another
    disk is a copy: a kill in its midst would leave half of the only checkpoint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(f".{place.name}.part")
        buffer = io.BytesIO()  # torch's own writer does not say that a disk is full
        torch.save(checkpoint, buffer)
        try:
            part.write_bytes(buffer.getbuffer())
            os.replace(part, place)
        finally:
            part.unlink(missing_ok=True)


@dataclass
class Watch:
    """The callbacks that a run's record is made from."""

    history: History
    divergence: StopOnDivergence
    stopwatch: Stopwatch
    best: ModelCheckpoint
    pruning: PruneOnRequest


def monitor_of(config: dict[str, Any], task: str, has_validation: bool) -> tuple[str | None, str]:
    """Return the metric that selects the weights, and whether its min or max is best.

    Without validation nothing is selected: the last weights are the result.
    """
    node = config["checkpoint"]
    # The loss is a finer measure than the accuracy: 144 validation digits have many ties. Over 5
    # seeds of the default run it selects weights with 0.991 test accuracy, against 0.986.
    monitor = "val/loss" if node["monitor"] == "auto" else node["monitor"]
    metric = monitor.rpartition("/")[2]
    known = ("loss", "accuracy") if task == "classification" else ("loss", "mae", "r2")
    choices = [f"{stage}/{name}" for stage in ("val", "train") for name in known]
    choices += ["train/full_loss"] if config["log_full_loss"] else []
    check_choice("checkpoint.monitor", monitor, choices)
    if not has_validation or config["trainer"]["limit_val_batches"] == 0:
        return None, "min"
    mode = node["mode"]
    if mode == "auto":
        mode = "max" if is_higher_better(metric) else "min"
    return monitor, mode


def execution_of(config: dict[str, Any], callbacks: list[Callback], num_ranks: int) -> Execution:
    """Return how many optimizer steps a call of the training step does.

    Every batch is a call with several processes, since the strategy takes part in each backward
    pass, and where a callback of the user's wants to hear of every step.
    """
    wanted = config["steps_per_execution"]
    has_hooks = bool(per_batch_hooks(callbacks))
    steps = MOST_STEPS if wanted == "auto" else wanted
    every = (config["trainer"]["log_every_n_steps"], config["checkpoint"]["every_n_steps"])
    return Execution(
        steps=steps,
        accumulate=config["trainer"]["accumulate_grad_batches"],
        every=tuple(n for n in every if n),
        seconds=LONGEST_CALL if wanted == "auto" else math.inf,
        by_batch=has_hooks or num_ranks > 1,
        has_hooks=has_hooks,
    )


def checkpoints(
    folder: Path | None, monitor: str | None, mode: str, at_validation: bool, every_n_steps: int
) -> tuple[ModelCheckpoint, list[Checkpoint]]:
    """Return the callback that writes best.ckpt, and those that write last.ckpt.

    Args:
        folder: the run folder.
        monitor: what selects the best weights.
        mode: whether its min or max is best.
        at_validation: the best are looked for at every validation, not at the end of an epoch.
        every_n_steps: last.ckpt is also written amid an epoch; 0 for not.
    """
    place = folder / CHECKPOINTS if folder else None
    # Lightning tells callbacks apart by monitor and mode, which is why the last has another mode;
    # without a monitor it means nothing.
    kinds = [
        ("best", monitor, mode, not at_validation),
        ("last", None, LAST_MODE[mode], True),
    ]
    best, last = (
        ModelCheckpoint(
            dirpath=place,
            filename=name,
            monitor=watched,
            mode=order,
            save_top_k=1,
            enable_version_counter=False,
            auto_insert_metric_name=False,
            save_on_train_epoch_end=at_epoch,
        )
        for name, watched, order, at_epoch in kinds
    )
    amid = LastAmidEpoch(place / "last.ckpt" if place else None, every_n_steps)
    return best, [last, amid] if every_n_steps else [last]


def progress(how: str, history: History) -> list[Callback]:
    """Return what shows the progress: a bar on a terminal, one line per epoch elsewhere."""
    if how == "auto":
        how = "bar" if sys.stdout.isatty() else "lines"
    if how == "bar":
        return [EpochBar(leave=False)]
    return [EpochLines(history)] if how == "lines" else []


def build_profiler(name: str | None, folder: Path | None) -> Profiler | None:
    """Return the profiler, which writes into the run folder."""
    if name is None or folder is None:
        return None
    return PROFILERS[name](dirpath=folder, filename="profile")


def build_trainer(
    config: dict[str, Any],
    folder: Path | None,
    *,
    monitor: tuple[str | None, str],
    accelerator: str,
    num_devices: int,
    rank: int,
    loggers: list[Logger],
    callbacks: list[Callback],
) -> tuple[L.Trainer, Watch]:
    """Return the Trainer and the callbacks that the record is made from.

    Args:
        config: the whole config.
        folder: the run folder; None on ranks that have none.
        monitor: what `monitor_of` gave.
        accelerator: cuda, mps or cpu.
        num_devices: on this machine.
        rank: of this process; only rank 0 writes and shows anything.
        loggers: Lightning's loggers.
        callbacks: those of the user.
    """
    node = dict(config["trainer"])
    if monitor[0] is None:
        node["limit_val_batches"] = 0
    interval = node["val_check_interval"]
    # 1 is after every step, 1.0 at the end of the epoch.
    is_amid = isinstance(interval, int) or interval != 1.0
    at_validation = is_amid and (monitor[0] or "").startswith("val/")
    every_n_steps = config["checkpoint"]["every_n_steps"]
    best, last = checkpoints(folder, *monitor, at_validation, every_n_steps)
    file = HistoryFile(folder) if folder and rank == 0 else None
    history = History(file, node["log_every_n_steps"])
    watch = Watch(history, StopOnDivergence(), Stopwatch(), best, PruneOnRequest(folder))
    shown = progress(config["progress"], watch.history) if rank == 0 else []
    for message in EXPECTED:
        warnings.filterwarnings("ignore", message=message)
    devices = node["devices"] if isinstance(node["devices"], list) else num_devices
    trainer = L.Trainer(
        **{key: value for key, value in node.items() if key not in OWN_KEYS},
        accelerator=accelerator,
        devices=devices,
        overfit_batches=node["overfit_batches"],
        # The Trainer counts batches.
        val_check_interval=interval * node["accumulate_grad_batches"]
        if isinstance(interval, int)
        else interval,
        profiler=build_profiler(node["profiler"], folder),
        logger=loggers or False,
        callbacks=[
            EpochMeans(),
            *([FullLoss()] if config["log_full_loss"] else []),
            LastValidation(),
            StayStopped(),
            watch.stopwatch,
            watch.divergence,
            watch.pruning,
            watch.history,
            *shown,
            *callbacks,
            best,
            *last,
        ],
        num_sanity_val_steps=0,
        plugins=[AtomicCheckpoints()],
        enable_progress_bar=any(isinstance(c, EpochBar) for c in shown),
        enable_model_summary=False,
        # Loggers get whole rows from callbacks/history.py, at the steps that it chooses.
        log_every_n_steps=max(1, node["log_every_n_steps"]),
        default_root_dir=folder or Path.cwd(),
    )
    return trainer, watch
