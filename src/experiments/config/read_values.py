"""The values of a config that was read: held against the types and ranges that typed ones are.

What is typed meets Hydra's schema. A config.yaml comes from anybody, and YAML alone would let
`seed: abc` pass, or `data.batch_size: -1`, as far as the first sum that is done with it.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Union, get_args, get_origin, get_type_hints

from experiments.config.allowed import Allowed, check_finite, check_values, fits, is_count
from experiments.config.model_schema import EntryConfig
from experiments.config.schema import (
    GROUPS,
    MODELS,
    CheckpointConfig,
    DataConfig,
    ExperimentConfig,
    OptimConfig,
    TrainerConfig,
)
from experiments.errors.messages import UserError, user_error
from experiments.record.record import is_of

OF_RUNS: dict[str, type] = {
    **dict.fromkeys(("model", "activation", "init", "loss", "optim", "scheduler"), EntryConfig),
    "data": DataConfig,
    "trainer": TrainerConfig,
    "checkpoint": CheckpointConfig,
}
"""What each part of a run has, whatever was chosen for it, be it somebody's own."""
OWN_MODELS = "experiments.catalogue.models."
WANDB = "wandb"
LARGEST = 2**63
LONGEST_GIVEN = 60
PLAIN = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a word",
    type(None): "null",
}
ALSO = {
    "data.batch_size": Allowed(
        lambda size: size in ("auto", "full") or is_count(size),
        "full, or a whole number of at least 1",
        64,
    ),
}
"""Ranges of typed values that are told with what else is known by then, such as how many points
there are."""


@dataclass(frozen=True)
class Misfit:
    """A value of another type than its key's."""

    key: str
    value: Any
    kind: Any


def check_read_values(config: Mapping[str, Any], path: Any) -> None:
    """Raise UserError for a value that no typed config could have.

    Args:
        config: as it was read, in plain values; what it lacks is not looked at.
        path: of its file or folder, for the message.
    """
    for wrong in misfits(config):
        given = f"{wrong.value!r:.{LONGEST_GIVEN}}"
        raise user_error(
            "config_type", path=path, key=wrong.key, given=given, kind=in_words(wrong.kind)
        )
    try:
        check_values(config, ExperimentConfig, GROUPS)
        check_finite(config)
        check_also(config)
    except UserError as error:
        reason = str(error).partition(" Try ")[0]
        raise user_error("config_range", path=path, reason=reason) from error


def check_complete(config: Mapping[str, Any], given: Sequence[str], path: Any) -> None:
    """Raise UserError where a config lacks what a run is trained by.

    One may have been changed by hand; or its run is of a version of this package that did without
    some key.

    Args:
        config: as it was read.
        given: keys that are taken from the command instead.
        path: of its file, for the message.
    """
    if (key := next(lacking(config, given), None)) is not None:
        raise user_error("config_lacks", path=path, key=key)


def lacking(config: Mapping[str, Any], given: Sequence[str] = ()) -> Iterator[str]:
    """Yield the keys of every run that a config does not have.

    >>> list(lacking({"trainer": {}}))[:3]
    ['seed', 'test', 'keep_predictions']
    """
    for part in fields(ExperimentConfig):
        name = part.name
        if name in given:
            continue
        if name not in config:
            yield name
        elif name in OF_RUNS and isinstance(node := config[name], Mapping):
            words = [key.name for key in fields(OF_RUNS[name])]
            yield from (f"{name}.{word}" for word in words if word not in node)
        elif name in OF_RUNS:
            yield name


def check_also(config: Mapping[str, Any]) -> None:
    """Raise UserError for a value out of the ranges that stand in no schema, or out of all."""
    for key, allowed in ALSO.items():
        group, _, name = key.partition(".")
        node = config.get(group)
        if isinstance(node, Mapping) and name in node and not fits(allowed, node[name]):
            words = {"allowed": allowed.words, "instead": allowed.instead}
            raise user_error("not_allowed", key=key, given=node[name], **words)
    for key, number in numbers_in(config):
        if abs(number) >= LARGEST:
            words = {"allowed": "a number of at most 64 bits", "instead": 1}
            raise user_error("not_allowed", key=key, given=f"{number:.3e}", **words)


def numbers_in(node: Any, key: str = "") -> Iterator[tuple[str, int]]:
    """Yield each whole number of nested values, with where it stands."""
    if isinstance(node, Mapping):
        for name, part in node.items():
            yield from numbers_in(part, f"{key}.{name}" if key else str(name))
    elif isinstance(node, list):
        for part in node:
            yield from numbers_in(part, key)
    elif isinstance(node, int):
        yield key, node


def misfits(config: Mapping[str, Any]) -> Iterator[Misfit]:
    """Yield the values of a config whose types are not those of their keys.

    >>> [(m.key, m.value) for m in misfits({"seed": "abc", "trainer": {"max_epochs": [1]}})]
    [('seed', 'abc'), ('trainer.max_epochs', [1])]
    """
    groups: dict[str, type] = {**GROUPS, "optim": OptimConfig}
    model, logger = config.get("model"), config.get("logger")
    if not isinstance(logger, Mapping) or logger.get("name") != WANDB:
        del groups["logger"]  # which are of Lightning, or of the user's own, with keys of their own
    if isinstance(model, Mapping) and str(model.get("_target_")).startswith(OWN_MODELS):
        groups |= {"model": schema} if (schema := MODELS.get(str(model.get("name")))) else {}
    yield from misfits_of(config, ExperimentConfig, groups)


def misfits_of(
    config: Mapping[str, Any], schema: Any, groups: Mapping[str, Any], prefix: str = ""
) -> Iterator[Misfit]:
    """Yield the misfits of a part of a config, whose keys begin with `prefix`."""
    for part in fields(schema):
        if part.name not in config:
            continue
        value, key = config[part.name], f"{prefix}{part.name}"
        nested = groups.get(part.name, part.default_factory)
        if nested is not MISSING and is_dataclass(nested):
            if isinstance(value, Mapping):
                yield from misfits_of(value, nested, {}, f"{key}.")
            elif value is not None:
                yield Misfit(key, value, dict)
            continue
        kind = kinds_of(schema)[part.name]
        # OmegaConf writes a number that is whole as such where fractions are allowed.
        if not is_of(value, kind):
            yield Misfit(key, value, kind)


@functools.cache
def kinds_of(schema: Any) -> dict[str, Any]:
    """Return the type of each key of a schema."""
    return get_type_hints(schema)


def in_words(kind: Any) -> str:
    """Return a type as it is said.

    >>> in_words(int), in_words(Union[int, str, None]), in_words(list[int])
    ('a whole number', 'a whole number, a word or null', 'a list of whole numbers')
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        *first, last = [in_words(part) for part in parts]
        return f"{', '.join(first)} or {last}"
    if origin is list:
        inner = in_words(parts[0]).removeprefix("a ")
        return f"a list of {inner}s"
    return PLAIN.get(kind, "keys and their values")
