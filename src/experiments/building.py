"""From plain config values to objects: the data, the module and its parts.

entries.py reads single entries of the catalogue; here they become a data set, a module and its
optimizer, each held against what it must fit.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import torch
from hydra.utils import instantiate

from experiments import initializers
from experiments.data.augmentation import Augmentation
from experiments.data.datamodule import DataModule
from experiments.data.normalization import NORMALIZATIONS
from experiments.data.sources import DataSet, DataSpec
from experiments.entries import entry, refused
from experiments.errors import check_choice, hint, listed, user_error
from experiments.gains import gain_of
from experiments.losses import check_fit
from experiments.module import ExperimentModule
from experiments.optimization import optimizer_of, scheduler_of, update_rules
from experiments.schema import AugmentConfig

Config = dict[str, Any]


def initializer_of(
    config: Config, activation: Callable[[], torch.nn.Module]
) -> Callable[..., None]:
    """Return the initialiser, `gain: auto` being that of the activation."""
    node = config["init"]
    gain = node.get("gain")
    if gain == "auto":
        gain = refused("init.gain", lambda: gain_of(activation), config["activation"]["name"])
        config = {**config, "init": {**node, "gain": gain}}
    elif "gain" in node and not is_positive(gain):
        raise user_error(
            "not_allowed",
            key="init.gain",
            given="null" if gain is None else gain,
            allowed="auto or a number above 0",
            instead=1,
        )
    return entry(config, "init")


def is_positive(value: Any) -> bool:
    """Return whether a value is a finite number above 0."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value < math.inf


def load_data(config: Config) -> DataSet:
    """Return the data set that `data` names."""
    source = entry(config, "data")
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
        augmentation=augmentation_of(config),
        memory_limit=node["memory_limit"],
        num_workers=node["num_workers"],
        test_shift=node["test_shift"],
    )


def augmentation_of(config: Config) -> Augmentation:
    """Return what is done to training batches."""
    check_augment(config)
    return Augmentation(**config["data"]["augment"] or {})


def check_augment(config: Config) -> None:
    """Raise UserError for a key of data.augment that means nothing."""
    known = [field.name for field in dataclasses.fields(AugmentConfig)]
    for key in config["data"].get("augment") or {}:
        if key not in known:
            raise user_error(
                "unknown_key",
                key=f"data.augment.{key}",
                parent="data.augment",
                choices=listed(known),
                hint=hint("data.augment.", key, known, "=..."),
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
    activation = activation_of(config)
    model = entry(config, "model")
    network = refused(
        "model",
        lambda: model(spec.shape, spec.num_outputs, activation),
        config["model"]["_target_"],
    )
    initializer = initializer_of(config, activation)
    refused(
        "init",
        lambda: initializers.initialize(network, initializer, config["seed"]),
        config["init"]["_target_"],
    )
    loss = loss_of(config, spec)
    make_optimizer, needs, takes_channels_last = optimizer_of(config)
    # A trial, so that values which torch refuses are found before the run starts.
    make_optimizer(network)
    if is_faster_channels_last(config, spec) and takes_channels_last():
        network.to(memory_format=torch.channels_last)
    rules = update_rules(config, needs)
    module = ExperimentModule(network, loss, spec, make_optimizer, scheduler_of(config), rules)
    if config["data"]["pixel_shuffle"]:
        shuffle_pixels(config, module)
    return module


def activation_of(config: Config) -> Callable[[], torch.nn.Module]:
    """Return what makes the activation, tried once: torch looks at some values only when called."""
    activation = entry(config, "activation")

    def trial() -> None:
        phi = activation().train()
        own = max((p.numel() for p in phi.parameters()), default=1)
        num_features = max(own, 4) * Fraction(getattr(phi, "multiplier", 1))
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            outputs = phi(torch.linspace(-1, 1, int(2 * num_features)).view(2, -1))
        if not outputs.isfinite().all():
            raise ValueError("between -1 and 1 it is not a finite number")

    refused("activation", trial, config["activation"]["_target_"])
    return activation


def loss_of(config: Config, spec: DataSpec) -> torch.nn.Module:
    """Return the loss, held against the data and phi_out."""
    node, data_name = config["loss"], config["data"]["name"]
    loss: torch.nn.Module = refused("loss", entry(config, "loss"), node["_target_"])
    check_fit(loss, node["name"], config["model"]["phi_out"], spec.task, data_name)
    return loss


def shuffle_pixels(config: Config, module: ExperimentModule) -> None:
    """Let the module permute the positions of its inputs, or raise UserError for data without."""
    shape, node = module.spec.shape, config["data"]
    if len(shape) < 2:
        raise user_error(
            "spatial", key="pixel_shuffle", given="true", data=node["name"], shape=shape
        )
    module.normalize.shuffle(shape[1:], node["split_seed"])


def num_activation_parameters(config: Config, module: ExperimentModule) -> int:
    """Return how many weights the network has beyond those of the same one without activation.

    Those that an activation trains itself, and those of layers which it asks to be wider; fewer
    than 0 where it needs narrower ones (crelu).
    """
    model = entry(config, "model")
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
