"""A LightningModule of somebody's, tried on a few points by Lightning itself before anything is
written: fitted for two steps, validated, tested, kept and read back.

What fails is told with its file and line; what it logs is known before the first epoch.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from typing import Any

import lightning as L
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader

from experiments.config.entries import Config, called, is_whole_module, raised
from experiments.data.sources import DataSpec
from experiments.errors.messages import UserError, user_error
from experiments.errors.wording import listed
from experiments.record.metric import measured_names
from experiments.training.callbacks.snapshots import Snapshots
from experiments.training.callbacks.user_measures import keep_plain_hyperparameters
from experiments.training.console import quiet_lightning
from experiments.training.diagnostics.callback import Diagnostics
from experiments.training.trial import copied, drawing_from
from experiments.training.user_module import InputsAndTargets, Tried, missing_steps, supply_steps

NUM_POINTS = 4
NUM_STEPS = 2  # what a first pass keeps, the second stumbles over
WHEN = " when it is tried on a few points"


class InMemory(TorchCheckpointIO):
    """Keeps a checkpoint as bytes, and writes nothing."""

    def __init__(self) -> None:
        self.kept = io.BytesIO()

    def save_checkpoint(self, checkpoint: Any, path: Any, storage_options: Any = None) -> None:
        keep_plain_hyperparameters(checkpoint)
        torch.save(checkpoint, self.kept)


class TrialTrainer(L.Trainer):
    """A Trainer that writes nothing, and has zeros for what is measured of a run beside the module.

    Its schedules and callbacks may ask for that.

    Attributes:
        measured: names of what is.
    """

    measured: Sequence[str] = ()

    @property
    def logged(self) -> dict[str, Tensor]:
        return super().callback_metrics

    @property
    def callback_metrics(self) -> dict[str, Tensor]:
        return {**dict.fromkeys(self.measured, torch.zeros(())), **self.logged}


class Watching(Callback):
    """Keeps the loss of each training step, as far as it returns one, and the optimizers' classes.

    Where there is none Lightning has one of its own, which does nothing.
    """

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.optimizers: list[str] = []

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        names = [type(optimizer).__name__ for optimizer in trainer.optimizers]
        self.optimizers = [name for name in names if name != "_MockOptimizer"]

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, *_: Any
    ) -> None:
        if outputs.get("loss") is not None:
            self.losses.append(float(outputs["loss"].mean()))


def try_module(module: L.LightningModule, loss: nn.Module, spec: DataSpec, config: Config) -> Tried:
    """Return what a module does on points that stand for standardised ones.

    Raises:
        UserError: what it raises, in which of its lines; nothing that could be measured.
    """
    owner = called(type(module))
    quiet_lightning()
    with warnings.catch_warnings(), drawing_from(config["seed"], "trial"):
        warnings.simplefilter("ignore")  # said again when it is trained
        pair = pair_of(spec)
        trial: Any = copied(module, "model", owner)
        why_unmeasured = why_not_measured(trial, loss, pair, spec.num_outputs)
        missing = missing_steps(trial)
        supply_steps(trial)
        try:
            names = [] if why_unmeasured else measured_names(spec.task, config.get("metrics"))
            logged, losses, has_optimizer = fitted(trial, pair, config, [*names, "train/loss"])
        except UserError:
            raise
        except (Exception, SystemExit) as error:
            raise raised("model", owner, error, WHEN) from error
    check_steps(owner, losses, has_optimizer, logged)
    check_measured(owner, missing if why_unmeasured else [], why_unmeasured, spec, config)
    return Tried(frozenset(logged), why_unmeasured)


def pair_of(spec: DataSpec) -> InputsAndTargets:
    inputs = torch.randn(NUM_POINTS, *spec.shape)
    if spec.task == "classification":
        return InputsAndTargets(inputs, torch.arange(NUM_POINTS) % spec.num_outputs)
    return InputsAndTargets(inputs, torch.randn(NUM_POINTS, spec.num_outputs))


def fitted(
    module: Any, pair: InputsAndTargets, config: Config, measured: Sequence[str]
) -> tuple[set[str], list[float], bool]:
    """Return the names that a module logs, its losses, and whether an optimizer of its stepped."""
    node, watching, kept = config["trainer"], Watching(), InMemory()
    brought = module.configure_callbacks()
    each = brought if isinstance(brought, Sequence) else [brought]
    if any(isinstance(callback, ModelCheckpoint) for callback in each):
        instead = "checkpoint.monitor=..., and leave it away"
        raise without("its configure_callbacks brings a ModelCheckpoint", instead, config)
    module.configure_callbacks = lambda: []  # they may watch, or write
    trainer = TrialTrainer(
        accelerator="cpu",
        devices=1,
        max_epochs=1,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        accumulate_grad_batches=node["accumulate_grad_batches"],
        gradient_clip_val=node["gradient_clip_val"],
        gradient_clip_algorithm=node["gradient_clip_algorithm"],
        callbacks=[watching],
        plugins=[kept],
    )
    trainer.measured = measured
    pairs: Any = [pair] * NUM_STEPS
    loader = DataLoader(pairs, batch_size=None)
    trainer.fit(module, loader, loader)
    logged, has_optimizer = set(trainer.logged), bool(trainer.global_step and watching.optimizers)
    trainer.save_checkpoint("trial", weights_only=False)
    kept.kept.seek(0)
    try:
        torch.load(kept.kept, weights_only=True)
    except Exception as error:
        raise user_error(
            "module_checkpoint", owner=called(type(module)), reason=reason_of(error)
        ) from error
    trainer.test(module, loader, verbose=False)
    return logged | set(trainer.logged), watching.losses, has_optimizer


@torch.no_grad()
def why_not_measured(
    module: L.LightningModule, loss: nn.Module, pair: InputsAndTargets, num_outputs: int
) -> str:
    """Return why a module's forward cannot be measured; empty where it gives (B, K)."""
    was_training = module.training
    try:
        outputs = module.eval()(pair.inputs)
        if not isinstance(outputs, Tensor):
            return f"it gives {type(outputs).__name__}"
        if outputs.shape != (NUM_POINTS, num_outputs):
            return f"it gives the shape {tuple(outputs.shape)} for {NUM_POINTS} points"
        loss(outputs, pair.targets)
    except NotImplementedError:
        return "it has none"
    except (Exception, SystemExit) as error:
        return f"it raises {reason_of(error)}"
    finally:
        module.train(was_training)
    return ""


def reason_of(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160]}".rstrip(": .")


def check_steps(owner: str, losses: list[float], has_optimizer: bool, logged: set[str]) -> None:
    """Raise UserError for a module that does not learn, or not in a way that could be told."""
    by_log = "Return the loss from training_step, or log train/loss there with on_epoch=True"
    by_value = "Look for what divides, or takes a logarithm"
    first = losses[0] if losses else 0.0  # of the next, a rate may be the cause
    for is_wrong, given, when, instead in (
        (not has_optimizer, "no step", "of an optimizer", "Return one from configure_optimizers"),
        (not losses and "train/loss" not in logged, "no loss", "of its training", by_log),
        (not math.isfinite(first), f"the loss {first}", "at once", by_value),
    ):
        if is_wrong:
            values = {"given": given, "when": when, "instead": instead}
            raise user_error("numbers", key="model", owner=owner, **values)


def check_measured(
    owner: str, missing: Sequence[str], why: str, spec: DataSpec, config: Config
) -> None:
    """Raise UserError where nothing could be said of validation or test points."""
    wanted = {"validation_step": "a validation_step that logs val/loss"}
    if config["test"]:
        wanted["test_step"] = "a test_step that logs test/loss (or test=false)"
    lacking = [wanted[name] for name in missing if name in wanted]
    if lacking:
        needed = f"(B, {spec.num_outputs})"
        raise user_error(
            "module_unmeasured",
            owner=owner,
            missing=" and ".join(lacking),
            needed=needed,
            reason=why,
        )


def check_offered(config: Config, callbacks: Sequence[Callback], num_ranks: int) -> None:
    """Raise UserError for what cannot be had of a module that trains itself."""
    decay, instead = config["trainer"]["ema_decay"], "trainer.ema_decay=null"
    if decay is not None:
        raise without(f"trainer.ema_decay={decay}", instead, config)
    if config["log_full_loss"]:
        raise without("log_full_loss=true", "log_full_loss=false", config)
    if num_ranks > 1:
        raise without(f"{num_ranks} processes", "trainer.devices=1", config)
    for callback in callbacks:
        if isinstance(callback, Diagnostics | Snapshots):
            given = f"{type(callback).__name__}, which looks into steps of ours"
            raise without(given, "callbacks=none", config)


def without(given: str, instead: str, config: Config) -> UserError:
    return user_error("module_without", given=given, model=config["model"]["name"], instead=instead)


def check_names(config: Config, tried: Tried, owner: str) -> None:
    """Raise UserError for metrics that a module was said to log, and does not."""
    if not is_whole_module(config):
        return
    for name, node in (config.get("metrics") or {}).items():
        is_logged = {f"val/{name}", f"test/{name}"} & tried.logged
        if "_target_" not in node and not is_logged:
            names = listed(sorted(tried.logged)) or "nothing"
            raise user_error("metric_unlogged", given=name, owner=owner, names=names)
