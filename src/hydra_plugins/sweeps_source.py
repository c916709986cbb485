"""Makes the folder sweeps/ the config group `sweeps`, from whatever folder a command is typed in.

`file://` on Hydra's search path is relative to the present folder, and the repository's root on
it would make --help walk through outputs/ and .venv/.
"""

from __future__ import annotations

from pathlib import Path

from hydra.core.object_type import ObjectType
from hydra.plugins.config_source import ConfigLoadError, ConfigResult, ConfigSource
from omegaconf import OmegaConf

GROUP = "sweeps"
FOLDER = Path(__file__).resolve().parents[2] / GROUP


class SweepsSource(ConfigSource):
    """The source of `sweeps://`: one group, whose choices are the files of sweeps/."""

    @staticmethod
    def scheme() -> str:
        return "sweeps"

    def available(self) -> bool:
        return FOLDER.is_dir()

    def is_group(self, config_path: str) -> bool:
        return config_path.strip("/") in ("", GROUP)

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
            return [] if results_filter == ObjectType.CONFIG else [GROUP]
        if path != GROUP or results_filter == ObjectType.GROUP:
            return []
        return sorted(file.stem for file in FOLDER.glob("*.yaml"))

    @staticmethod
    def _file(config_path: str) -> Path:
        group, _, name = config_path.strip("/").removesuffix(".yaml").rpartition("/")
        # A name outside the group is no file of this source.
        return FOLDER / f"{name}.yaml" if group == GROUP else FOLDER / ".none"
