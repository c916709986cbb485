"""Which classes and functions a config may name: parts of an experiment, and nothing else.

A run folder is often somebody else's. Its config names what is to be imported and called, and
`os.system` or `joblib.load` there would do what they say on the machine of whoever only looks at a
run. What is refused is so for every config, typed or read, so that a run that was trained can be
read back.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

from experiments.errors.commands import DISTRIBUTION
from experiments.errors.messages import user_error

OWN = "experiments"
PARTS = {
    ("torch.nn", "Module"),
    ("torch.optim", "Optimizer"),
    ("torch.optim", "LRScheduler"),
    ("lightning.pytorch.callbacks", "Callback"),
    ("lightning.pytorch.loggers", "Logger"),
    ("lightning.fabric.loggers", "Logger"),
    ("torchmetrics", "Metric"),
}
"""By which bases a class of an installed package is a part of an experiment."""
INSTALLED = ("site-packages", "dist-packages")

packages_distributions = functools.cache(metadata.packages_distributions)
"""Reads the lists of files of all that is installed, which takes 0.1 s."""


def check_path(key: str, path: str) -> None:
    """Raise UserError for what the standard library has; nothing was imported yet."""
    if path.partition(".")[0] in sys.stdlib_module_names:
        raise refusal(key, path)


def check_target(key: str, path: str, target: Any) -> None:
    """Raise UserError for a class or function that is no part of an experiment.

    Files of one's own are trusted, as is a package that builds on this one. Of other installed
    packages only networks, optimizers, callbacks, loggers and metrics are parts; what a path leads
    to counts, not where it begins (torch.hub.os.system).
    """
    module = str(getattr(target, "__module__", None) or "")
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        raise refusal(key, path)
    file = str(getattr(sys.modules.get(top), "__file__", None) or "")
    if top == OWN or not any(folder in file for folder in INSTALLED):
        return
    if not is_part(target) and not builds_on_this(top):
        raise refusal(key, path)


def nested_targets(value: Any) -> Iterator[str]:
    """Yield every path that the arguments of a target name, which Hydra calls before that."""
    parts = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    )
    for part in parts:
        if isinstance(part, Mapping) and isinstance(part.get("_target_"), str):
            yield part["_target_"]
        yield from nested_targets(part)


def is_part(target: Any) -> bool:
    """Return whether a target is a class of networks, optimizers, callbacks, loggers or metrics.

    Functions of torch.nn compute and do nothing else.
    """
    if not inspect.isclass(target):
        return str(target.__module__).startswith("torch.nn.")
    return any(
        base.__name__ == name and base.__module__.startswith(module)
        for base in target.__mro__
        for module, name in PARTS
    )


def builds_on_this(top: str) -> bool:
    """Return whether the distribution of a module names this package among what it needs."""
    for distribution in packages_distributions().get(top, ()):
        try:
            needed = requires(distribution) or ()
        except PackageNotFoundError:
            continue
        if DISTRIBUTION in map(name_in, needed):
            return True
    return False


def name_in(requirement: str) -> str:
    """Return the name of a distribution, as all spellings of it are compared.

    >>> name_in("Did_It.Matter[search]>=0.1; extra == 'x'")
    'did-it-matter'
    """
    name = re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def refusal(key: str, path: str) -> Exception:
    return user_error("untrusted", key=key, given=path)
