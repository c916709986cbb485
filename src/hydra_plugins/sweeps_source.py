"""Makes the folder sweeps/ the config group `sweeps`, from whatever folder a command is typed in.

`file://` on Hydra's search path is relative to the present folder, and the repository's root on
it would make --help walk through outputs/ and .venv/. A sweeps/ where one stands is a part of it.
"""

from __future__ import annotations

from pathlib import Path

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import OmegaConf

from experiments.config.config_folders import SWEEPS, own_folder, shipped


class SweepsSource(ConfigSource):
    """The source of `sweeps://`: one group, whose choices are the files of sweeps/."""

    def __init__(self, provider: str, path: str) -> None:
        super().__init__(provider, path)
        own = own_folder(SWEEPS)
        self.folders = [shipped(SWEEPS), *([] if own is None else [own])]

    @staticmethod
    def scheme() -> str:
        return "sweeps"

    def available(self) -> bool:
        return self.folders[0].is_dir()

    def is_group(self, config_path: str) -> bool:
        return config_path.strip("/") in ("", SWEEPS)

    def is_config(self, config_path: str) -> bool:
        return self._file(config_path).is_file()

    def file_of(self, config_path: str) -> Path:
        """Return the file that a choice is, so that it is read again only if it has changed."""
        return self._file(config_path)

    def load_config(self, config_path: str) -> ConfigResult:
        file = self._file(config_path)
        if not file.is_file():
            raise ConfigLoadError(f"{file} is not there")
        text = file.read_text(encoding="utf-8")
        return ConfigResult(
            provider=self.provider,
            path=f"{self.scheme()}://{config_path}",
            config=OmegaConf.create(text),
            header=self._get_header_dict(text),
        )

    def list(self, config_path: str, results_filter: ObjectType | None) -> list[str]:
        path = config_path.strip("/")
        if path == "":
            return [] if results_filter == ObjectType.CONFIG else [SWEEPS]
        if path != SWEEPS or results_filter == ObjectType.GROUP:
            return []
        return sorted(file.stem for folder in self.folders for file in folder.glob("*.yaml"))

    def _file(self, config_path: str) -> Path:
        group, _, name = config_path.strip("/").removesuffix(".yaml").rpartition("/")
        # A name outside the group is no file of this source.
        stem = name if group == SWEEPS else ".none"
        files = [folder / f"{stem}.yaml" for folder in self.folders]
        return next((file for file in files if file.is_file()), files[0])
