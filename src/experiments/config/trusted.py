"""Which classes and functions a config may name: parts of an experiment, and nothing else.

A run folder is often somebody else's. Its config names what is to be imported and called, and
`os.system` or `joblib.load` there would do what they say on the machine of whoever only looks at a
run. What is no part of an experiment is refused in every config, typed or read, so that a run that
was trained can be read back.

What is typed may also name files of one's own: whoever types it means it. A config that is read
from a folder may name this package, torch, torchvision, torchmetrics and lightning, and of anybody
else's what the user trusts (`trusted=[mypkg]`), has typed in this process, or names in files of
conf/ here. It is refused by name: nothing of it is imported before.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

from experiments.config.config_folders import own_confs, own_files, own_folder
from experiments.errors.commands import DISTRIBUTION
from experiments.errors.messages import refuse_unless, user_error
from experiments.errors.wording import listed

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
OWN_PARTS = (
    "experiments.catalogue.",
    "experiments.data.",
    "experiments.figures.",
    "experiments.training.file_loggers",
)
"""Where functions of this package are parts of an experiment; others write files, for example."""
MADE = {
    "data": ("DataSet",),
    "figures": ("Drawing",),
    "training": ("EventFile", "MLFlowLogger"),
}
"""What functions of these rooms return that are parts."""
OF_CATALOGUE = ("schedulefree", "pytorch_optimizer")
"""Packages that optimizers of the catalogue are classes of, and that this one is installed with."""
READABLE = (OWN, "torch", "torchvision", "torchmetrics", "lightning", *OF_CATALOGUE)
"""What a config that was read may name without a word of the user's."""
TRUSTED: set[str] = set()
"""What this process trusts beside it: packages, modules or classes, by their dotted names."""
THIS_PROCESS = "@"
"""Is in the path of what was given to this process in Python, which no file can bring along."""

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
    if top == OWN:
        if not is_own_part(target, module):
            raise refusal(key, path)
        return
    if not any(folder in file for folder in INSTALLED):
        return
    if not is_part(target) and not builds_on_this(top):
        raise refusal(key, path)


def trust(names: Iterable[str]) -> None:
    """Trust packages, modules or classes for as long as this process lives.

    Raises:
        UserError: a word that is no dotted name.
    """
    for name in names:
        is_name = isinstance(name, str) and all(p.isidentifier() for p in name.split("."))
        refuse_unless(is_name, "trusted", name, "a list of packages or modules", "[mypkg]")
        TRUSTED.add(name)


def trust_typed(config: Any) -> None:
    """Trust the packages that a config names which was typed, and what it says is trusted."""
    trust(config.get("trusted") or ())
    paths = {path for _, path in targets_in(config) if isinstance(path, str)}
    trust(path.partition(".")[0] for path in paths if is_plain(path))


def is_plain(path: str) -> bool:
    return all(part.isidentifier() for part in path.split("."))


def check_read(config: Any, folder: Any) -> None:
    """Raise UserError where the config of a run names what is neither readable nor trusted.

    Args:
        folder: of the run.
    """
    for key, path in targets_in(config):
        if not isinstance(path, str):
            raise user_error("target_type", path=folder, key=key, given=f"{path!r:.60}")
        check_path(key, path)
        top = path.partition(".")[0]
        if top in READABLE or THIS_PROCESS in path or is_trusted(path) or is_named_here(top):
            continue
        *others, last = READABLE[1:]
        readable = f"{listed(others)} and {last}"
        words = {"key": key, "given": path, "package": top, "readable": readable}
        raise user_error("untrusted_run", path=folder, **words)


def is_trusted(path: str) -> bool:
    """Return whether a path is what is trusted, or lies in it.

    >>> TRUSTED.add("mine.nets"); is_trusted("mine.nets.Net"), is_trusted("mine.other.Net")
    (True, False)
    >>> TRUSTED.discard("mine.nets")
    """
    return any(path == name or path.startswith(f"{name}.") for name in TRUSTED)


def is_named_here(package: str) -> bool:
    """Return whether a `_target_` in the user's own conf/ or sweeps/ is of a package.

    Whoever has such files where the command is typed means what they name, also where a run that
    was trained with them goes on.
    """
    named = re.compile(rf"_target_:\s*['\"]?{re.escape(package)}\.")
    files = own_files(own_confs(sys.argv[1:]), own_folder("sweeps"))
    texts = (path.read_text(encoding="utf-8", errors="replace") for _, path in files)
    return any(map(named.search, texts))


def check_no_stranger(config: Any) -> None:
    """Raise UserError where a config names what the standard library has, such as os.system.

    For whoever reads a config and imports nothing.
    """
    for key, path in targets_in(config):
        check_path(key, str(path))


def targets_in(node: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each `_target_` of nested values, with the key of the part that has it."""
    parts: Iterable[tuple[Any, Any]] = ()
    if isinstance(node, Mapping):
        parts = node.items()
    elif isinstance(node, list):
        parts = enumerate(node)
    for name, part in parts:
        if name == "_target_":
            yield key or "config", part
        else:
            yield from targets_in(part, f"{key}.{name}" if key else str(name))


def is_own_part(target: Any, module: str) -> bool:
    """Return whether a class or function of this package is a part, and no tool of its own.

    Functions are told by what they return: a data set, a drawing, a logger; whatever stands in
    catalogue/ is a part.
    """
    if module.startswith(OWN_PARTS[0]) or is_part(target):
        return True
    room = module.split(".")[1] if "." in module else ""
    if not module.startswith(OWN_PARTS) or room not in MADE:
        return False
    return getattr(target, "__annotations__", {}).get("return") in MADE[room]


def is_part(target: Any) -> bool:
    """Return whether a target is a class of networks, optimizers, callbacks, loggers or metrics.

    Functions of torch.nn compute and do nothing else.
    """
    if not inspect.isclass(target):
        return str(target.__module__) in ("torch.nn.functional", "torch.nn.init")
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
