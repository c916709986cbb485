"""What a user types to open a door: `python train.py`, `experiments train`, and what follows there.

Sentences are written as in the checkout, `python train.py ...`; whoever came in by another door is
told the command that he typed.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

DISTRIBUTION = "did-it-matter"
"""What the package is called among others, where `experiments` is somebody else's."""
PROGRAM = "experiments"
TYPED = "EXPERIMENTS_TYPED"
"""The variable by which child processes know how the command of their parent was typed."""
CHECKOUT = Path(__file__).resolve().parents[3]

SCRIPT = re.compile(
    r"\bpython (?:(train|compare|figures)\.py|-m experiments\.training\.(predict))\b"
)
OF_TORCHRUN = re.compile(r"(torchrun(?: --\S+)*) (train)\.py\b")
EXTRAS = re.compile(r"pip install -e '\.\[(\w+)\]'")


def named_version() -> str:
    """Return the distribution's name and version, as one cites it."""
    try:
        return f"{DISTRIBUTION} {metadata.version(DISTRIBUTION)}"
    except metadata.PackageNotFoundError:
        return f"{DISTRIBUTION} (a checkout)"


def is_checkout() -> bool:
    return (CHECKOUT / "train.py").is_file()


def typed_words() -> list[str]:
    """Return how the command of this process, or of the one that started it, was typed."""
    usual = "python train.py" if is_checkout() else f"{PROGRAM} train"
    return os.environ.get(TYPED, usual).split()


@contextlib.contextmanager
def typed_as(command: str) -> Iterator[None]:
    """Say how the command was typed, for the length of a block, here and in child processes.

    Args:
        command: `python train.py`, `experiments train` or `python -m experiments train`.
    """
    before = os.environ.get(TYPED)
    os.environ[TYPED] = command
    try:
        yield
    finally:
        os.environ.pop(TYPED)
        if before is not None:
            os.environ[TYPED] = before


def typed_by(argument: str, door: str) -> str:
    """Return how a command was typed, by the first of its arguments.

    >>> typed_by("/bin/experiments", "train"), typed_by("/x/experiments/__main__.py", "compare")
    ('experiments train', 'python -m experiments compare')
    """
    name = os.path.basename(argument)
    return f"python -m {PROGRAM} {door}" if name == "__main__.py" else f"{PROGRAM} {door}"


def command_of(door: str) -> str:
    """Return what to type for a door, in the way in which this command was typed."""
    *words, last = typed_words()
    return " ".join([*words, f"{door}.py" if last.endswith(".py") else door])


def as_typed_here(text: str) -> str:
    """Return a sentence of the checkout with the commands that are typed here.

    >>> with typed_as("experiments compare"):
    ...     print(as_typed_here("Type python train.py sweeps=activations"))
    Type experiments train sweeps=activations
    """
    if not is_checkout():
        text = EXTRAS.sub(rf"pip install '{DISTRIBUTION}[\1]'", text)
    if typed_words()[-1].endswith(".py"):
        return text
    text = OF_TORCHRUN.sub(rf"\1 -m {PROGRAM} \2", text)
    return SCRIPT.sub(lambda match: command_of(match[1] or match[2]), text)
