"""What a run says of its own config: parts that follow from others, overrides without effect."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Iterator, Sequence
from inspect import signature
from pathlib import Path

from experiments.catalogue.optimizer_needs import Needs
from experiments.config.entries import Config, asked_for, target_of
from experiments.config.foreign_code import foreign_words
from experiments.config.given_code import MARK, given_paths
from experiments.config.launch import Launch
from experiments.config.overrides import key_of
from experiments.data.after_cut import remarks
from experiments.data.datamodule import DataModule
from experiments.errors.error_table import TABLE
from experiments.errors.wording import listed
from experiments.record.metric import measured_on
from experiments.training import console
from experiments.training.build import phi_out_of
from experiments.training.calls import per_batch_hooks
from experiments.training.check import has_batch_norm
from experiments.training.module import ExperimentModule
from experiments.training.recipe import Recipe
from experiments.training.run_parts import RunParts
from experiments.training.user_module import STAGES, UserModule

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 30.0
"""After which a run says which classes it is still building: a constructor may never return."""
OF_MODULE = ("model", "activation", "init", "loss", "metrics")
"""Groups whose classes a trained network is built of when it is read back."""


def tell_start(parts: RunParts, launch: Launch, folder: Path) -> None:
    """Say what a run's config leads to that may surprise, and what is about to be trained."""
    config = parts.config
    tell_of_data(config, parts.datamodule)
    unread = unread_by(parts.module)
    warn_of_no_effect(config, launch.overrides, parts.recipe, parts.datamodule, unread)
    for group, node in config.items():
        for path in given_paths(node):
            tell_no_import(path, "load the network" if group in OF_MODULE else "go on with the run")
    takes = getattr(parts.module.loss, "takes", None)
    if isinstance(parts.module, UserModule):
        tell_of_user_module(config, parts.module)
    elif phi_out_of(config) is None and takes is not None:
        names = {"model": config["model"]["name"], "loss": config["loss"]["name"]}
        log.info(TABLE["taken_for"].format(**names, takes=takes))
    if any(True for _ in parts.module.loss.parameters()):
        log.warning(TABLE["loss_weights"].format(loss=config["loss"]["name"]))
    hooks = per_batch_hooks(parts.callbacks)
    if hooks and config["steps_per_execution"] != 1:
        log.info(TABLE["single_steps"].format(hook=hooks[0]))
    if parts.module.rules.switched and has_batch_norm(parts.module.network):
        log.warning(TABLE["batch_norm_switched"].format(name=config["optim"]["name"]))
    module, how = parts.module, config["data"]["normalize"]
    for remark in remarks(parts.datamodule, module.normalize, module.normalize_targets, how):
        log.warning(remark)
    if not launch.is_quiet:
        data = {**config["data"], "batch_size": parts.datamodule.batch_size_in_words}
        console.start_panel({**config, "data": data}, parts.facts | {"folder": str(folder)})


@contextlib.contextmanager
def telling_of_delay(config: Config) -> Iterator[None]:
    """Say where the block takes long that it calls somebody else's classes, which may be why."""
    what = foreign_words(config)
    line = TABLE["delay"].format(seconds=f"{PATIENCE_SECONDS:g}", what=what)
    timer = threading.Timer(PATIENCE_SECONDS, log.warning, [line])
    timer.daemon = True
    if what:
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


@functools.cache
def tell_no_import(path: str, what: str) -> None:
    """Say, once in a process, that no other process can have a class, and what it then cannot."""
    name, _, text = path.partition(MARK)
    name = name.rpartition(".")[2]
    word = name if name.isidentifier() else "NAME"  # a lambda has none yet
    log.warning(TABLE["no_import"].format(name=name, word=word, text=text, what=what))


def unread_by(module: ExperimentModule) -> list[str]:
    """Return the groups and keys that a LightningModule of somebody's does not ask for."""
    if not isinstance(module, UserModule):
        return []
    is_loss_read = module.is_measurable and "val/loss" not in module.tried.logged
    return ["optim", "scheduler", "steps_per_execution", *([] if is_loss_read else ["loss"])]


def tell_of_user_module(config: Config, module: UserModule) -> None:
    """Say what a LightningModule does itself, and where its numbers come from."""
    names = {"model": config["model"]["name"], "loss": config["loss"]["name"]}
    measured = TABLE["module_logs"].format(reason=module.tried.why_unmeasured)
    if module.is_measurable:
        ours = listed(measured_on(module.spec.task))
        measured = TABLE["module_measured"].format(**names, names=ours)
    log.info(TABLE["module_trains"].format(**names, measured=measured))
    stages = tuple(f"{stage}/" for stage in STAGES)
    others = sorted(name for name in module.tried.logged if not name.startswith(stages))
    if others:
        log.warning(TABLE["module_names"].format(**names, names=listed(others)))


def tell_of_data(config: Config, data: DataModule) -> None:
    """Say how a user's own file was read, and that its points are fewer than a batch."""
    for note in data.facts.values.get("understood", {}).get("notes", ()):
        log.warning(TABLE["understood"].format(data=config["data"]["name"], note=note))
    if data.is_batch_cut:
        log.info(
            TABLE["batch_cut"].format(given=config["data"]["batch_size"], most=data.batch_size)
        )


def decay_of(config: Config) -> float:
    """Return the weight decay, that of the class where none is given."""
    known = signature(target_of(config, "optim")).parameters
    default = known["weight_decay"].default if "weight_decay" in known else 0.0
    return float(config["optim"].get("weight_decay", default) or 0.0)


def has_momentum(config: Config, recipe: Recipe) -> bool:
    """Return whether the optimizer has a momentum that a schedule may change."""
    node = config["optim"]
    is_simple = recipe.optimizer.needs == Needs("plain")
    return is_simple and (bool(node.get("momentum")) or len(node.get("betas", ())) == 2)


def warn_of_no_effect(
    config: Config,
    overrides: Sequence[str],
    recipe: Recipe,
    data: DataModule,
    unread: Sequence[str] = (),
) -> None:
    """Say which overrides change nothing in this combination."""
    reasons = no_effect_with(config, recipe, data)
    for override in overrides:
        key = key_of(override)
        reason = reasons.get("activation" if key.startswith("activation") else key)
        if key.partition(".")[0] in unread:
            reason = f"model={config['model']['name']}, which trains itself"
        if reason:
            log.warning(TABLE["no_effect"].format(given=override, with_=reason))


def no_effect_with(config: Config, recipe: Recipe, data: DataModule) -> dict[str, str | bool]:
    """Return with what each key changes nothing; False for one that does."""
    model, trainer = config["model"], config["trainer"]
    pool, norm = model.get("pool"), model.get("norm")
    is_linear, target = model["name"] == "linear", target_of(config, "model")
    asks = "activation" in asked_for(target, model)
    needed, without = getattr(target, "activation_needs", ("", ""))
    return {
        "activation": (is_linear and "model=linear, which has no hidden layer")
        or (needed and not model.get(needed, True) and f"model.{needed}=[], {without}")
        or (not asks and f"model={model['name']}, which does not ask for one"),
        "model.pool_size": pool == "none" and "model.pool=none",
        "model.norm_groups": "group" not in (norm or "") and f"model.norm={norm}",
        "trainer.gradient_clip_algorithm": trainer["gradient_clip_val"] is None
        and "trainer.gradient_clip_val=null",
        "trainer.sync_batchnorm": trainer["strategy"] == "auto" and "one device",
        "data.val_fraction": data.brings_validation and "data that bring validation points",
        "data.fold": config["data"]["folds"] is None and "data.folds=null",
        "data.num_workers": data.fits_in_memory and "data that fit data.memory_limit",
        **dict.fromkeys(
            ("trainer.val_check_interval", "trainer.check_val_every_n_epoch"),
            len(data.val) == 0 and "data.val_fraction=0",
        ),
        "scheduler": config["optim"]["name"] == "rprop"
        and config["scheduler"]["name"] != "constant"
        and "optim=rprop, which takes lr for its first step alone",
        "optim.no_decay": not decay_of(config) and "optim.weight_decay=0",
        "init.gain": config["init"].get("std") is not None and f"init.std={config['init']['std']}",
        "scheduler.cycle_momentum": not has_momentum(config, recipe)
        and f"optim={config['optim']['name']}",
        "checkpoint.mode": config["checkpoint"]["monitor"] == "auto" and "checkpoint.monitor=auto",
    }
