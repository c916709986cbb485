"""Optimizers: the values of an `optim` file, checked and turned into an optimizer of torch.

The files (`conf/optim/*.yaml`) name torch's own classes, or those of other collections; what is
here is what holds for all of them. Keys of a file that are not arguments: `search` is its search
space for tuning, `full_batch` says that the batch is the whole training set (gradient descent
itself), `no_decay` which kinds of parameters weight decay spares.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from torch import nn
from torch.optim import Optimizer

from experiments.catalogue.optimizer_needs import Needs, failure, needs_of
from experiments.catalogue.parameter_groups import (
    NO_DECAY,
    by_matrix,
    decayed_and_spared,
    trainable,
)
from experiments.catalogue.split_optimizer import SplitOptimizer
from experiments.errors.messages import check_choice, refuse_unless, user_error
from experiments.errors.places import place_of_class

NOT_ARGUMENTS = ("search", "full_batch", "no_decay")

POSITIVE = {"lr": 1e-3}
AT_LEAST_ZERO = {"weight_decay": 0.0, "momentum": 0.9, "eps": 1e-8}

SLOWER_AT_ONCE = ("ASGD", "Adafactor")
"""Classes of torch whose foreach form is no faster on a CPU than its loop over parameters."""


def check_values(values: Mapping[str, Any]) -> None:
    """Raise UserError for numbers that no optimizer can use, before torch sees them."""
    for names, allowed, fits in (
        (POSITIVE, "a number above 0", lambda value: value > 0),
        (AT_LEAST_ZERO, "a number of at least 0", lambda value: value >= 0),
    ):
        for name, instead in names.items():
            value = values.get(name)
            is_good = not isinstance(value, int | float) or fits(value)
            refuse_unless(is_good, f"optim.{name}", value, allowed, instead)
    for word in no_decay_of(values):
        check_choice("optim.no_decay", word, NO_DECAY)


def no_decay_of(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the kinds of parameters that weight decay spares: a list, or one word."""
    given = values.get("no_decay") or ()
    return tuple(given) if isinstance(given, list | tuple) else (given,)


def optimizer_for(
    network: nn.Module,
    optimizer_class: Callable[..., Optimizer],
    values: Mapping[str, Any],
    no_decay: Iterable[str] = (),
) -> Optimizer:
    """Return the optimizer of a network's trainable parameters, in the groups that it wants.

    Most take all parameters alike. Some are made for matrices: they get the kernels and matrices
    between the first layer's inputs and the output layer, and AdamW takes the rest, with the same
    lr and weight decay.

    Args:
        network: what is trained.
        optimizer_class: of torch, or anyone's with its interface; `values` are its arguments.
        no_decay: kinds of parameters (bias, norm, activation) with a weight decay of 0.

    Raises:
        UserError: the class refuses the values, or cannot train this network.
    """
    needs = needs_for(optimizer_class, values)
    name = getattr(optimizer_class, "__name__", str(optimizer_class))
    if no_decay and not takes(optimizer_class, "weight_decay"):
        raise user_error("no_decay", given=f"[{','.join(no_decay)}]", owner=name)
    if needs.form == "plain":
        groups = decayed_and_spared(trainable(network), network, no_decay)
        return build_optimizer(groups, optimizer_class, values)
    matrices, others = by_matrix(network)
    if not matrices:
        raise user_error("no_matrices", owner=name)
    rest = decayed_and_spared(others, network, no_decay)
    # The rest has the rate and the decay of the matrices, and not defaults of its own.
    known = {name: p.default for name, p in inspect.signature(optimizer_class).parameters.items()}
    arguments = {**known, **values}
    shared: dict[str, Any] = {k: arguments[k] for k in ("lr", "weight_decay") if k in known}
    if needs.form == "flagged":
        groups = rest if isinstance(rest[0], dict) else [{"params": rest}]
        flagged = [{**shared, **group, "use_muon": False} for group in groups]
        flagged.insert(0, {"params": matrices, "use_muon": True})
        return build_optimizer(flagged, optimizer_class, values)
    make = functools.partial(build_optimizer, optimizer_class=optimizer_class, values=values)
    return SplitOptimizer(matrices, rest, make, shared)


def needs_for(optimizer_class: Callable[..., Optimizer], values: Mapping[str, Any]) -> Needs:
    """Return what a class needs to be stepped.

    Raises:
        UserError: what it needs cannot be given, or it steps with none of these values.
    """
    arguments = as_arguments(values)
    needs = needs_of(optimizer_class, arguments)
    if needs.form is not None:
        return needs
    bare = check_steppable(optimizer_class, values)
    assert bare.form is not None
    reason = failure(optimizer_class, arguments, bare.form, bare.closure)
    raise user_error("refused", key="optim", owner=named(optimizer_class), reason=reason)


def check_steppable(optimizer_class: Callable[..., Optimizer], values: Mapping[str, Any]) -> Needs:
    """Return what a class needs by itself, or raise UserError where that cannot be given.

    Of the values it gets those alone that have no default of its own.
    """
    arguments = as_arguments(values)
    parameters = inspect.signature(optimizer_class).parameters.items()
    required = {n: arguments[n] for n, p in parameters if p.default is p.empty and n in arguments}
    needs = needs_of(optimizer_class, required)
    if needs.form is None:
        raise user_error("optimizer_needs", owner=named(optimizer_class), reason=needs.reason)
    return needs


def named(optimizer_class: Callable[..., Optimizer]) -> str:
    """Return a class's name, with file and line where it is somebody else's."""
    name = getattr(optimizer_class, "__name__", str(optimizer_class))
    return f"{name}{place_of_class(optimizer_class)}"


def as_arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values with lists as tuples, as torch spells them."""
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }


def takes(optimizer_class: Callable[..., Optimizer], argument: str) -> bool:
    return argument in inspect.signature(optimizer_class).parameters


def build_optimizer(
    parameters: Iterable[Any], optimizer_class: Callable[..., Optimizer], values: Mapping[str, Any]
) -> Optimizer:
    """Return `optimizer_class(parameters, **values)`, lists given as tuples as torch spells them.

    Where the class has torch's fused or foreach form and the values do not choose, the fastest is
    taken. On a CPU fused Adam steps three times as fast as the loop over parameters, and differs
    from it by no more than rounding.

    Args:
        parameters: parameters, or groups of them.

    Raises:
        UserError: the class refuses the values.
    """
    arguments = as_arguments(values)
    parameters = list(parameters)
    try:
        arguments |= fastest_form(optimizer_class, arguments, parameters)
        return optimizer_class(parameters, **arguments)
    except Exception as error:  # torch compares and multiplies before it checks
        owner, reason = named(optimizer_class), " ".join(str(error).split())
        raise user_error("refused", key="optim", owner=owner, reason=reason) from error


def fastest_form(
    optimizer_class: Callable[..., Optimizer],
    arguments: Mapping[str, Any],
    parameters: list[Any],
) -> dict[str, bool]:
    """Return `fused` or `foreach` where torch's class takes it and the arguments leave it open."""
    if not optimizer_class.__module__.startswith("torch.optim"):
        return {}
    known = inspect.signature(optimizer_class).parameters
    tensors = [t for p in parameters for t in (p["params"] if isinstance(p, dict) else [p])]
    devices = {t.device.type for t in tensors}
    if {"fused", "foreach"} & set(arguments) or not devices <= {"cpu", "cuda"}:
        return {}
    if arguments.get("differentiable"):
        return {}
    if "fused" in known:
        return {"fused": True}
    is_slower = "cpu" in devices and optimizer_class.__name__ in SLOWER_AT_ONCE
    return {"foreach": True} if "foreach" in known and not is_slower else {}
