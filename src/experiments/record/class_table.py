"""Tables of a run folder, as `confusion.csv`: a row for each class of each part of the data.

The columns are `stage` (val or test), `target` (the name of the class that the points of the row
have), and then the classes that they were told to be of. Nothing here needs torch.

Shape letters: K classes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.record.folder import write_atomic
from experiments.record.strangers_files import text_of

Array = NDArray[Any]


class ClassTable(NamedTuple):
    """What a table says: (K, K), by stage, of classes of these names."""

    names: tuple[str, ...]
    by_stage: dict[str, Array]


def table_path(folder: Path, name: str) -> Path:
    return folder / f"{name}.csv"


def write_table(
    folder: Path, name: str, class_names: Sequence[str], by_stage: Mapping[str, Array]
) -> None:
    """Write a table, in the place of what it was before."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["stage", "target", *class_names])
    for stage, matrix in by_stage.items():
        for own, row in zip(class_names, matrix.tolist(), strict=True):
            writer.writerow([stage, own, *row])
    write_atomic(table_path(folder, name), text.getvalue(), is_synced=False)


def read_table(folder: Path, name: str) -> ClassTable | None:
    """Return a table of a run; None where it has none, or one that cannot be read."""
    try:
        rows = list(csv.reader(text_of(table_path(folder, name)).splitlines()))
        names, by_stage = tuple(rows[0][2:]), dict[str, list[list[float]]]()
        for stage, _, *row in rows[1:]:
            by_stage.setdefault(stage, []).append([float(number) for number in row])
        matrices = {stage: np.array(own).reshape(len(names), -1) for stage, own in by_stage.items()}
        is_square = all(own.shape == (len(names), len(names)) for own in matrices.values())
    except (OSError, ValueError, IndexError):
        return None
    return ClassTable(names, matrices) if is_square else None
