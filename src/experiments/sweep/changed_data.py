"""Whether the data of a sweep are those that its runs so far were trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from experiments.config.schema import OF_BATCHES
from experiments.errors.error_table import TABLE
from experiments.errors.messages import UserError, user_error
from experiments.record.claim import runs_of
from experiments.record.folder import read_config
from experiments.record.record import Record, read_record
from experiments.record.same_data import ALLOW, change_of, names_same_data
from experiments.sweep.examiner import Examiner

Config = dict[str, Any]


def check_same_data(
    checksums: Mapping[str, str], configs: Mapping[str, Config], sweep_dir: Path, examiner: Examiner
) -> bool:
    """Raise UserError where runs of a sweep's folder were trained on other content of its data.

    Args:
        checksums: of each of the sweep's data sets, by a text that stands for it.
        configs: one that has it.

    Returns:
        Whether there are such runs, which the user has allowed.
    """
    found = next(runs_on_other_data(checksums, configs, sweep_dir), None)
    if found is None:
        return False
    folder, record, key = found
    config, checksum = configs[key], checksums[key]
    change = change_of(record, examiner.num_points(config), checksum)
    values = {"path": folder, "data": config["data"]["name"], "change": change}
    if config["changed_data"] != ALLOW:
        raise user_error("sweep_data", **values)
    print(TABLE["data_allowed"].format(**values))
    return True


def runs_on_other_data(
    checksums: Mapping[str, str], configs: Mapping[str, Config], sweep_dir: Path
) -> Iterator[tuple[Path, Record, str]]:
    """Yield the runs whose data have the same name and place, and other content."""
    present = {None, *checksums.values()}
    for folder in (folder for folders in runs_of(sweep_dir).values() for folder in folders):
        try:
            record = read_record(folder)
            if record["data_checksum"] in present:
                continue
            data = read_config(folder)["data"]
        except UserError:
            continue  # claimed, and not yet written; or half-deleted
        for key, config in configs.items():
            if names_same_data(config["data"], data, set(OF_BATCHES)):
                yield folder, record, key
