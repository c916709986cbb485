"""Whether the code of a sweep is that which its runs so far were trained with."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError, user_error
from experiments.record.claim import FINISHED, runs_of
from experiments.record.code import Code, change_of_code, is_other_code
from experiments.record.identity import identity_of
from experiments.record.record import Record, read_record

KEEP = "keep"


class Planned(Protocol):
    """What is asked of a job here."""

    @property
    def identity(self) -> str: ...
    @property
    def config(self) -> dict[str, Any]: ...
    @property
    def checksum(self) -> str: ...
    @property
    def code(self) -> Code: ...


def runs_that_count(jobs: Sequence[Planned], sweep_dir: Path) -> dict[str, Record]:
    """Return, by the identity of a job, the record of a run with other code that counts as its own.

    A run whose record does not say which code it had counts as it is.

    Raises:
        UserError: there are runs with other code, and the user has not said what of them.
    """
    coded = {job.identity: job for job in jobs if job.code}
    found = earlier_runs(list(coded.values()), sweep_dir) if coded else {}
    changed = [identity for identity, record in found.items() if record["code"]]
    if not changed:
        return found
    job, before = coded[changed[0]], found[changed[0]]["code"] or {}
    how = job.config["sweep"]["changed_code"]
    change = change_of_code(before, job.code)
    values = {"path": sweep_dir, "number": len(changed), "change": change}
    if how is None:
        raise user_error("sweep_code", **values)
    print(TABLE["code_kept" if how == KEEP else "code_anew"].format(**values))
    return {i: record for i, record in found.items() if how == KEEP or not record["code"]}


def check_code_of_search(code: Code, how: str | None, sweep_dir: Path) -> bool:
    """Return whether a search is to begin anew, as the code of its trials has changed.

    Args:
        how: what the user has said of that; None for nothing.

    Raises:
        UserError: nothing, and there are such trials.
    """
    changed = [r for r in records_in(sweep_dir) if is_other_code(r, code)] if code else []
    if not changed:
        return False
    change = change_of_code(changed[0]["code"] or {}, code)
    values = {"path": sweep_dir, "number": len(changed), "change": change}
    if how is None:
        raise user_error("sweep_code", **values)
    print(TABLE["code_kept" if how == KEEP else "code_anew"].format(**values))
    return how != KEEP


def records_in(sweep_dir: Path) -> Iterator[Record]:
    """Yield the records of a sweep's runs."""
    for folder in (folder for folders in runs_of(sweep_dir).values() for folder in folders):
        with contextlib.suppress(UserError):  # claimed, and not yet written; or half-deleted
            yield read_record(folder)


def earlier_runs(jobs: Sequence[Planned], sweep_dir: Path) -> dict[str, Record]:
    """Return, by the identity of a job that has no run, its finished run with other code."""
    records = {r["identity"]: r for r in records_in(sweep_dir) if r["status"] in FINISHED}
    codes: dict[str, Code | None] = {json.dumps(r["code"]): r["code"] for r in records.values()}
    found: dict[str, Record] = {}
    for job in jobs:
        if job.identity in records:
            continue
        others = (code for code in codes.values() if code != job.code)
        identities = (identity_of(job.config, job.checksum, code) for code in others)
        identity = next((identity for identity in identities if identity in records), None)
        if identity is not None:
            found[job.identity] = records[identity]
    return found
