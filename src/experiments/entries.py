"""Catalogue entries: a mapping with `_target_`, `name` and the arguments of that target.

Arguments are held against the target's signature, so that a new entry needs no schema of its own.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

from hydra.utils import get_object

from experiments.derived import OF_BATCHES
from experiments.errors import UserError, hint, listed, user_error
from experiments.optimizers import NOT_ARGUMENTS

Config = dict[str, Any]

NO_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "optim": NOT_ARGUMENTS,
    "scheduler": ("interval",),
    "data": OF_BATCHES,
}
"""Keys of each group that are not arguments of its target."""
SUPPLIED = {"model": 3, "init": 3, "optim": 1, "scheduler": 2}
"""How many positional arguments of the target are given by whoever calls it."""

TYPE_WORDS = {
    int: ("a whole number", 1),
    float: ("a number", 0.1),
    bool: ("true or false", "true"),
    str: ("a word", "..."),
}


def entry(config: Config, group: str) -> functools.partial[Any]:
    """Return the target of a catalogue entry with its arguments bound, each checked.

    Args:
        config: the whole config.
        group: the entry's key in it.

    Raises:
        UserError: a target that cannot be imported, an argument it does not take or that has the
            wrong type, or one that it needs and lacks.
    """
    target, arguments = target_of(config, group), arguments_of(config, group)
    parameters = parameters_of(target, group)
    check_keys(config, group)
    for name, value in arguments.items():
        if name in parameters:
            check_type(f"{group}.{name}", value, wanted_type(target, parameters[name]))
    return functools.partial(target, **arguments)


def check_keys(config: Config, group: str) -> None:
    """Raise UserError for an argument that the target of an entry does not take, or lacks.

    What the arguments are is not looked at: one check serves all jobs of a sweep that differ in
    values alone.
    """
    target, arguments = target_of(config, group), arguments_of(config, group)
    parameters = parameters_of(target, group)
    kinds = [parameter.kind for parameter in parameters.values()]
    # Optimizers of collections take any keyword, and forget what they do not know.
    takes_any = group != "optim" and inspect.Parameter.VAR_KEYWORD in kinds
    known = [name for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD]
    for name in arguments:
        if name not in known and not takes_any:
            raise user_error(
                "unknown_key",
                key=f"{group}.{name}",
                parent=f"{group}={config[group]['name']}",
                choices=listed([*known, *NO_ARGUMENTS.get(group, ())]),
                hint=hint(f"{group}.", name, known, "=..."),
            )
    for name in known:
        parameter = parameters[name]
        is_needed = parameter.default is parameter.empty
        if is_needed and parameter.kind is not parameter.VAR_POSITIONAL and name not in arguments:
            owner = f"{target.__module__}.{target.__qualname__}"
            raise user_error("missing_argument", key=group, owner=owner, name=name)


def parameters_of(target: Callable[..., Any], group: str) -> dict[str, inspect.Parameter]:
    """Return the parameters of a target that its entry may give."""
    return dict(list(inspect.signature(target).parameters.items())[SUPPLIED.get(group, 0) :])


def arguments_of(config: Config, group: str) -> Config:
    """Return the keys of an entry that are arguments of its target; `name` is one of some."""
    takes_name = "name" in inspect.signature(target_of(config, group)).parameters
    skipped = {"_target_", *NO_ARGUMENTS.get(group, ())} | (set() if takes_name else {"name"})
    return {key: value for key, value in config[group].items() if key not in skipped}


def target_of(config: Config, group: str) -> Callable[..., Any]:
    """Return the class or function of an entry; of a collection the one that `name` says."""
    node = config[group]
    target = find_target(group, node["_target_"])
    is_collection = getattr(target, "gives_class", False)
    found: Callable[..., Any] = target(node["name"]) if is_collection else target
    return found


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
    if isinstance(parameter.default, list | tuple):
        return list
    if hint_ in TYPE_WORDS:
        return hint_
    if hint_ is None and type(parameter.default) in TYPE_WORDS:
        # An unannotated 0 may well stand for a number.
        return float if type(parameter.default) is int else type(parameter.default)
    return None


def check_type(key: str, value: Any, wanted: type | None) -> None:
    """Raise UserError unless `value` is of the wanted type; whole numbers serve as numbers."""
    if wanted in (list, tuple):
        if not isinstance(value, list | tuple):
            raise user_error(
                "not_allowed", key=key, given=value, allowed="a list", instead=f"[{value},...]"
            )
        return
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
