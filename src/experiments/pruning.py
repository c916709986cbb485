"""How a search asks a run to stop, wherever that is trained: by a file in the run's folder.

Torch-free: the launcher asks, a callback in the run's own process looks.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

MARKER = ".prune"


def ask_to_stop(folder: Path) -> None:
    """Ask the run of a folder to stop at the end of its epoch."""
    with contextlib.suppress(FileNotFoundError):  # its folder is gone, and so is the run
        (folder / MARKER).touch()


def is_asked_to_stop(folder: Path) -> bool:
    """Return whether somebody has asked the run of a folder to stop."""
    return (folder / MARKER).exists()


def take_back(folder: Path) -> None:
    """Forget that a run was asked to stop; it has, and may go on later by another's will."""
    (folder / MARKER).unlink(missing_ok=True)
