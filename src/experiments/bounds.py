"""Which words and numbers the Trainer's keys may have, said before anything is built."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from experiments.errors import check_choice, user_error

TRAINER_WORDS: dict[str, Iterable[str]] = {
    "gradient_clip_algorithm": ("norm", "value"),
    "precision": ("32-true", "16-mixed", "bf16-mixed", "16-true", "bf16-true", "64-true"),
    "matmul_precision": ("highest", "high", "medium"),
}
MEDIA = ("auto", "true", "false")
LOGGER_MODES = ("auto", "online", "offline", "disabled")
PROFILER_NAMES = ("simple", "advanced", "pytorch")
PROGRESS = ("auto", "bar", "lines", "none")


def check_words(config: dict[str, Any]) -> None:
    """Raise UserError for a word that is none of the choices of its key."""
    check_choice("progress", config["progress"], PROGRESS)
    for key, choices in TRAINER_WORDS.items():
        check_choice(f"trainer.{key}", config["trainer"][key], choices)
    profiler = config["trainer"]["profiler"]
    if profiler is not None:
        check_choice("trainer.profiler", profiler, PROFILER_NAMES)
    if config["logger"]["name"] == "wandb":
        check_choice("logger.mode", config["logger"]["mode"], LOGGER_MODES)
        check_choice("logger.media", str(config["logger"].get("media", "auto")).lower(), MEDIA)
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
