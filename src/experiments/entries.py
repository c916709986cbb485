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

from experiments.errors import UserError, hint, listed, user_error

Config = dict[str, Any]

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
    target = target_of(config, group)
    parameters = dict(inspect.signature(target).parameters)
    skipped = {"_target_", *leave_out} | ({"name"} - set(parameters))
    arguments = {key: value for key, value in node.items() if key not in skipped}
    # Optimizers of collections take any keyword, and forget what they do not know.
    takes_any = group != "optim" and any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name in list(parameters)[:supplied]:
        del parameters[name]
    known = {name: p for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD}
    for name, value in arguments.items():
        if name in known:
            check_type(f"{group}.{name}", value, wanted_type(target, known[name]))
        elif not takes_any:
            raise user_error(
                "unknown_key",
                key=f"{group}.{name}",
                parent=f"{group}={node['name']}",
                choices=listed([*known, *leave_out]),
                hint=hint(f"{group}.", name, known, "=..."),
            )
    for name, parameter in known.items():
        is_needed = parameter.default is parameter.empty
        if is_needed and parameter.kind is not parameter.VAR_POSITIONAL and name not in arguments:
            owner = f"{target.__module__}.{target.__qualname__}"
            raise user_error("missing_argument", key=group, owner=owner, name=name)
    return functools.partial(target, **arguments)


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
