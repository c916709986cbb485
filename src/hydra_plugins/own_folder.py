"""Makes conf/ of the folder that one stands in a part of this package's configuration.

Hydra asks plugins for each program that is started in their environment: any other is left alone.
"""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from experiments.config.config_folders import CONF, own_folder, shipped


class OwnFolder(SearchPathPlugin):
    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        mains = [entry.path for entry in search_path.get_path() if entry.provider == "main"]
        if str(shipped(CONF)) not in [str(path).removeprefix("file://") for path in mains]:
            return
        own = own_folder(CONF)
        if own is not None:
            search_path.append(provider="own", path=f"file://{own}")
