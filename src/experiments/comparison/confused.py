"""Which classes the runs of each setting take for which, where they kept a table of it.

Shape letters: K classes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.comparison.design import Design, Dict
from experiments.comparison.task import Setting, Task
from experiments.record.class_table import ClassTable, read_table
from experiments.record.metric import is_table

MOST = 5
"""Of each setting, so many pairs of classes are named, the most frequent first."""


def confused_dict(task: Task, design: Design) -> list[Dict]:
    """Return for each setting the pairs of classes that its runs confuse most, over all its runs.

    Of each pair: `target` was told to be `told`, `number` times in a run in the mean, which is the
    `share` of its target's points. A setting of which a run kept no table is left out.
    """
    stage = "val" if design.metric.startswith("val/") else "test"
    found = []
    for index, setting in enumerate(task.settings):
        summed = counts_of(setting, stage)
        if summed is not None:
            found.append({"setting": index, "runs": len(setting.every), "pairs": pairs_in(*summed)})
    return found


def counts_of(setting: Setting, stage: str) -> tuple[tuple[str, ...], np.ndarray] | None:
    """Return the names of the classes, and the mean counts (K, K) of a setting's runs."""
    tables = []
    for scored in setting.every:
        asked = (scored.run.config.get("metrics") or {}).items()
        names = [name for name, node in asked if is_table(node)]
        read = [read_table(Path(scored.run.folder), name) for name in names]
        # Shares in place of counts, as `normalize` gives, tell nothing of the points.
        whole = [one for one in read if one is not None and is_counted(one, stage)]
        if not whole:
            return None
        tables.append(whole[0])
    if not tables or len({table.names for table in tables}) > 1:
        return None
    return tables[0].names, np.mean([table.by_stage[stage] for table in tables], axis=0)


def is_counted(table: ClassTable, stage: str) -> bool:
    own = table.by_stage.get(stage)
    return own is not None and bool((own == np.round(own)).all()) and own.sum() > own.shape[0] > 0


def pairs_in(names: tuple[str, ...], counts: np.ndarray) -> list[Dict]:
    """Return the pairs of classes that are confused, the most frequent first.

    >>> pairs_in(("a", "b"), np.array([[8.0, 2.0], [0.0, 5.0]]))
    [{'target': 'a', 'told': 'b', 'number': 2.0, 'share': 0.2}]
    """
    wrong = counts * (1 - np.eye(len(names)))
    order = np.argsort(-wrong, axis=None, kind="stable")[:MOST]
    places = [divmod(int(place), len(names)) for place in order]
    return [
        {
            "target": names[row],
            "told": names[column],
            "number": float(wrong[row, column]),
            "share": float(wrong[row, column] / counts[row].sum()),
        }
        for row, column in places
        if wrong[row, column] > 0
    ]
