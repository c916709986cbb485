"""From plain config values to objects: the data, the module and its parts.

Every catalogue entry is a mapping with `_target_`, `name` and the arguments of that target, which
are held against its signature here, so that a new entry needs no schema of its own.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import torch
from hydra.utils import get_object, instantiate

from experiments import initializers
from experiments.data.augmentation import Augmentation
from experiments.data.datamodule import DataModule
from experiments.data.normalization import NORMALIZATIONS
from experiments.data.sources import DataSet, DataSpec
from experiments.errors import UserError, check_choice, hint, listed, user_error
from experiments.losses import check_fit
from experiments.module import ExperimentModule
from experiments.optimizers import NOT_ARGUMENTS, build_optimizer, check_values
from experiments.updates import UpdateRules

Config = dict[str, Any]

DATAMODULE_KEYS = (
    "batch_size",
    "val_fraction",
    "split_seed",
    "normalize",
    "augment",
    "memory_limit",
    "num_workers",
)
TYPE_WORDS = {
    int: ("a whole number", 1),
    float: ("a number", 0.1),
    bool: ("true or false", "true"),
    str: ("a word", "..."),
}


def entry(
    config: Config, group: str, leave_out: tuple[str, ...] = (), supplied: int = 0
) -> functools.partial[Any]:
    """Return the target of a catalogue entry with its arguments bound, each checked.

    Args:
        config: the whole config.
        group: the entry's key in it.
        leave_out: keys that are not arguments of the target.
        supplied: how many positional arguments the caller will give.

    Raises:
        UserError: a target that cannot be imported, an argument it does not take or that has the
            wrong type, or one that it needs and lacks.
    """
    node = config[group]
    target = find_target(group, node["_target_"])
    skipped = {"_target_", "name", *leave_out}
    arguments = {key: value for key, value in node.items() if key not in skipped}
    parameters = inspect.signature(target).parameters
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    positional = list(parameters)[:supplied]
    known = [name for name in parameters if name not in positional]
    for name, value in arguments.items():
        if name in known:
            check_type(f"{group}.{name}", value, wanted_type(target, parameters[name]))
        elif not takes_any:
            suggestion = hint(f"{group}.", name, known, "=...")
            raise user_error(
                "unknown_key",
                key=f"{group}.{name}",
                parent=f"{group}={node['name']}",
                choices=listed([*known, *leave_out]),
                hint=suggestion,
            )
    for name in known:
        parameter = parameters[name]
        needed = parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        )
        if needed and name not in arguments:
            raise user_error("missing_argument", key=group, owner=node["_target_"], name=name)
    return functools.partial(target, **arguments)


def find_target(group: str, path: str) -> Callable[..., Any]:
    """Import a class or function by its dotted path, or raise UserError."""
    try:
        target: Callable[..., Any] = get_object(path)
    except Exception as error:  # Hydra wraps whatever an import can raise
        reason = " ".join(str(error).split())
        raise user_error("target", key=group, given=path, reason=reason) from error
    return target


def wanted_type(target: Callable[..., Any], parameter: inspect.Parameter) -> type | None:
    """Return int, float, bool or str where the signature asks for one of them, else None."""
    try:
        function = target.__init__ if inspect.isclass(target) else target
        hint_ = typing.get_type_hints(function).get(parameter.name)
    except Exception:  # a hint that cannot be evaluated is no hint
        hint_ = None
    if typing.get_origin(hint_) in (typing.Union, types.UnionType):
        options = typing.get_args(hint_)
        # Torch writes float | Tensor for numbers that may be tensors.
        hint_ = float if float in options and type(None) not in options else object
    if hint_ in TYPE_WORDS:
        return hint_
    if hint_ is None and type(parameter.default) in TYPE_WORDS:
        # An unannotated 0 may well stand for a number.
        return float if type(parameter.default) is int else type(parameter.default)
    return None


def check_type(key: str, value: Any, wanted: type | None) -> None:
    """Raise UserError unless `value` is of the wanted type; whole numbers serve as numbers."""
    if wanted is None:
        return
    is_bool = isinstance(value, bool)
    fits = {
        int: isinstance(value, int) and not is_bool,
        float: isinstance(value, int | float) and not is_bool,
        bool: is_bool,
        str: isinstance(value, str),
    }
    if not fits[wanted]:
        allowed, instead = TYPE_WORDS[wanted]
        raise user_error("not_allowed", key=key, given=value, allowed=allowed, instead=instead)


def refused(group: str, call: Callable[[], Any], owner: str) -> Any:
    """Return `call()`; a ValueError or TypeError of the owner becomes a UserError at `group`."""
    try:
        return call()
    except UserError:
        raise
    except Exception as error:  # whatever a class of anyone's may raise on its arguments
        reason = " ".join(str(error).split()).rstrip(".")
        raise user_error("refused", key=group, owner=owner, reason=reason) from error


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
    check_values(config["optim"])
    optimizer = entry(config, "optim", leave_out=NOT_ARGUMENTS, supplied=1)
    # A trial on one parameter, so that values which torch refuses are found before the run starts.
    build_optimizer([torch.nn.Parameter(torch.zeros(1, 1))], optimizer.func, optimizer.keywords)
    scheduler = entry(config, "scheduler", leave_out=("interval",), supplied=2)
    trial = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    refused("scheduler", lambda: scheduler(trial, 1), config["scheduler"]["_target_"])
    initializers.initialize(network, entry(config, "init", supplied=5), config["seed"])
    if is_faster_channels_last(config, spec):
        network.to(memory_format=torch.channels_last)
    trainer = config["trainer"]
    return ExperimentModule(
        network,
        loss,
        spec,
        functools.partial(
            build_optimizer, optimizer_class=optimizer.func, values=optimizer.keywords
        ),
        scheduler,
        UpdateRules(
            accumulate=trainer["accumulate_grad_batches"],
            clip_val=trainer["gradient_clip_val"],
            clip_algorithm=trainer["gradient_clip_algorithm"],
            ema_decay=trainer["ema_decay"],
            interval=config["scheduler"]["interval"],
        ),
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
