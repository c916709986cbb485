"""The example that `experiments new` writes: a folder of one's own that trains at once."""

from __future__ import annotations

import shutil
from pathlib import Path

from experiments.config.config_folders import CONF, shipped
from experiments.errors.messages import user_error
from experiments.errors.wording import listed

EXAMPLE = "example"


def example_files() -> list[Path]:
    """Return the files of the example, relative to its folder."""
    source = shipped(EXAMPLE)
    files = [path.relative_to(source) for path in source.rglob("*") if path.is_file()]
    # What Python compiles where the package was installed is none of it.
    return sorted(path for path in files if "__pycache__" not in path.parts)


def write_example(folder: Path) -> list[Path]:
    """Write the example into a folder, which is made where there is none.

    Returns:
        the files, relative to the folder.

    Raises:
        UserError: a file of the example is there already, the configs there are another program's,
            or the folder cannot be written; nothing was written but for the last.
    """
    files = example_files()
    taken = [name for name in [*files, Path(CONF, "config.yaml")] if (folder / name).exists()]
    if taken:
        raise user_error("new_files", folder=folder, names=listed(taken))
    for name in files:
        target = folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(shipped(EXAMPLE) / name, target)
        except OSError as error:
            raise user_error("new_unwritable", path=target, reason=error.strerror) from error
    return files
