"""The files of configurations, parsed once in a process for as long as they stay as they are.

Hydra parses each file twice a command, and again for every combination of choices of a sweep.
"""

from __future__ import annotations

import copy
import os
from typing import Any

from hydra._internal.config_repository import ConfigRepository
from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigResult, ConfigSource

HYDRAS_OWN = "pkg://hydra.conf"


class KeptResult(ConfigResult):
    """What one file says: the same object as long as the file is the same. Never to be changed."""

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


KEPT: dict[tuple[str, str, str], tuple[Any, KeptResult]] = {}
"""Of each place (provider, source, path) the state in which it was read, and what it said."""


class KeptFiles(ConfigRepository):
    """Hydra's repository of configurations, which reads a file only if it has changed.

    What it returns is shared: `KeptResult` where the file may be kept, else Hydra's own result.
    """

    def __deepcopy__(self, memo: dict[int, Any]) -> KeptFiles:
        # Each composition gets a copy, so that it may have sources of its own. Hydra would copy all
        # sources with every schema that there is, which takes longer than the composition.
        return copy.copy(self)

    def load_config(self, config_path: str) -> ConfigResult | None:
        source = self._find_object_source(config_path, ObjectType.CONFIG)
        state = None if source is None else state_of(source, config_path)
        if source is None or state is None:
            return super().load_config(config_path)
        place = (source.provider, source.full_path(), config_path)
        kept = KEPT.get(place)
        if kept is None or kept[0] != state:
            read = super().load_config(config_path)
            assert read is not None
            kept = KEPT[place] = state, KeptResult(**vars(read))
        return kept[1]


def state_of(source: ConfigSource, config_path: str) -> Any:
    """Return what is another value as soon as a config has changed; None where nobody can say."""
    name = config_path if config_path.endswith(".yaml") else f"{config_path}.yaml"
    if source.scheme() == "file":
        return state_of_file(os.path.join(source.path, name))
    if hasattr(source, "file_of"):
        return state_of_file(source.file_of(config_path))
    if source.scheme() == "structured":
        return Same(stored(name))
    return "installed" if source.full_path() == HYDRAS_OWN else None


def state_of_file(path: str | os.PathLike[str]) -> tuple[int, ...]:
    found = os.stat(path)
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size


def stored(name: str) -> Any:
    """Return the schema of a name, as it was registered last."""
    found: Any = ConfigStore.instance().repo
    for part in name.split("/"):
        found = found[part]
    return found.node


class Same:
    """Is equal to what holds the very same object, whatever that holds."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and other.thing is self.thing

    def __hash__(self) -> int:
        return id(self.thing)
