"""From plain config values to objects: the data, the network with its loss, the callbacks.

entries.py reads single entries of the catalogue; here they become a data set, a module and its
parts, each held against what it must fit.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.callbacks import Callback, EarlyStopping

from experiments.catalogue import initializers
from experiments.catalogue.activations import PHI_OUT
from experiments.catalogue.gains import gain_of
from experiments.catalogue.losses import check_fit
from experiments.config.dotted_paths import find_target, instantiated, is_own
from experiments.config.entries import (
    asked_for,
    call_of,
    call_or_refuse,
    called,
    entry,
    is_whole_module,
    target_of,
)
from experiments.config.trusted import targets_in
from experiments.data.augmentation import Augmentation
from experiments.data.datamodule import EVALUATION_BATCH_SIZE, DataModule
from experiments.data.foreign_source import check_data_set
from experiments.data.normalization import NORMALIZATIONS, statistics_of
from experiments.data.sources import DataSet, DataSpec
from experiments.errors.messages import check_choice, user_error
from experiments.training import check
from experiments.training.added_metrics import build_metrics
from experiments.training.calls import Execution
from experiments.training.devices import Work
from experiments.training.module import ExperimentModule
from experiments.training.process_state import settings_of_torch
from experiments.training.recipe import Recipe
from experiments.training.trial import (
    check_module,
    drawing_from,
    is_of_others,
    materialize,
    try_network,
)
from experiments.training.user_module import Tried, UserModule
from experiments.training.user_trial import try_module
from experiments.training.weighted_loss import fit_class_weights, is_balanced, with_weights

Config = dict[str, Any]


def load_data(config: Config) -> DataSet:
    """Return the data; of a user's own a loss of numbers says that the target has numbers."""
    source = entry(config, "data")
    loss = find_target("loss", config["loss"]["_target_"])
    if source.keywords.get("task") == "auto" and getattr(loss, "takes", None) == "values":
        source = functools.partial(source, task="numbers")
    owner = called(source)
    data: DataSet = call_or_refuse("data", source, owner)
    if not is_own(source.func):
        check_data_set(data, owner)
    return data


def try_foreign(
    config: Config, network: torch.nn.Module, loss: torch.nn.Module, spec: DataSpec
) -> Tried | None:
    """Try a network or a loss of somebody else's, or raise UserError with the line of theirs.

    Returns:
        What a LightningModule did; None for any other network.
    """
    if isinstance(network, LightningModule):
        return try_module(network, loss, spec, config)
    parts = [target_of(config, group) for group in ("model", "activation", "loss")]
    if any(map(is_of_others, parts)):
        names = (config["model"]["name"], config["loss"]["name"], config["data"]["name"])
        try_network(network, loss, spec, names, config["seed"])
    return None


def build_datamodule(
    config: Config, data: DataSet, work: Work | None = None, at_once: bool = False
) -> DataModule:
    """Return the batches of `data`.

    Args:
        work: of the network, which says how many points a batch of validation and test may have.
        at_once: hand out the stream of training batches instead of single ones.
    """
    check.check_augment(config)
    node, trainer = config["data"], config["trainer"]
    return DataModule(
        data,
        node["name"],
        batch_size=node["batch_size"],
        val_fraction=node["val_fraction"],
        split_seed=node["split_seed"],
        seed=config["seed"],
        overfit=bool(trainer["overfit_batches"]),
        augmentation=Augmentation(**node["augment"] or {}),
        memory_limit=node["memory_limit"],
        num_workers=node["num_workers"],
        test_shift=node["test_shift"],
        num_train=node["num_train"],
        label_noise=node["label_noise"],
        sampler=node["sampler"],
        folds=node["folds"],
        fold=node["fold"],
        evaluation_batch_size=evaluation_batch_size(config, work),
        at_once=at_once,
    )


def evaluation_batch_size(config: Config, work: Work | None) -> int:
    """Return how many points a batch of validation and test has."""
    limits = ("limit_val_batches", "limit_test_batches", "overfit_batches")
    # A number of batches would be another set of points for every network.
    is_limited = any(config["trainer"][key] for key in limits)
    return EVALUATION_BATCH_SIZE if work is None or is_limited else work.evaluation_batch_size


def build_module(
    config: Config,
    spec: DataSpec,
    recipe: Recipe | None = None,
    execution: Execution | None = None,
) -> ExperimentModule:
    """Return the untrained module for data of `spec`, its weights drawn from the seed.

    Args:
        recipe: what it is to be trained with; None for one that only predicts.
        execution: how many steps a call of the training step does.

    Raises:
        UserError: parts that do not fit the data or each other.
    """
    network = build_network(config, spec)
    is_user = isinstance(network, LightningModule)
    if (
        not is_user
        and is_faster_channels_last(config, spec)
        and (recipe is None or recipe.optimizer.takes_channels_last())
    ):
        network.to(memory_format=torch.channels_last)
    module = (UserModule if is_user else ExperimentModule)(
        network,
        loss_of(config, spec),
        spec,
        ema_decay=config["trainer"]["ema_decay"],
        recipe=recipe,
        execution=execution,
        added=build_metrics(config, spec),
        balances=is_balanced(config),
    )
    if config["data"]["pixel_shuffle"]:
        shuffle_pixels(config, module)
    return module


def build_network(config: Config, spec: DataSpec) -> torch.nn.Module:
    """Return the network, its weights drawn from the seed."""
    check.check_shape(config, spec)
    activation = activation_of(config)
    model = entry(config, "model")
    owner = called(target_of(config, "model"))
    # A constructor that sets torch's default type would have the whole run in it, in silence.
    with settings_of_torch(), drawing_from(config["seed"], "model"):
        made = call_or_refuse(
            "model", lambda: model(spec.shape, spec.num_outputs, activation), owner
        )
        network = check_module(made, "model", owner, "a torch.nn.Module")
        if is_whole_module(config) and not isinstance(network, LightningModule):
            values = {"given": "one of another package", "wanted": "lightning.LightningModule"}
            raise user_error("no_module", key="model", owner=owner, **values)
        materialize(network, spec.shape)
    initializer = initializer_of(config, activation)
    call_or_refuse(
        "init",
        lambda: initializers.initialize(network, initializer, config["seed"]),
        called(initializer),
    )
    check_drawn(network, initializer)
    return network


def check_drawn(network: torch.nn.Module, initializer: Callable[..., None]) -> None:
    """Raise UserError where an initialiser of somebody's has drawn what is no number."""
    target = getattr(initializer, "func", initializer)
    if is_of_others(target) and not all(p.isfinite().all() for p in network.parameters()):
        raise user_error(
            "numbers",
            key="init",
            owner=called(target),
            given="numbers that are not finite",
            when="as weights",
            instead="Look for what divides, or is never filled",
        )


def activation_of(config: Config) -> Callable[[], torch.nn.Module]:
    """Return what makes the activation, tried once: torch looks at some values only when called."""
    activation = entry(config, "activation")

    def trial() -> None:
        phi = check_module(activation(), "activation", called(activation), "a torch.nn.Module")
        phi.train()
        multiplier = Fraction(getattr(phi, "multiplier", 1))
        most = max((p.numel() for p in phi.parameters()), default=1)
        num_inputs = int(max(most, 4) * multiplier)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            outputs = phi(torch.linspace(-1, 1, 2 * num_inputs).view(2, -1))
        check_activated(outputs, num_inputs, multiplier)
        if not outputs.isfinite().all():
            raise ValueError("between -1 and 1 it is not a finite number")

    call_or_refuse("activation", trial, called(activation))
    return activation


def check_activated(outputs: Any, num_inputs: int, multiplier: Fraction) -> None:
    """Raise ValueError where an activation gives another number of features than it says."""
    needed = (2, int(num_inputs / multiplier))
    given = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs).__name__
    if given != needed:
        raise ValueError(
            f"it gives {given} for points of shape {(2, num_inputs)}, and {needed} is needed, or "
            "an attribute multiplier, the features that it takes for each that it gives"
        )


def initializer_of(
    config: Config, activation: Callable[[], torch.nn.Module]
) -> Callable[..., None]:
    """Return the initialiser, `gain: auto` being that of the activation."""
    node = config["init"]
    if node.get("gain") == "auto":
        gain = call_or_refuse(
            "init.gain", lambda: gain_of(activation), config["activation"]["name"]
        )
        config = {**config, "init": {**node, "gain": gain}}
    else:
        check.check_gain(node)
    return entry(config, "init")


def loss_of(config: Config, spec: DataSpec) -> torch.nn.Module:
    """Return the loss, held against the data and phi_out."""
    node, data_name = config["loss"], config["data"]["name"]
    make = with_weights(entry(config, "loss"), spec)
    owner = called(make)
    loss = check_module(call_or_refuse("loss", make, owner), "loss", owner, "a torch.nn.Module")
    check_fit(loss, node["name"], phi_out_of(config), spec.task, data_name)
    return loss


def phi_out_of(config: Config) -> str | None:
    """Return what the model does to its outputs; None of one that has no such argument, or means
    something else by it.
    """
    _, _, parameters = call_of(config, "model")
    default = parameters["phi_out"].default if "phi_out" in parameters else None
    phi_out = config["model"].get("phi_out", default)
    is_known = phi_out in PHI_OUT or is_own(target_of(config, "model"))
    return phi_out if is_known and "phi_out" in parameters else None


def shuffle_pixels(config: Config, module: ExperimentModule) -> None:
    """Let the module permute the positions of its inputs, or raise UserError for data without."""
    shape, node = module.spec.shape, config["data"]
    if len(shape) < 2:
        raise user_error(
            "spatial", key="pixel_shuffle", given="true", data=node["name"], shape=shape
        )
    module.normalize.shuffle(shape[1:], node["split_seed"])


def num_activation_parameters(config: Config, module: ExperimentModule) -> int | None:
    """Return how many weights the network has beyond those of the same one without activation.

    None where that cannot be known.

    Those that an activation trains itself, and those of layers which it asks to be wider; fewer
    than 0 where it needs narrower ones (crelu).
    """
    target, model = target_of(config, "model"), entry(config, "model")
    if "activation" not in asked_for(target, config["model"]):
        return 0
    try:
        with settings_of_torch(), torch.device("meta"), drawing_from(0, "bare"):
            bare = model(module.spec.shape, module.spec.num_outputs, torch.nn.Identity)
            return sum(p.numel() for p in module.network.parameters()) - sum(
                p.numel() for p in bare.parameters()
            )
    except Exception:  # of anyone's model, which may need numbers or something of its activation
        if is_own(target):
            raise
        return None


def is_faster_channels_last(config: Config, spec: DataSpec) -> bool:
    """Return whether a 2-D convolution runs faster with channels innermost in memory.

    So it does on a CPU, by a third, and on a GPU in half precision; the numbers are the same but
    for rounding.
    """
    has_gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    is_on_cpu = config["trainer"]["accelerator"] == "cpu" or not has_gpu
    return len(spec.shape) == 3 and (is_on_cpu or "16" in config["trainer"]["precision"])


def fit_normalization(module: ExperimentModule, datamodule: DataModule, how: str) -> None:
    """Set what the training points say: statistics of inputs and regression targets, and weights
    of classes.

    Those of the inputs are looked up among the data's facts: they take a pass over all images.
    """

    inputs = datamodule.train.inputs

    def statistics() -> list[list[float]]:
        return [numbers.tolist() for numbers in statistics_of(inputs, how)]

    check_choice("data.normalize", how, NORMALIZATIONS)
    known = datamodule.facts.get(f"{how} {datamodule.split_name}", statistics)
    mean, std = torch.tensor(known, dtype=torch.float64)
    module.normalize.set(mean, std, inputs.dtype)
    if module.normalize_targets is not None:
        module.normalize_targets.fit(datamodule.train.targets, "standardize")
    fit_class_weights(module, datamodule)


def build_callbacks(config: Config) -> list[Any]:
    """Return the callbacks of the group `callbacks`, which are anyone's classes."""
    nodes: Mapping[str, Any] = config["callbacks"] or {}
    for name, node in nodes.items():
        if not isinstance(node, Mapping) or "_target_" not in node:
            raise user_error("callback", given=name)
        for key, path in targets_in(node, f"callbacks.{name}"):
            find_target(key, path)
    return [build_callback(f"callbacks.{name}", node) for name, node in nodes.items()]


def build_callback(key: str, node: Config) -> Callback:
    """Return a callback, or raise UserError for what raises, and for what is none."""
    owner = called(find_target(key, node["_target_"]))
    callback = call_or_refuse(key, lambda: instantiated(key, with_epoch_end(node)), owner)
    if not isinstance(callback, Callback):
        given, wanted = type(callback).__name__, "a Callback of lightning.pytorch.callbacks"
        raise user_error("no_module", key=key, owner=owner, given=given, wanted=wanted)
    return callback


def with_epoch_end(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the node of a callback such that an early stop by `train/*` looks at epochs' ends.

    Such a metric is measured at the end of an epoch; amid one there is nothing to look at.
    """
    target = find_target("callbacks", node["_target_"])
    is_early_stopping = inspect.isclass(target) and issubclass(target, EarlyStopping)
    if not is_early_stopping or not str(node.get("monitor")).startswith("train/"):
        return node
    return {**node, "check_on_train_epoch_end": True}
