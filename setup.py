"""Takes conf/, sweeps/ and example/ into the package that is built: pyproject.toml says all else.

They lie at the top of the repository, where one looks for them, and inside of what is installed,
where `shipped` of experiments.config finds them. An editable install uses those at the top.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDERS = ("conf", "sweeps", "example")


class BuildWithFolders(build_py):
    """Copies the folders' files beside the modules; a source distribution has them too."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for source, target in self.folders_files():
                self.mkpath(str(Path(target).parent))
                self.copy_file(source, target, preserve_mode=False)

    def get_source_files(self) -> list[str]:
        return [*super().get_source_files(), *(source for source, _ in self.folders_files())]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        targets = [] if self.editable_mode else [target for _, target in self.folders_files()]
        return [*super().get_outputs(include_bytecode), *targets]

    def folders_files(self) -> list[tuple[str, str]]:
        """Return each file, and where it goes."""
        files = [
            path
            for folder in FOLDERS
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        ]
        package = Path(self.build_lib, "experiments")
        return [(str(path), str(package / path)) for path in files]


setup(cmdclass={"build_py": BuildWithFolders})
