"""The parts of each member: what is equal for all of them is built once."""

from __future__ import annotations

import dataclasses
from typing import cast

from experiments.config.entries import Config
from experiments.training import build, check
from experiments.training.added_metrics import build_tables
from experiments.training.module import ExperimentModule
from experiments.training.population.member_trainer import MemberTrainer
from experiments.training.recipe import build_recipe
from experiments.training.run_parts import RunParts, build_run
from experiments.training.trainer import RunTrainer, execution_of, monitor_of, watching_of
from experiments.training.weighted_loss import fit_class_weights


def build_member(config: Config, first: RunParts | None) -> RunParts:
    """Return the parts of a member, or raise UserError; nothing is written.

    Args:
        config: in plain values, which `check_config` has let pass.
        first: the parts of another member, alike but for its seed and numbers; None for the first.
    """
    if first is None:
        parts = build_run(config)
        return dataclasses.replace(parts, trainer=trainer_of(parts))
    spec = first.datamodule.spec
    recipe = build_recipe(config)
    check.check_recipe(config, recipe, num_ranks=1)
    callbacks = build.build_callbacks(config)
    module = build.build_module(config, spec, recipe, execution_of(config, callbacks, 1))
    take_statistics(module, first)
    parts = dataclasses.replace(
        first,
        config=config,
        datamodule=first.datamodule.with_seed(config["seed"]),
        module=module,
        recipe=recipe,
        callbacks=callbacks,
        tables=build_tables(config, spec),
    )
    return dataclasses.replace(parts, trainer=trainer_of(parts))


def take_statistics(module: ExperimentModule, first: RunParts) -> None:
    """Have a module normalise as that of another member does."""
    module.normalize.load_state_dict(first.module.normalize.state_dict())
    if module.normalize_targets is not None and first.module.normalize_targets is not None:
        module.normalize_targets.load_state_dict(first.module.normalize_targets.state_dict())
    fit_class_weights(module, first.datamodule)


def trainer_of(parts: RunParts) -> RunTrainer:
    """Return what stands in for the Trainer of a member."""
    config, data = parts.config, parts.datamodule
    monitor = monitor_of(config, parts.module.measured_names(config), len(data.val) > 0)
    watching = watching_of(config, monitor, 0, parts.callbacks)
    return cast(RunTrainer, MemberTrainer(watching, data))
