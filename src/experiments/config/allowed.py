"""What a key may hold beyond its type: said beside it in schema.py, checked of plain values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, is_dataclass
from typing import Any

from experiments.errors.messages import check_choice, refuse_unless, user_error
from experiments.errors.wording import spelled


@dataclass(frozen=True)
class Allowed:
    """Which values of a key can be used.

    Attributes:
        fits: whether a value can; one that the key has by default is not asked about.
        words: what is allowed.
        instead: a value to try.
    """

    fits: Callable[[Any], bool]
    words: str
    instead: Any


def among(default: str | None, choices: tuple[str, ...]) -> Any:
    return field(default=default, metadata={"choices": choices})


def where(default: Any, fits: Callable[[Any], bool], words: str, instead: Any) -> Any:
    """Return the field of a key whose value fits; see `Allowed`."""
    return field(default=default, metadata={"allowed": Allowed(fits, words, instead)})


def at_least(lowest: int, default: int, instead: int | None = None) -> Any:
    words = f"a whole number of at least {lowest}"
    return where(default, lambda n: n >= lowest, words, default if instead is None else instead)


def check_values(
    config: Mapping[str, Any],
    schema: Any,
    groups: Mapping[str, Any] | None = None,
    prefix: str = "",
) -> None:
    """Raise UserError for a value that its key may not have.

    Args:
        config: in plain values; what it lacks is not looked at.
        schema: the dataclass of its keys.
        groups: the dataclasses of keys that the schema leaves open, as each choice of a group
            brings a type of its own.
        prefix: what its keys begin with.
    """
    for part in fields(schema):
        if part.name not in config:
            continue
        value, key = config[part.name], f"{prefix}{part.name}"
        nested = (groups or {}).get(part.name, part.default_factory)
        if is_dataclass(nested) and isinstance(value, Mapping):
            check_values(value, nested, prefix=f"{key}.")
        elif value != part.default:
            check_value(key, value, part)


def check_value(key: str, value: Any, part: Field[Any]) -> None:
    if choices := part.metadata.get("choices"):
        check_choice(key, spelled(value), choices)
    if allowed := part.metadata.get("allowed"):
        refuse_unless(fits(allowed, value), key, value, allowed.words, allowed.instead)


def fits(allowed: Allowed, value: Any) -> bool:
    """Return whether a value is allowed; one of a kind that cannot be looked at is not."""
    try:
        return bool(allowed.fits(value))
    except (TypeError, AttributeError, ValueError):
        return False


def is_count(value: Any, least: int = 1) -> bool:
    """Return whether a value is a whole number of at least `least`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def is_part_or_count(value: Any) -> bool:
    """Return whether a value is a number of things, or a part of them as a number up to 1.0.

    >>> is_part_or_count(3), is_part_or_count(0.5), is_part_or_count(1.5), is_part_or_count(-1)
    (True, True, False, False)
    """
    return is_count(value, least=0) or (isinstance(value, float) and 0 <= value <= 1)


def is_duration(value: Any) -> bool:
    """Return whether a value is a time that Lightning's Timer reads, and that ever passes.

    >>> is_duration("00:00:30:00"), is_duration("00:00:00:00"), is_duration("90")
    (True, False, False)
    """
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d):(\d\d)", str(value))
    return match is not None and any(int(part) for part in match.groups())


def check_finite(value: Any, key: str = "") -> None:
    """Raise UserError for a number in a config that is infinite or none: nothing is trained by it.

    Args:
        value: the config or a part of it, in plain values.
        key: where it stands.
    """
    if isinstance(value, Mapping):
        for name, part in value.items():
            check_finite(part, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for part in value:
            check_finite(part, key)
    elif isinstance(value, float) and not math.isfinite(value):
        raise user_error("not_allowed", key=key, given=value, allowed="a finite number", instead=1)
