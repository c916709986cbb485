"""The Trainer of a run, from the group `trainer`."""

from __future__ import annotations

import functools
import io
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import torch
from lightning.fabric.plugins import CheckpointIO, TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.precision import HalfPrecision
from lightning.pytorch.profilers import AdvancedProfiler, Profiler, PyTorchProfiler, SimpleProfiler
from torch import Tensor

from experiments.errors.messages import check_choice, user_error
from experiments.errors.wording import listed
from experiments.record.folder import CHECKPOINTS, write_atomic
from experiments.record.history import HistoryFile
from experiments.record.metric import KNOWN, is_higher_better
from experiments.training.agreement import Agreement
from experiments.training.callbacks.divergence import StopOnDivergence
from experiments.training.callbacks.epoch_means import EpochMeans
from experiments.training.callbacks.full_loss import FullLoss
from experiments.training.callbacks.history_rows import History
from experiments.training.callbacks.last_amid_epoch import LastAmidEpoch
from experiments.training.callbacks.last_validation import LastValidation
from experiments.training.callbacks.progress import EpochBar, EpochLines
from experiments.training.callbacks.prune_on_request import PruneOnRequest
from experiments.training.callbacks.stay_stopped import StayStopped
from experiments.training.callbacks.stopwatch import Stopwatch
from experiments.training.callbacks.user_measures import UserMeasures
from experiments.training.calls import LONGEST_CALL, MOST_STEPS, Execution, per_batch_hooks
from experiments.training.console import is_terminal
from experiments.training.interruption import Interruption
from experiments.training.launched import cluster_environments
from experiments.training.user_module import UserModule

PROFILERS: dict[str, type[Profiler]] = {
    "simple": SimpleProfiler,
    "advanced": AdvancedProfiler,
    "pytorch": PyTorchProfiler,
}
LAST_MODE = {"min": "max", "max": "min"}
OWN_KEYS = (
    "accelerator",
    "devices",
    "precision",
    "profiler",
    # The module's: the Trainer would count calls of the training step, not optimizer steps.
    "accumulate_grad_batches",
    "gradient_clip_val",
    "gradient_clip_algorithm",
    "ema_decay",
    "threads",
    "matmul_precision",
)

OF_STEPS = ("accumulate_grad_batches", "gradient_clip_val", "gradient_clip_algorithm")
"""Those that the Trainer has where it makes the steps itself."""

# Said by Lightning of things that we do on purpose, or that a user cannot act on.
EXPECTED = (
    ".*does not have many workers.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*You requested to overfit but enabled.*",
    ".*GPU available but not used.*",  # as trainer=cpu asks
    # With check_val_every_n_epoch, before the first validation; check_monitors knows the monitor.
    ".*could not find the monitored key in the returned metrics.*",
    # A rank without a single point in an epoch has no part in its metrics.
    ".*was called before the ``update`` method.*",
    ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
    ".*The number of training batches .* is smaller than the logging interval.*",
)


class HalfNetwork(HalfPrecision):
    """A network in 16 bits, to which the data come as they are.

    They are brought to its type after normalisation: 2460310 is 2457600 in bfloat16, and infinite
    in float16.
    """

    def convert_input(self, data: Any) -> Any:
        return data


class AtomicCheckpoints(TorchCheckpointIO):
    """Write a checkpoint beside its place and move it there in one step.

    Lightning writes into the system's folder for temporary files, from which a move to another
    disk is a copy: a kill in its midst would leave half of the only checkpoint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()  # torch's own writer does not say that a disk is full
        torch.save(checkpoint, buffer)
        write_atomic(target, buffer.getbuffer(), is_synced=False)


def monitor_of(
    config: dict[str, Any], names: Sequence[str], has_validation: bool
) -> tuple[str | None, str]:
    """Return the metric that selects the weights, and whether its min or max is best.

    Without validation nothing is selected: the last weights are the result.

    Args:
        names: of what is measured.
    """
    node = config["checkpoint"]
    # The loss is a finer measure than the accuracy: 144 validation digits have many ties. Over 5
    # seeds of the default run it selects weights with 0.991 test accuracy, against 0.986.
    monitor = "val/loss" if node["monitor"] == "auto" else node["monitor"]
    added = config.get("metrics") or {}
    if node["monitor"] == "auto" and monitor not in names:
        raise user_error(
            "module_unlogged", model=config["model"]["name"], names=listed(names) or "nothing"
        )
    check_choice("checkpoint.monitor", monitor, names)
    if not has_validation or config["trainer"]["limit_val_batches"] == 0:
        return None, "min"
    mode = node["mode"]
    if mode == "auto":
        name = monitor.rpartition("/")[2]
        if name not in {*KNOWN, *added, "full_loss"}:
            raise user_error("monitor_mode", given=monitor, name=name)
        mode = "max" if is_higher_better(monitor, added) else "min"
    return monitor, mode


def execution_of(config: dict[str, Any], callbacks: list[Callback], num_ranks: int) -> Execution:
    """Return how many optimizer steps a call of the training step does.

    Every batch is a call where a callback of the user's wants to hear of every step.
    """
    wanted = config["steps_per_execution"]
    has_hooks = bool(per_batch_hooks(callbacks))
    steps = MOST_STEPS if wanted == "auto" else wanted
    deciding = [c.steps_until for c in callbacks if hasattr(c, "steps_until")]
    node = config["checkpoint"]
    every = (config["trainer"]["log_every_n_steps"], node["every_n_steps"])
    longest = math.inf if node["every_seconds"] is None else node["every_seconds"]
    return Execution(
        steps=steps,
        accumulate=config["trainer"]["accumulate_grad_batches"],
        every=tuple(n for n in every if n),
        seconds=LONGEST_CALL if wanted == "auto" else longest,
        by_batch=has_hooks,
        has_hooks=has_hooks,
        steps_until=deciding[0] if deciding else None,
        agreement=Agreement() if num_ranks > 1 else None,
    )


class Watch(NamedTuple):
    """The callbacks that a run's record is made from, in the order in which they are called."""

    stopwatch: Stopwatch
    divergence: StopOnDivergence
    pruning: PruneOnRequest
    history: History


class CallbacksOfRun(NamedTuple):
    """All callbacks of a run.

    Attributes:
        every: in the order in which they are called.
        watch: those that its record is made from.
        checkpointing: those that write checkpoints, that of best.ckpt first.
    """

    every: list[Callback]
    watch: Watch
    checkpointing: tuple[ModelCheckpoint, *tuple[Checkpoint, ...]]


class OfRun:
    """What the Trainer of a run knows of that run.

    Attributes:
        folder: where the run is written; None on ranks that write nothing.
        checkpointing: those that write checkpoints, that of best.ckpt first.
    """

    folder: Path | None = None
    loggers: list[Logger]
    watch: Watch
    checkpointing: tuple[ModelCheckpoint, *tuple[Checkpoint, ...]]

    @property
    def interruption(self) -> Interruption:
        """What a signal asks of the run."""
        amid = self.checkpointing[-1]
        assert isinstance(amid, LastAmidEpoch)
        return amid.interruption

    def write_waiting(self) -> None:
        """Write checkpoints that are in memory; those of a run alone are written when saved."""

    @property
    def best_path(self) -> str:
        """The checkpoint with the selected weights; empty where none was written."""
        return self.checkpointing[0].best_model_path

    @property
    def is_ended_early(self) -> bool:
        return bool(self.watch.divergence.diverged or self.watch.pruning.pruned)

    def write_to(self, folder: Path, loggers: Sequence[Logger]) -> None:
        """Let everything that the Trainer and its callbacks write go to a run folder."""
        self.folder = self.watch.pruning.folder = folder
        self.loggers = list(loggers)
        self.watch.history.file = HistoryFile(folder)
        # Resolved, as Lightning compares it with the folder that a checkpoint was written to.
        checkpoints = os.path.realpath(folder / CHECKPOINTS)
        for callback in self.checkpointing:
            if isinstance(callback, ModelCheckpoint):
                callback.dirpath = checkpoints
            elif isinstance(callback, LastAmidEpoch):
                callback.folder = Path(checkpoints)

    def selected(self) -> tuple[int, int] | None:
        """Return epoch, from 1, and step of the selected weights; None where there are none."""
        if not self.best_path:
            return None
        checkpoint = torch.load(self.best_path, map_location="cpu", weights_only=True)
        return int(checkpoint["epoch"]) + 1, int(checkpoint["global_step"])


class RunTrainer(OfRun, L.Trainer):
    """The Trainer of a run, built before the run has a folder, so that mistakes leave no trace.

    Attributes:
        measured: beside a LightningModule of somebody's, where it logs nothing of the name.
    """

    measured: Mapping[str, Tensor] = {}
    profiler: Profiler

    @property
    def default_root_dir(self) -> str:
        return str(self.folder or Path.cwd())

    @property
    def callback_metrics(self) -> dict[str, Tensor]:
        logged: dict[str, Tensor] = super().callback_metrics
        return {**self.measured, **logged} if self.measured else logged

    def write_to(self, folder: Path, loggers: Sequence[Logger]) -> None:
        super().write_to(folder, loggers)
        self.profiler.dirpath = folder


def build_trainer(
    config: dict[str, Any],
    monitor: tuple[str | None, str],
    accelerator: str,
    num_devices: int,
    rank: int,
    callbacks: list[Callback],
    user: UserModule | None = None,
) -> RunTrainer:
    """Return the Trainer of a run; `write_to` tells it the folder.

    Args:
        monitor: what `monitor_of` gave.
        accelerator: cuda, mps or cpu.
        num_devices: on this machine.
        rank: of this process; only rank 0 writes and shows anything.
        callbacks: those of the user.
        user: what is around a LightningModule, whose steps are the Trainer's own.
    """
    watching = watching_of(config, monitor, rank, callbacks, user)
    has_validation = monitor[0] is not None
    trainer = trainer_with(
        config, watching.every, accelerator, num_devices, rank, has_validation, user is None
    )
    trainer.watch, trainer.checkpointing = watching.watch, watching.checkpointing
    return trainer


def watching_of(
    config: dict[str, Any],
    monitor: tuple[str | None, str],
    rank: int,
    callbacks: list[Callback],
    user: UserModule | None = None,
) -> CallbacksOfRun:
    """Return all callbacks of a run; the arguments are those of `build_trainer`."""
    history = History(config["trainer"]["log_every_n_steps"])
    watch = Watch(Stopwatch(), StopOnDivergence(), PruneOnRequest(), history)
    shown = progress(config["progress"], history) if rank == 0 else []
    checkpointing = checkpoints(config, *monitor)
    first: list[Callback] = [EpochMeans(), *([FullLoss()] if config["log_full_loss"] else [])]
    if user is not None:
        first = [UserMeasures(user)]
    always = [*first, LastValidation(), StayStopped(), *watch]
    return CallbacksOfRun([*always, *shown, *callbacks, *checkpointing], watch, checkpointing)


def trainer_with(
    config: dict[str, Any],
    callbacks: list[Callback],
    accelerator: str,
    num_devices: int,
    rank: int = 0,
    has_validation: bool = True,
    own_steps: bool = True,
    checkpoint_io: CheckpointIO | None = None,
) -> RunTrainer:
    """Return a Trainer with these callbacks and no others.

    Args:
        own_steps: the steps are those of steps.py, and not the Trainer's.
        checkpoint_io: what writes its checkpoints; None for `AtomicCheckpoints`.
    """
    node, profiler = config["trainer"], config["trainer"]["profiler"]
    precision = node["precision"]
    is_half = precision in ("16-true", "bf16-true") and own_steps
    for message in EXPECTED:
        warnings.filterwarnings("ignore", message=message)
    return RunTrainer(
        **options(node, has_validation, own_steps),
        accelerator=accelerator,
        devices=node["devices"] if isinstance(node["devices"], list) else num_devices,
        profiler=PROFILERS[profiler](filename="profile") if profiler and rank == 0 else None,
        logger=False,
        callbacks=callbacks,
        precision=None if is_half else precision,
        plugins=[
            checkpoint_io or AtomicCheckpoints(),
            *cluster_environments(num_devices * node["num_nodes"]),
            *([HalfNetwork(precision)] if is_half else []),
        ],
        enable_progress_bar=any(isinstance(c, EpochBar) for c in callbacks),
        enable_checkpointing=any(isinstance(c, Checkpoint) for c in callbacks),
    )


def options(node: dict[str, Any], has_validation: bool, own_steps: bool = True) -> dict[str, Any]:
    """Return the arguments of the Trainer that are plain values.

    Args:
        own_steps: the steps are those of steps.py, and not the Trainer's.
    """
    given = {key: value for key, value in node.items() if key not in OWN_KEYS}
    if not own_steps:
        given |= {key: node[key] for key in OF_STEPS}
    interval = node["val_check_interval"]
    if isinstance(interval, int):
        interval *= node["accumulate_grad_batches"]  # the Trainer counts batches
    given |= {
        "val_check_interval": interval,
        "num_sanity_val_steps": 0,
        "enable_model_summary": False,
        # Loggers get whole rows from callbacks/history_rows.py, at the steps that it chooses.
        "log_every_n_steps": max(1, node["log_every_n_steps"]),
    }
    return given if has_validation else given | {"limit_val_batches": 0}


def checkpoints(
    config: dict[str, Any], monitor: str | None, mode: str
) -> tuple[ModelCheckpoint, *tuple[Checkpoint, ...]]:
    """Return the callback that writes best.ckpt, and those that write last.ckpt."""
    interval, node = config["trainer"]["val_check_interval"], config["checkpoint"]
    # 1 is after every step, 1.0 at the end of the epoch.
    is_amid = isinstance(interval, int) or interval != 1.0
    at_validation = is_amid and (monitor or "").startswith("val/")
    make = functools.partial(
        ModelCheckpoint, save_top_k=1, enable_version_counter=False, auto_insert_metric_name=False
    )
    best = make(
        filename="best", monitor=monitor, mode=mode, save_on_train_epoch_end=not at_validation
    )
    # Lightning tells callbacks apart by monitor and mode, which is why the last has another mode;
    # without a monitor it means nothing.
    last = make(filename="last", mode=LAST_MODE[mode], save_on_train_epoch_end=True)
    amid = LastAmidEpoch(node["every_n_steps"], node["every_seconds"], Interruption())
    return best, last, amid


def progress(how: str, history: History) -> list[Callback]:
    """Return what shows the progress: a bar on a terminal, one line per epoch elsewhere."""
    if how == "auto":
        how = "bar" if is_terminal() else "lines"
    if how == "bar":
        return [EpochBar(leave=False)]
    return [EpochLines(history)] if how == "lines" else []
