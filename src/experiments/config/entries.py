"""Catalogue entries: a mapping with `_target_`, `name` and the arguments of that target.

Arguments are held against the target's signature, so that a new entry needs no schema of its own.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.catalogue.optimizers import NOT_ARGUMENTS
from experiments.config.dotted_paths import find_target, is_own, names_in
from experiments.config.overrides import dotted_keys
from experiments.config.schema import OF_BATCHES
from experiments.config.value_words import list_in, number_in, whole_in
from experiments.errors.likeness import hint
from experiments.errors.messages import UserError, refuse_unless, unknown_key, user_error
from experiments.errors.places import place_of, place_of_class
from experiments.errors.wording import listed, spelled

Config = dict[str, Any]

NO_ARGUMENTS: dict[str, tuple[str, ...]] = {
    "optim": NOT_ARGUMENTS,
    "scheduler": ("interval",),
    "data": OF_BATCHES,
}
"""Keys of each group that are not arguments of its target."""
NOT_ASKED: dict[str, dict[str, Any]] = {"loss": {"weight": "none"}}
"""Keys of each group with the value by which nothing is asked of a target that does not take them:
somebody's own loss in the place of one of ours."""
OF_MODELS = ("shape", "num_outputs", "activation")
"""What a model is given where its signature asks for it by this name, and its file gives none."""
SUPPLIED: dict[str, tuple[str, ...]] = {
    "init": ("tensor", "place", "generator"),
    "optim": ("params",),
    "scheduler": ("optimizer", "num_total"),
}
"""The first positional arguments of a target, which are given by whoever calls it."""
CALLED = {
    "init": ("an initialiser", "initializers.py"),
    "optim": ("an optimizer", "optimizers.py"),
    "scheduler": ("a schedule", "schedulers.py"),
}
"""What a target of these groups is, and the file of the catalogue that shows some."""

CATALOGUE = Path(__file__).parents[1] / "catalogue"

TYPE_WORDS = {
    int: ("a whole number", 1),
    float: ("a number", 0.1),
    bool: ("true or false", "true"),
    str: ("a word", "..."),
}


def entry(config: Config, group: str) -> functools.partial[Any]:
    """Return the target of a catalogue entry with its arguments bound, each checked.

    Raises:
        UserError: a target that cannot be imported, an argument it does not take or that has the
            wrong type, or one that it needs and lacks.
    """
    target, arguments, parameters = call_of(config, group)
    for name, value in arguments.items():
        if name in parameters:
            parameter = parameters[name]
            wanted, length = wanted_type(target, parameter), fixed_length(target, name)
            check_type(f"{group}.{name}", value, wanted, parameter.default, length)
    if group == "model":
        return functools.partial(made_for, functools.partial(target, **arguments))
    return functools.partial(target, **arguments)


def made_for(model: functools.partial[Any], *supplied: Any) -> Any:
    """Return a model for data: it is given of `OF_MODELS` what it asks for by name."""
    wanted = asked_for(model.func, model.keywords)
    return model(**{n: v for n, v in zip(OF_MODELS, supplied, strict=True) if n in wanted})


def asked_for(model: Callable[..., Any], given: Mapping[str, Any]) -> list[str]:
    """Return which of `OF_MODELS` a class of models asks for, beside what its file gives.

    >>> def net(shape, activation="relu", width=8): ...
    >>> asked_for(net, {"activation": "gelu"})
    ['shape']
    """
    return [name for name in OF_MODELS if name in parameters_of(model) and name not in given]


def parameters_of(target: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return what a class or function takes, by name; nothing of one that does not tell."""
    try:
        return dict(inspect.signature(target).parameters)
    except (TypeError, ValueError):  # of a class in C
        return {}


def call_of(
    config: Config, group: str
) -> tuple[Callable[..., Any], Config, dict[str, inspect.Parameter]]:
    """Return the target of an entry, the arguments that it gives and the parameters for them.

    Raises:
        UserError: an argument that the target does not take, or one that it needs and lacks.
    """
    target = target_of(config, group)
    signature = parameters_of(target)
    check_supplied(config, group, target, list(signature.values()))
    parameters = dict(list(signature.items())[len(SUPPLIED.get(group, ())) :])
    if group == "model":
        for name in asked_for(target, config[group]):
            del parameters[name]
    # `name` is an argument of some.
    skipped = {"_target_", "name", *NO_ARGUMENTS.get(group, ())} - ({"name"} & set(signature))
    unasked = NOT_ASKED.get(group, {}).items()
    skipped |= {k for k, v in unasked if k not in parameters and config[group].get(k) == v}
    arguments = {key: value for key, value in config[group].items() if key not in skipped}
    kinds = [parameter.kind for parameter in parameters.values()]
    # Optimizers of collections take any keyword, and forget what they do not know.
    takes_any = group != "optim" and inspect.Parameter.VAR_KEYWORD in kinds
    known = [name for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD]
    for name in arguments:
        if name not in known and not takes_any:
            choices = [*known, *NO_ARGUMENTS.get(group, ())]
            parent = f"{group}={config[group]['name']}"
            raise unknown_key(name, choices, f"{group}.", parent, dotted_keys(config))
    for name in known:
        parameter = parameters[name]
        is_needed = parameter.default is parameter.empty
        if is_needed and parameter.kind is not parameter.VAR_POSITIONAL and name not in arguments:
            by_name = f" A model is given {listed(OF_MODELS)} by these names."
            raise user_error(
                "missing_argument",
                key=group,
                owner=called(target),
                name=name,
                more=by_name if group == "model" else "",
            )
    return target, arguments, parameters


def called(target: Any) -> str:
    """Return the dotted name of a class or function, with file and line where it is no own one.

    Of several names it is the shortest: torch.nn.GELU and not torch.nn.modules.activation.GELU.
    """
    while isinstance(target, functools.partial):
        target = target.func
    module = getattr(target, "__module__", None) or type(target).__module__
    word = getattr(target, "__qualname__", type(target).__name__)
    if is_own(target):
        return f"{module}.{word}"
    parts = str(module).split(".")
    outer = (".".join(parts[:number]) for number in range(1, len(parts)))
    known = (place for place in outer if getattr(sys.modules.get(place), word, None) is target)
    return f"{next(known, module)}.{word}{place_of_class(target)}"


def check_supplied(
    config: Config, group: str, target: Callable[..., Any], parameters: Sequence[inspect.Parameter]
) -> None:
    """Raise UserError for a target that means other things by what it is called with.

    So does torch's StepLR, whose second argument is the step size and not the length of the run.
    """
    supplied = SUPPLIED.get(group, ())
    positional = [
        p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    takes_all = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    own = positional[: len(supplied)]
    is_of_torch = group == "scheduler" and str(target.__module__).startswith("torch.")
    is_named = any(name in config[group] for name in own)
    if not takes_all and (is_of_torch or is_named or len(own) < len(supplied)):
        what, file = CALLED[group]
        raise user_error(
            "called_with",
            group=group,
            given=config[group]["_target_"],
            what=what,
            supplied=listed(supplied),
            own=listed(positional),
            room=f"src/experiments/catalogue/{file}",
            hint=hint(f"{group}=", target.__name__, names_in(CATALOGUE / file)),
        )


def target_of(config: Config, group: str) -> Callable[..., Any]:
    """Return the class or function of an entry; of a collection the one that `name` says."""
    node = config[group]
    target = find_target(group, node["_target_"])
    is_collection = getattr(target, "gives_class", False)
    chosen: Callable[..., Any] = target(node["name"]) if is_collection else target
    return chosen


def wanted_type(target: Callable[..., Any], parameter: inspect.Parameter) -> type | None:
    """Return int, float, bool or str where the signature asks for one of them, else None."""
    hint_ = annotation_of(target, parameter.name)
    if typing.get_origin(hint_) in (typing.Union, types.UnionType):
        options = typing.get_args(hint_)
        # Torch writes float | Tensor for numbers that may be tensors.
        if float not in options or type(None) in options:
            return None
        hint_ = float
    if isinstance(parameter.default, list | tuple):
        return list
    if hint_ in TYPE_WORDS:
        return hint_
    if hint_ is None and type(parameter.default) in TYPE_WORDS:
        # An unannotated 0 may well stand for a number.
        return float if type(parameter.default) is int else type(parameter.default)
    return None


def annotation_of(target: Callable[..., Any], name: str) -> Any:
    """Return the annotation of an argument; None where there is none, or one of unknown names."""
    try:
        return hints_of(target.__init__ if inspect.isclass(target) else target).get(name)
    except Exception:  # a hint that cannot be evaluated is no hint
        return None


@functools.lru_cache(maxsize=256)
def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a function; to evaluate them takes longer than to use them."""
    return typing.get_type_hints(function)


def fixed_length(target: Callable[..., Any], name: str) -> int | None:
    """Return how many values a list has by its annotation: 2 of tuple[float, float]."""
    annotation = annotation_of(target, name)
    parts = typing.get_args(annotation) if typing.get_origin(annotation) is tuple else ()
    return len(parts) if parts and Ellipsis not in parts else None


def check_type(
    key: str, value: Any, wanted: type | None, own: Any = None, length: int | None = None
) -> None:
    """Raise UserError unless `value` is of the wanted type; whole numbers serve as numbers.

    Args:
        own: the value by default, which is an example where none can be made of what was given.
        length: of a list that always has so many values.
    """
    if wanted is None:
        return
    is_own = fits_type(own, wanted)
    if fits_type(value, wanted) and (wanted is not list or length in (None, len(value))):
        return
    allowed, example = TYPE_WORDS.get(wanted, ("a list", "[1]"))
    given = f'"{value}"' if isinstance(value, str) and number_in(value) == value else spelled(value)
    meant = {int: whole_in, float: number_in, list: list_in}.get(wanted, lambda text: None)(given)
    if wanted is list and length is not None:
        allowed, meant = f"a list of {length}", spelled(own) if is_own else meant
    refuse_unless(False, key, given, allowed, meant or (own if is_own else example))


def fits_type(value: Any, wanted: type) -> bool:
    kinds = {list: list | tuple, float: int | float}
    is_bool = isinstance(value, bool)
    return isinstance(value, kinds.get(wanted, wanted)) and is_bool == (wanted is bool)


def is_whole_module(config: Config) -> bool:
    """Return whether the model of a config is a class of Lightning's, which trains itself.

    By its name, so that nothing is imported for it, and that of another distribution is known too.
    """
    target: Any = target_of(config, "model") if config.get("model") else None
    bases = target.__mro__ if inspect.isclass(target) else ()
    return any(base.__name__ == "LightningModule" for base in bases)


def call_or_refuse(key: str, call: Callable[[], Any], owner: str, when: str = "") -> Any:
    """Return `call()`; whatever an owner of anyone's raises becomes a UserError at `key`.

    Args:
        when: what the call is for, where it is no constructor.
    """
    try:
        return call()
    except UserError:
        raise
    except (Exception, SystemExit) as error:  # whatever a class of anyone's may raise
        raise raised(key, owner, error, when) from error


def raised(key: str, owner: str, error: BaseException, when: str = "") -> UserError:
    """Build the error for what a class or function raises: its words, and in which of its lines."""
    reason = " ".join(str(error).split()).rstrip(".")
    place = place_of(error)
    if not when and (isinstance(error, ValueError | TypeError) or not place):
        return user_error("refused", key=key, owner=owner, reason=f"{reason}{place}")
    kind = type(error).__name__ + (f": {reason}" if reason else "")
    return user_error("raises", key=key, owner=owner, when=when, error=kind, place=place)
