"""Where in somebody else's code an error arose, and where a class of theirs stands."""

from __future__ import annotations

import functools
import inspect
import os
import traceback
from pathlib import Path
from typing import Any

PACKAGE = str(Path(__file__).resolve().parents[1])
STANDARD = os.path.dirname(os.__file__)
LIBRARIES = tuple(
    f"site-packages{os.sep}{name}{os.sep}"
    for name in (
        *("torch", "lightning", "torchmetrics", "hydra", "omegaconf"),
        *("numpy", "sklearn", "wandb", "pytorch_optimizer"),
    )
)


def place_of(error: BaseException) -> str:
    """Return ` (FILE, line N)` of the innermost line of somebody else's code that an error passed.

    Of one's own files before those of installed packages; empty where no other code was at work.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        frames = [f for f in traceback.extract_tb(cause.__traceback__) if is_foreign(f.filename)]
        own = [f for f in frames if "site-packages" not in f.filename]
        if frames:
            frame = (own or frames)[-1]
            return f" ({frame.filename}, line {frame.lineno})"
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    return ""


def place_of_class(target: Any) -> str:
    """Return ` (FILE, line N)` of a class or function of somebody else's; empty of any other."""
    while isinstance(target, functools.partial):
        target = target.func
    try:
        file = inspect.getsourcefile(target)
        if not file or not is_foreign(file):
            return ""  # before its line is looked for: in torch's files that takes 0.1 s
        return f" ({file}, line {inspect.getsourcelines(target)[1]})"
    except (OSError, TypeError):
        return ""


def is_foreign(file: str) -> bool:
    """Return whether a file is of somebody else's code, and of no library that all runs use."""
    if file.startswith((PACKAGE + os.sep, "<frozen")) or any(name in file for name in LIBRARIES):
        return False
    return not file.startswith(STANDARD + os.sep) or "site-packages" in file
