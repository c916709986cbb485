"""Whether a run's data are those that it was trained on: files grow and are mended meanwhile.

A run on other content is another run. To go on with one would test on points that it was trained
on, and to compare the two would compare the data.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from experiments.record.identity import canonical, identity_of
from experiments.record.record import Record

REFUSE, ALLOW = "refuse", "allow"
NOT_CONTENT = ("root",)
"""Keys of `data` that say nothing about which points there are, beside those of batches."""
PATHS = ("path", "test_path")


def is_other_data(record: Record, checksum: str) -> bool:
    """Return whether a run was trained on other data; False where its record does not say."""
    return record["data_checksum"] not in (None, checksum)


def change_of(record: Record, num_points: int, checksum: str) -> str:
    """Return what has changed in the data of a run, which has so many points in all by now."""
    counts = [record["num_train"], record["num_val"], record["num_test"]]
    before = sum(count or 0 for count in counts)
    sums = f"checksum {str(record['data_checksum'])[:8]} then, {checksum[:8]} now"
    if before and before != num_points:
        return f"{before:,} points then, {num_points:,} now; {sums}"
    return f"as many points, of other values or in another order; {sums}"


def is_same_but_for_data(record: Record, config: Mapping[str, Any]) -> bool:
    """Return whether a config is that of a run, whatever the data are by now."""
    checksum = record["data_checksum"]
    return (
        checksum is not None and identity_of(config, checksum, record["code"]) == record["identity"]
    )


def names_same_data(data: Mapping[str, Any], other: Mapping[str, Any], beside: set[str]) -> bool:
    """Return whether two configs' parts `data` name the same data; a key that one lacks, as it
    came with a later version, tells nothing.

    Args:
        beside: keys that say nothing about which points there are.
    """
    keys = (data.keys() & other.keys()) - beside - set(NOT_CONTENT)
    return all(settled(key, data[key]) == settled(key, other[key]) for key in keys)


def settled(key: str, value: Any) -> Any:
    return os.path.abspath(value) if key in PATHS and value is not None else canonical(value)
