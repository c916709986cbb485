"""The Trainer of a run, from the group `trainer`."""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, Checkpoint, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import AdvancedProfiler, Profiler, PyTorchProfiler, SimpleProfiler

from experiments.callbacks.divergence import StopOnDivergence
from experiments.callbacks.epoch_means import EpochMeans
from experiments.callbacks.history import History
from experiments.callbacks.last_amid_epoch import LastAmidEpoch
from experiments.callbacks.last_validation import LastValidation
from experiments.callbacks.progress import EpochBar, EpochLines
from experiments.callbacks.stopwatch import Stopwatch
from experiments.errors import check_choice, user_error
from experiments.execution import LONGEST_CALL, MOST_STEPS, Execution, per_batch_hooks
from experiments.records import CHECKPOINTS, HistoryFile

PROFILERS: dict[str, type[Profiler]] = {
    "simple": SimpleProfiler,
    "advanced": AdvancedProfiler,
    "pytorch": PyTorchProfiler,
}
TRAINER_WORDS: dict[str, Iterable[str]] = {
    "gradient_clip_algorithm": ("norm", "value"),
    "precision": ("32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true"),
    "matmul_precision": ("highest", "high", "medium"),
}
LOGGER_MODES = ("auto", "online", "offline", "disabled")
LAST_MODE = {"min": "max", "max": "min"}
PROGRESS = ("auto", "bar", "lines", "none")
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
HIGHER_IS_BETTER = ("accuracy", "r2")

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


@dataclass
class Watch:
    """The callbacks that a run's record is made from."""

    history: History
    divergence: StopOnDivergence
    stopwatch: Stopwatch
    best: ModelCheckpoint


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
    check_choice("checkpoint.monitor", monitor, choices)
    if not has_validation or config["trainer"]["limit_val_batches"] == 0:
        return None, "min"
    mode = node["mode"]
    if mode == "auto":
        mode = "max" if metric in HIGHER_IS_BETTER else "min"
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


def check_words(config: dict[str, Any]) -> None:
    """Raise UserError for a word that is none of the choices of its key."""
    check_choice("progress", config["progress"], PROGRESS)
    for key, choices in TRAINER_WORDS.items():
        check_choice(f"trainer.{key}", config["trainer"][key], choices)
    profiler = config["trainer"]["profiler"]
    if profiler is not None:
        check_choice("trainer.profiler", profiler, PROFILERS)
    if config["logger"]["name"] == "wandb":
        check_choice("logger.mode", config["logger"]["mode"], LOGGER_MODES)
    check_choice("scheduler.interval", config["scheduler"]["interval"], ("epoch", "step"))
    check_choice("checkpoint.mode", config["checkpoint"]["mode"], ("auto", "min", "max"))


def check_execution(config: dict[str, Any]) -> None:
    """Raise UserError for numbers of steps that are none."""
    steps, every = config["steps_per_execution"], config["checkpoint"]["every_n_steps"]
    is_count = isinstance(steps, int) and not isinstance(steps, bool) and steps >= 1
    if steps != "auto" and not is_count:
        raise user_error(
            "not_allowed",
            key="steps_per_execution",
            given=steps,
            allowed="auto or a whole number of at least 1",
            instead="auto",
        )
    if every < 0:
        raise user_error(
            "not_allowed",
            key="checkpoint.every_n_steps",
            given=every,
            allowed="a whole number of at least 0",
            instead=0,
        )


def check_budget(trainer: dict[str, Any]) -> None:
    """Raise UserError for counts that no training can have."""
    for key, lowest, instead in (
        ("max_epochs", 1, 20),
        ("accumulate_grad_batches", 1, 1),
        ("check_val_every_n_epoch", 1, 1),
        ("log_every_n_steps", 0, 0),
        ("num_nodes", 1, 1),
        ("overfit_batches", 0, 3),
    ):
        if trainer[key] < lowest and not (key == "max_epochs" and trainer[key] == -1):
            raise user_error(
                "not_allowed",
                key=f"trainer.{key}",
                given=trainer[key],
                allowed=f"a whole number of at least {lowest}",
                instead=instead,
            )
    check_parts(trainer)
    if trainer["limit_train_batches"] == 0:
        raise user_error(
            "not_allowed",
            key="trainer.limit_train_batches",
            given=0,
            allowed="a number of batches or a part of them, above 0",
            instead=2,
        )
    if trainer["max_epochs"] != -1 and trainer["check_val_every_n_epoch"] > trainer["max_epochs"]:
        raise user_error(
            "not_allowed",
            key="trainer.check_val_every_n_epoch",
            given=trainer["check_val_every_n_epoch"],
            allowed=f"1 to {trainer['max_epochs']} (trainer.max_epochs)",
            instead=1,
        )
    endless = trainer["max_epochs"] == -1 and trainer["max_time"] is None
    if trainer["max_steps"] < -1 or trainer["max_steps"] == 0:
        raise user_error(
            "not_allowed",
            key="trainer.max_steps",
            given=trainer["max_steps"],
            allowed="-1 (no limit) or a whole number of at least 1",
            instead=1000,
        )
    if endless and trainer["max_steps"] == -1:
        raise user_error(
            "not_allowed",
            key="trainer.max_epochs",
            given=-1,
            allowed="-1 only together with trainer.max_steps or trainer.max_time",
            instead=20,
        )


def check_parts(trainer: dict[str, Any]) -> None:
    """Raise UserError for numbers out of their range."""
    clip, decay = trainer["gradient_clip_val"], trainer["ema_decay"]
    interval, threads = trainer["val_check_interval"], trainer["threads"]
    is_part = isinstance(interval, float) and 0 < interval <= 1
    is_count = isinstance(interval, int) and interval >= 1
    is_number = isinstance(threads, int) and threads >= 1
    for key, fits, allowed, instead in (
        (
            "gradient_clip_val",
            clip is None or clip > 0,
            "a number above 0, or null for no clipping",
            1.0,
        ),
        (
            "ema_decay",
            decay is None or 0 <= decay < 1,
            "a number from 0 up to below 1, or null for no average",
            0.99,
        ),
        (
            "val_check_interval",
            is_part or is_count,
            "a number of optimizer steps (100), or a part of an epoch from 0 to 1 (0.25)",
            1.0,
        ),
        ("threads", threads == "auto" or is_number, "auto or a whole number of at least 1", "auto"),
    ):
        if not fits:
            raise user_error(
                "not_allowed",
                key=f"trainer.{key}",
                given=trainer[key],
                allowed=allowed,
                instead=instead,
            )


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
    at_validation = interval != 1.0 and (monitor[0] or "").startswith("val/")
    every_n_steps = config["checkpoint"]["every_n_steps"]
    best, last = checkpoints(folder, *monitor, at_validation, every_n_steps)
    file = HistoryFile(folder) if folder and rank == 0 else None
    watch = Watch(History(file, node["log_every_n_steps"]), StopOnDivergence(), Stopwatch(), best)
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
            LastValidation(),
            watch.stopwatch,
            watch.divergence,
            watch.history,
            *shown,
            *callbacks,
            best,
            *last,
        ],
        num_sanity_val_steps=0,
        enable_progress_bar=any(isinstance(c, EpochBar) for c in shown),
        enable_model_summary=False,
        # Loggers get whole rows from callbacks/history.py, at the steps that it chooses.
        log_every_n_steps=max(1, node["log_every_n_steps"]),
        default_root_dir=folder or Path.cwd(),
    )
    return trainer, watch
