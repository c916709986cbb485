"""Whether the files of a run folder tell of one run: one may have been changed by hand."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from experiments.config.overrides import key_and_word, meaning, override_of
from experiments.config.trusted import check_no_stranger
from experiments.errors.messages import UserError
from experiments.record.folder import COPY, read_back
from experiments.record.identity import flat, identity_of
from experiments.record.record import Record
from experiments.record.strangers_files import text_of

LATER = ("trainer.max_epochs", "trainer.max_steps", "trainer.max_time")
"""Numbers that a resumed run may have others of than were typed at first."""
MOST = 3


def contradiction_of(folder: str, record: Record, config: dict[str, Any]) -> str | None:
    """Return in what a run's config.yaml is another's than its record.json; None for nothing.

    The record has a hash over the config that was trained, so that any change shows; which key it
    was show the seed, the overrides, or the copy of the config among Hydra's files.

    A version of this package to come may make that hash otherwise. Where config and copy are alike,
    and the folder is named by the record's hash, the files tell of one run.
    """
    try:
        check_no_stranger(config)
    except UserError as error:
        return str(error)
    said = list(said_twice(record, config))
    is_trained = record["data_checksum"] is None or is_of_identity(record, config)
    if is_trained and not said:
        return None
    if not said and is_as_copied(folder, record, config):
        return None
    said = said or changed_since(folder, record, config)
    named = "; ".join(said[:MOST]) or f"its values are not those of identity {record['identity']}"
    return f"config.yaml and record.json contradict each other: {named}"


def is_of_identity(record: Record, config: dict[str, Any]) -> bool:
    """Return whether a run's identity is that of its config, its data and its code."""
    checksum = record["data_checksum"]
    own = None if checksum is None else identity_of(config, checksum, record["code"])
    return own == record["identity"]


def claims_anothers(
    runs: Sequence[tuple[str, Record, dict[str, Any]]],
) -> Iterator[tuple[str, str]]:
    """Yield each run that has the identity of another whose config is not its own, and that run.

    Whose identity it is says the hash; where it is nobody's, as of another version, all are named.

    Args:
        runs: of one comparison: folder, record and config of each.
    """
    by_identity: dict[str, list[tuple[str, Record, dict[str, Any]]]] = {}
    for run in runs:
        by_identity.setdefault(run[1]["identity"], []).append(run)
    for alike in by_identity.values():
        configs = [flat(config) for _, _, config in alike] if len(alike) > 1 else []
        if all(config == configs[0] for config in configs):
            continue
        owner = next((folder for folder, r, config in alike if is_of_identity(r, config)), None)
        for folder, record, config in alike:
            if not is_of_identity(record, config):
                yield folder, owner or next(other for other, *_ in alike if other != folder)


def said_twice(record: Record, config: dict[str, Any]) -> Iterator[str]:
    """Yield what the record says of the config in plain numbers, and the config otherwise."""
    if record["seed"] != config.get("seed"):
        yield f"seed={config.get('seed')} against seed={record['seed']}"
    values = flat(config)
    typed = dict(key_and_word(override) for override in record["overrides"] or ())
    for key, word in typed.items():
        value = values.get(key)
        if key in LATER or not isinstance(value, int | float) or not is_number(word):
            continue
        if meaning(word) != meaning(str(value)):
            yield f"{override_of(key, value)} against {key}={word} in overrides"


def is_number(word: str) -> bool:
    """Return whether a word is a number or a truth value.

    >>> is_number("1e-3"), is_number("true"), is_number("full"), is_number("${seed}")
    (True, True, False, False)
    """
    with contextlib.suppress(ValueError):
        return float(meaning(word)) is not None
    return meaning(word) in ("True", "False")


def is_as_copied(folder: str, record: Record, config: dict[str, Any]) -> bool:
    """Return whether a folder has the name of its record, and a copy that has the same values."""
    if not re.search(rf"-{re.escape(record['identity'][:8])}(-\d+)?$", folder):
        return False
    with contextlib.suppress(OSError, ValueError):
        copy = read_back(text_of(Path(folder, COPY)))
        return flat(config) == flat(copy)
    return False


def changed_since(folder: str, record: Record, config: dict[str, Any]) -> list[str]:
    """Return what is another value in the copy among Hydra's files, if that is what was trained."""
    with contextlib.suppress(OSError, ValueError):
        copy = read_back(text_of(Path(folder, COPY)))
        checksum = str(record["data_checksum"])
        if identity_of(copy, checksum, record["code"]) == record["identity"]:
            now, before = flat(config), flat(copy)
            return [
                f"{override_of(key, now.get(key))} against {override_of(key, before.get(key))}"
                for key in sorted({*now, *before})
                if now.get(key) != before.get(key)
            ]
    return []
