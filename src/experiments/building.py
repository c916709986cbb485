"""From plain config values to objects: the data, the module and its parts.

entries.py reads single entries of the catalogue; here they become a data set, a module and its
optimizer, each held against what it must fit.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from hydra.utils import instantiate

from experiments import initializers
from experiments.data.augmentation import Augmentation
from experiments.data.datamodule import DataModule
from experiments.data.normalization import NORMALIZATIONS
from experiments.data.sources import DataSet, DataSpec
from experiments.entries import entry, refused
from experiments.errors import check_choice, user_error
from experiments.gains import gain_of
from experiments.losses import check_fit
from experiments.module import ExperimentModule
from experiments.optimizer_needs import Needs
from experiments.optimizers import NOT_ARGUMENTS, check_values, needs_for, optimizer_for
from experiments.updates import UpdateRules

Config = dict[str, Any]

DATAMODULE_KEYS = (
    "batch_size",
    "val_fraction",
    "split_seed",
    "normalize",
    "augment",
    "pixel_shuffle",
    "test_shift",
    "memory_limit",
    "num_workers",
)


def initializer_of(
    config: Config, activation: Callable[[], torch.nn.Module]
) -> Callable[..., None]:
    """Return the initialiser, `gain: auto` being that of the activation."""
    node = config["init"]
    gain = node.get("gain")
    if gain == "auto":
        gain = refused("init.gain", lambda: gain_of(activation), config["activation"]["name"])
        config = {**config, "init": {**node, "gain": gain}}
    elif isinstance(gain, int | float) and not gain > 0:
        raise user_error(
            "not_allowed",
            key="init.gain",
            given=gain,
            allowed="auto or a number above 0",
            instead=1,
        )
    return entry(config, "init", supplied=3)


def load_data(config: Config) -> DataSet:
    """Return the data set that `data` names."""
    source = entry(config, "data", leave_out=DATAMODULE_KEYS)
    data: DataSet = refused("data", source, config["data"]["_target_"])
    return data


def build_datamodule(config: Config, data: DataSet) -> DataModule:
    """Return the batches of `data`."""
    node = config["data"]
    return DataModule(
        data,
        node["name"],
        batch_size=node["batch_size"],
        val_fraction=node["val_fraction"],
        split_seed=node["split_seed"],
        seed=config["seed"],
        overfit=bool(config["trainer"]["overfit_batches"]),
        augmentation=refused(
            "data.augment", lambda: Augmentation(**(node.get("augment") or {})), "the augmentation"
        ),
        memory_limit=node["memory_limit"],
        num_workers=node["num_workers"],
        test_shift=node["test_shift"],
    )


def check_shape(config: Config, spec: DataSpec) -> None:
    """Raise UserError where the model cannot take data of this shape."""
    model, num_dims = config["model"]["name"], len(spec.shape) - 1
    if model == "cnn" and not 1 <= num_dims <= 3:
        reason = (
            f"a CNN slides windows over 1 to 3 dimensions, and one data point of "
            f"{config['data']['name']} has the shape {spec.shape}"
        )
        raise user_error(
            "shape", model=model, data=config["data"]["name"], reason=reason, instead="model=mlp"
        )


def build_module(config: Config, spec: DataSpec) -> ExperimentModule:
    """Return the untrained module for data of `spec`, its weights drawn from the seed.

    Raises:
        UserError: parts that do not fit the data or each other.
    """
    check_shape(config, spec)
    activation = entry(config, "activation")
    refused("activation", activation, config["activation"]["_target_"])
    model = entry(config, "model", supplied=3)
    network = refused(
        "model",
        lambda: model(spec.shape, spec.num_outputs, activation),
        config["model"]["_target_"],
    )
    make_loss = entry(config, "loss")
    loss = refused("loss", make_loss, config["loss"]["_target_"])
    check_fit(
        loss, config["loss"]["name"], config["model"]["phi_out"], spec.task, config["data"]["name"]
    )
    make_optimizer = optimizer_of(config)
    # A trial, so that values which torch refuses are found before the run starts.
    make_optimizer(network)
    scheduler = entry(config, "scheduler", leave_out=("interval",), supplied=2)
    trial = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    refused("scheduler", lambda: scheduler(trial, 1), config["scheduler"]["_target_"])
    initializer = initializer_of(config, activation)
    refused(
        "init",
        lambda: initializers.initialize(network, initializer, config["seed"]),
        config["init"]["_target_"],
    )
    needs = optimizer_traits(config)
    if needs.any_layout and is_faster_channels_last(config, spec):
        network.to(memory_format=torch.channels_last)
    trainer = config["trainer"]
    module = ExperimentModule(
        network,
        loss,
        spec,
        make_optimizer,
        scheduler,
        UpdateRules(
            accumulate=trainer["accumulate_grad_batches"],
            clip_val=trainer["gradient_clip_val"],
            clip_algorithm=trainer["gradient_clip_algorithm"],
            ema_decay=trainer["ema_decay"],
            interval=config["scheduler"]["interval"],
            closure=needs.closure,
            switched=needs.switched,
        ),
    )
    if config["data"]["pixel_shuffle"]:
        if len(spec.shape) < 2:
            raise user_error(
                "spatial",
                key="pixel_shuffle",
                given="true",
                data=config["data"]["name"],
                shape=spec.shape,
            )
        module.normalize.shuffle(spec.shape[1:], config["data"]["split_seed"])
    return module


def optimizer_of(config: Config) -> Callable[[torch.nn.Module], torch.optim.Optimizer]:
    """Return what makes the optimizer of a network."""
    check_values(config["optim"])
    bound = entry(config, "optim", leave_out=NOT_ARGUMENTS, supplied=1)
    return functools.partial(
        optimizer_for,
        optimizer_class=bound.func,
        values=bound.keywords,
        no_decay=tuple(config["optim"].get("no_decay") or ()),
    )


def optimizer_traits(config: Config) -> Needs:
    """Return what the optimizer needs, or raise UserError where it cannot be stepped at all."""
    bound = entry(config, "optim", leave_out=NOT_ARGUMENTS, supplied=1)
    return needs_for(bound.func, bound.keywords)


def num_activation_parameters(config: Config, module: ExperimentModule) -> int:
    """Return how many weights the network has beyond those of the same one without activation.

    Those that an activation trains itself, and those of layers which it asks to be wider; fewer
    than 0 where it needs narrower ones (crelu).
    """
    model = entry(config, "model", supplied=3)
    with torch.device("meta"):
        bare = model(module.spec.shape, module.spec.num_outputs, torch.nn.Identity)
    return sum(p.numel() for p in module.network.parameters()) - sum(
        p.numel() for p in bare.parameters()
    )


def is_faster_channels_last(config: Config, spec: DataSpec) -> bool:
    """Return whether a 2-D convolution runs faster with channels innermost in memory.

    So it does on a CPU, by a third, and on a GPU in half precision; the numbers are the same but
    for rounding.
    """
    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    is_on_cpu = config["trainer"]["accelerator"] == "cpu" or not has_gpu
    return len(spec.shape) == 3 and (is_on_cpu or "16" in config["trainer"]["precision"])


def fit_normalization(module: ExperimentModule, datamodule: DataModule, how: str) -> None:
    """Set the statistics of inputs and regression targets from the training points.

    Those of the inputs are looked up among the data's facts: they take a pass over all images.
    """

    def fit() -> list[list[float]]:
        module.normalize.fit(datamodule.train.inputs, how)
        return [module.normalize.mean.flatten().tolist(), module.normalize.std.flatten().tolist()]

    check_choice("data.normalize", how, NORMALIZATIONS)
    mean, std = datamodule.facts.get(f"{how} {datamodule.split_name}", fit)
    for buffer, values in ((module.normalize.mean, mean), (module.normalize.std, std)):
        buffer.copy_(torch.tensor(values).view_as(buffer))
    if module.normalize_targets is not None:
        module.normalize_targets.fit(datamodule.train.targets, "standardize")


def build_callbacks(config: Config) -> list[Any]:
    """Return the callbacks of the group `callbacks`, which are anyone's classes."""
    nodes: Mapping[str, Any] = config["callbacks"] or {}
    for name, node in nodes.items():
        if not isinstance(node, Mapping) or "_target_" not in node:
            raise user_error("callback", given=name)
    return [
        refused(f"callbacks.{name}", functools.partial(instantiate, node), node["_target_"])
        for name, node in nodes.items()
    ]
