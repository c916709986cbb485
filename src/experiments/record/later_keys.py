"""Keys that configs have had since a later version: what a run without them was made with.

With that value a key is no part of a run's identity, such that runs of before stay the runs that
they are; a config that is read back has them all, such that nothing else needs to know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Keys = dict[str, Any]

OF_GROUPS: dict[str, Keys] = {
    "checkpoint": {"every_seconds": 600.0},
    "data": {
        "num_train": "all",
        "label_noise": 0.0,
        "sampler": "shuffle",
        "folds": None,
        "fold": 0,
    },
}
"""Those that each choice of a group has."""
OF_TARGETS: dict[str, dict[str, Keys]] = {
    "data": {"mnist1d": {"num_samples": 5000, "train_split": 0.8}},
    "loss": {name: {"weight": "none"} for name in ("CrossEntropy", "NLL", "Focal", "MultiMargin")},
}
"""Those of single functions and classes, by group and by the last word of their path."""


UNASKED: dict[str, Keys] = {"loss": {"weight": "none"}}
"""Those that a target of somebody else's has only because it stands in the place of one of ours."""
OWN = "experiments."


def later_keys(group: str, node: Mapping[str, Any]) -> Keys:
    """Return the keys that a part of a config has had since later, each with its first value."""
    path = str(node.get("_target_"))
    is_own = path.startswith(OWN) or "." not in path
    own = OF_TARGETS.get(group, {}).get(path.rpartition(".")[2], {}) if is_own else {}
    return OF_GROUPS.get(group, {}) | own


def with_later_keys(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config in which no such key is missing.

    >>> with_later_keys({"loss": {"_target_": "NLL"}, "seed": 3})
    {'loss': {'_target_': 'NLL', 'weight': 'none'}, 'seed': 3}
    """
    added = {
        group: {**node, **{k: v for k, v in later_keys(group, node).items() if k not in node}}
        for group, node in config.items()
        if isinstance(node, Mapping) and group in {*OF_GROUPS, *OF_TARGETS}
    }
    return {**config, **added}


def without_first_values(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config without such keys, where they have their first value.

    >>> without_first_values({"loss": {"_target_": "NLL", "weight": "none"}, "seed": 3})
    {'loss': {'_target_': 'NLL'}, 'seed': 3}
    """
    left = {
        group: {k: v for k, v in node.items() if k not in known or known[k] != v}
        for group, node in config.items()
        if isinstance(node, Mapping) and (known := later_keys(group, node) | UNASKED.get(group, {}))
    }
    return {**config, **left}
