"""What a sweep's folder says of the sweep: its declarations, and what its tuning has chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from experiments.record.folder import check_end
from experiments.record.plain_yaml import SafeLoader, check_plain, values_of
from experiments.record.record import finite, is_of, no_number, whole

Words = list[str]
NEEDED: dict[str, Any] = {
    "declared_at": str,
    "command": str,
    "factor": list[str],
    "control": list[str] | None,
    "metric": str | None,
    "delta": float | None,
    "comparisons": str,
    "values": dict[str, Words],
    "cases": list[dict[str, Words]],
    "when": dict[str, dict[str, Words]],
    "seeds": list[int],
}
"""What each declaration says, with its type."""
ALSO: dict[str, Any] = {
    "protocol": str,
    "fixed": list[str],
    "allow": list[str] | None,
    "test": str | None,
    "until": str | None,
    "looks": list[int] | None,
    "spending": str | None,
    "max_seeds": int | None,
    "changed_code": str | None,
    "code": dict[str, str] | None,
}
"""What some say."""
OF_SETTINGS: dict[str, Any] = {
    "setting": list[str],
    "chosen": dict[str, Any] | None,
    "default": dict[str, Any] | None,
    "on_edge": list[str],
    "trials": list[dict[str, Any]],
}
OF_TRIALS: dict[str, Any] = {"values": dict[str, Any], "scores": list[Any]}


def declarations_in(text: str) -> list[dict[str, Any]]:
    """Return the declarations of a sweep.yaml.

    Raises:
        ValueError: it holds none, or what cannot be one.
    """
    check_end(text)
    declared = values_of(text, SafeLoader)
    if not is_of(declared, list[dict[str, Any]]):
        raise ValueError("it is no list of declarations")
    for entry in declared:
        check_kinds(entry, NEEDED)
        check_kinds(entry, {key: kind for key, kind in ALSO.items() if key in entry})
    return list(declared)


def selection_in(text: str) -> dict[str, Any]:
    """Return what a selection.json says of each setting that was tuned.

    Raises:
        ValueError: it says nothing of them, or what cannot be.
    """
    selection = json.loads(text, parse_constant=no_number, parse_float=finite, parse_int=whole)
    check_plain(selection)
    if not is_of(selection, dict[str, Any]) or not is_of(
        selection.get("settings"), list[dict[str, Any]]
    ):
        raise ValueError("it has no list of settings")
    for entry in selection["settings"]:
        check_kinds(entry, OF_SETTINGS)
        for trial in entry["trials"]:
            check_kinds(trial, OF_TRIALS)
    return dict(selection)


def check_kinds(entry: Mapping[str, Any], kinds: Mapping[str, Any]) -> None:
    """Raise ValueError where a value is missing or of another kind.

    >>> check_kinds({"seeds": [0, "1"]}, {"seeds": list[int]})
    Traceback (most recent call last):
    ValueError: seeds is [0, '1']
    """
    for key, kind in kinds.items():
        if key not in entry:
            raise ValueError(f"it has no {key}")
        if not is_of(entry[key], kind):
            raise ValueError(f"{key} is {entry[key]!r:.60}")
