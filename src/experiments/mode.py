"""Whether a command is a multirun, without composing its configuration to find that out.

Hydra composes everything once to read `hydra.mode`, and then again to run: 0.12 s of a start. In
this project only the groups that make sweeps set the mode, so it is known from what was typed
whether one of them is chosen; where that is not certain, Hydra is asked as ever. (A mode set in
config.yaml itself or in another group would not be found: say -m instead.)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from hydra._internal.hydra import Hydra

MAY_SET_MODE = ("sweeps", "experiment", "debug", "hydra")
"""Groups and keys that may say hydra.mode; a test holds all other files of conf/ to it."""


def may_set_mode(arguments: Sequence[str]) -> bool:
    """Return whether a command could turn out a multirun through its configuration.

    >>> may_set_mode(["model=cnn", "seed=3"]), may_set_mode(["+sweeps=optimizers"])
    (False, True)
    >>> may_set_mode(["--config-dir", "mine", "data=mine"])
    True
    """
    flags = [a for a in arguments if a.startswith("-") and a not in ("-m", "--multirun")]
    keys = [a.lstrip("+~").partition("=")[0] for a in arguments if not a.startswith("-")]
    return bool(flags) or any(key.startswith(MAY_SET_MODE) for key in keys)


@contextlib.contextmanager
def known_beforehand(arguments: Sequence[str]) -> Iterator[None]:
    """Let Hydra skip its first composition in the block, where the mode is certain."""
    if may_set_mode(arguments):
        yield
        return
    asked = Hydra.get_mode

    def get_mode(self: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        return None  # as Hydra finds where no file says a mode

    Hydra.get_mode = get_mode  # type: ignore[method-assign]
    try:
        yield
    finally:
        Hydra.get_mode = asked  # type: ignore[method-assign]
