"""Values that OmegaConf does not take: of another type than their key's, or leading to nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from omegaconf import Container, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException, ValidationError

from experiments.config.meant import in_shell
from experiments.config.overrides import dotted_keys, key_and_word
from experiments.config.value_words import list_in, number_in, whole_in
from experiments.errors.likeness import nearest_key
from experiments.errors.messages import UserError, user_error
from experiments.errors.wording import spelled

WHOLE, NUMBER, LIST = "a whole number", "a number", "a list"
ALLOWED = {
    r"timeout: .*converted to Float": ("a number of seconds, or null for no limit", "3600"),
    r"converted to Integer": (WHOLE, "1"),
    r"converted to Float": (NUMBER, "0.1"),
    r"not a valid bool": ("true or false", "true"),
    r"is not a ListConfig": (LIST, "[2,3]"),
    r"Union\[int, str\]": ("a whole number or a word", "1"),
    r"Union\[int, float": (NUMBER, "1"),
}
"""What OmegaConf says of the type of a key: what is allowed, and an example."""
MEANT = {WHOLE: whole_in, NUMBER: number_in, LIST: list_in}
"""What is made of a value that is of another type."""


def wrong_type(cause: ValidationError, text: str) -> UserError:
    """A value of another type than the key's, as in seed=abc."""
    override = re.search(r"override \+{0,2}([^=\s]+)=(.*)", text)
    reason = " ".join((cause.msg or str(cause)).split())
    key, given = override.groups() if override else (str(cause.full_key), str(cause.value))
    if "is not a subclass of" in reason:
        return value_of_part(key, given, cause)
    if "is not Optional" in reason:
        return no_value(key, given, cause)
    for pattern, (allowed, instead) in ALLOWED.items():
        if re.search(pattern, f"{key}: {reason}"):
            if allowed == WHOLE and (ends := re.fullmatch(r"(\d+)(-|\.\.|:)(\d+)", given)):
                # Python's own 0:5 leaves its end out.
                stop = int(ends[3]) + (ends[2] != ":")
                instead = in_shell(f"{key}=range({ends[1]},{stop})")
                return user_error("range_words", given=f"{key}={given}", instead=instead)
            meant = to_try(key, given, allowed, instead, cause)
            is_part_of_list = given.startswith("[") and str(cause.full_key).endswith("]")
            meant = list_of(given, allowed, instead) if is_part_of_list else meant
            return refused(key, given, allowed, meant)
    return user_error("wrong_type", key=key, given=given, reason=reason)


def to_try(key: str, given: str, allowed: str, example: str, cause: ValidationError) -> str:
    """Return what is made of a value, else an example of the type: the first that the key may hold
    by its schema, which has an example of its own where none may be.
    """
    candidates = [MEANT.get(allowed, lambda text: None)(given), example]
    schema = OmegaConf.get_type(cause.parent_node) if cause.parent_node is not None else None
    parts = fields(schema) if is_dataclass(schema) else ()
    told = {part.name: part.metadata.get("allowed") for part in parts}.get(key.rpartition(".")[2])
    read = {WHOLE: int, NUMBER: float}.get(allowed)
    good = [text for text in candidates if text]
    if told is None or read is None:
        return good[0]
    return next((text for text in good if told.fits(read(text))), spelled(told.instead))


def refused(key: str, given: str, allowed: str, instead: str) -> UserError:
    return user_error("not_allowed", key=key, given=given, allowed=allowed, instead=instead)


def list_of(given: str, allowed: str, example: str) -> str:
    """Return a list of which each part is of the allowed type; one part where that is open."""
    parts = (
        [MEANT[allowed](part) for part in (list_in(given) or "[]")[1:-1].split(",")]
        if allowed in MEANT
        else []
    )
    good = [part for part in parts if part]
    return f"[{','.join(good or [example])}]"


def value_of_part(key: str, given: str, cause: ValidationError) -> UserError:
    """A value for a part of the configuration, as in data.augment=true."""
    keys = list(plain_value(key, cause) or ["KEY"])
    instead = "sweeps=" + given if key == "sweep" else f"{key}.{keys[0]}=..."
    return user_error("part", given=f"{key}={given}", key=key, instead=instead)


def no_value(key: str, given: str, cause: ValidationError) -> UserError:
    """Null for a key that must have a value; the one that it has by default is an example."""
    return user_error("no_null", key=key, given=given, instead=spelled(plain_value(key, cause)))


def plain_value(key: str, cause: ValidationError) -> Any:
    """Return what a key has had before, in plain values; None where that is not known."""
    node: Any = OmegaConf.to_container(cause.parent_node) if cause.parent_node is not None else {}
    return node.get(key.rpartition(".")[2]) if isinstance(node, dict) else None


def stands_for_nothing(cause: OmegaConfBaseException, typed: Sequence[str]) -> UserError:
    """An interpolation that leads to nothing, as in optim.lr='${foo}'."""
    full_key = re.search(r"full_key: (\S+)", str(cause))
    key = full_key[1] if full_key else ""
    given = next((word for word in typed if key_and_word(word)[0] == key), key)
    reason = " ".join(str(cause).partition("full_key")[0].split()).rstrip(".")
    missing = re.search(r"Interpolation key '([^']+)'", reason)
    variable = re.search(r"Environment variable '([^']+)'", reason)
    if variable:
        return user_error("no_variable", given=given, name=variable[1])
    near = nearest_key(missing[1], keys_beside(cause.parent_node)) if missing else None
    return user_error(
        "interpolation", given=given, reason=reason, hint=f", such as ${{{near}}}" if near else ""
    )


def keys_beside(node: Any) -> list[str]:
    """Return all keys of the configuration that a node is a part of."""
    root = node._get_root() if isinstance(node, Container) else None
    return dotted_keys(root) if isinstance(root, DictConfig) else []
