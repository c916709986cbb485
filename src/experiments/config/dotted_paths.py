"""From the `_target_` of a config to a class or function, its own or anybody's.

Modules are looked for where Python does, PYTHONPATH included, and in the folder one stands in.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from experiments.config.given_code import given_target, is_given
from experiments.config.trusted import check_path, check_target
from experiments.errors.likeness import hint
from experiments.errors.messages import UserError, user_error
from experiments.errors.places import place_of
from experiments.record.identity import OWN

ROOMS = {
    "activation": ("activations",),
    "init": ("initializers",),
    "loss": ("losses",),
    "model": ("models",),
    "optim": ("optimizers", "collection"),
    "scheduler": ("schedulers",),
    "data": ("data",),
    "callbacks": ("callbacks", "diagnostics"),
    "metrics": ("metrics",),
    "logger": ("file_loggers",),
    "figure": ("figures",),
}
"""Words of which one is in the path of every module that holds own entries of a group."""
OF_HYDRA = ("_target_", "_args_", "_partial_", "_recursive_", "_convert_")
"""Keys of a part that say how it is called, and are no arguments."""
ADDED: list[str] = []
"""The folder that was added to those in which modules are looked for."""


def find_target(group: str, path: str) -> Callable[..., Any]:
    """Import a class or function by its dotted path, an own one by its name, or raise UserError.

    One that was given in Python, and that no process can import, is what was given.
    """
    if not isinstance(path, str):
        raise not_importable(group, f"{path!r:.60}", "no path of the form module.Name")
    if is_given(path):
        target: Callable[..., Any] = given_target(group, path)
        return target
    check_path(group, path)
    target = located(group, present_path(group, path))
    check_target(group, path, target)
    if not callable(target):
        kind = type(target).__name__
        raise not_importable(group, path, f"it is a {kind}, and no class or function")
    return target


def located(key: str, path: str) -> Any:
    """Return what a dotted path leads to: a module, and names in it; or raise UserError.

    What was imported before this process entered its folder counts as Python has it.
    """
    parts = path.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise not_importable(key, path, "no path of the form module.Name")
    search_this_folder()
    place: Any = imported(key, path, parts[0])
    for number, part in enumerate(parts[1:], start=1):
        if isinstance(place, ModuleType) and not hasattr(place, part):
            name = ".".join(parts[: number + 1])
            is_module = is_there(name) if hasattr(place, "__path__") else False
            if not is_module:
                raise not_importable(key, path, lacking(place, part))
            place = imported(key, path, name)
            continue
        if not hasattr(place, part):
            raise not_importable(key, path, f"{'.'.join(parts[:number])} has no {part}")
        place = getattr(place, part)
    return place


def search_this_folder() -> None:
    """Have modules of the folder one stands in found, after all that Python finds by itself."""
    here = os.getcwd()
    if here in sys.path or "" in sys.path:
        return
    while ADDED:  # of a folder that this process has left, as a notebook may
        with contextlib.suppress(ValueError):
            sys.path.remove(ADDED.pop())
    sys.path.append(here)
    ADDED.append(here)
    importlib.invalidate_caches()


def is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def imported(key: str, path: str, module: str) -> ModuleType:
    """Return a module, or raise UserError: there is none, or its own lines raise an error."""
    if module not in sys.modules and not is_there(module):
        places = f"the folder {os.getcwd()}, in PYTHONPATH and among installed packages"
        raise not_importable(key, path, f"there is no module {module} in {places}")
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # whatever the lines of anyone's module may raise
        raise not_importable(key, path, f"importing {module} {said(error)}") from error


def said(error: BaseException) -> str:
    """Return what an error of somebody else's code says, and in which of its lines."""
    text = " ".join(str(getattr(error, "msg", None) or error).split()).rstrip(".")
    place = place_of(error)
    return f"raises {type(error).__name__}" + (f": {text}" if text else "") + f"{place}"


def lacking(module: ModuleType, name: str) -> str:
    """Return that a module lacks a name, and which like it has."""
    file = getattr(module, "__file__", None)
    where = f" ({file})" if file else ""
    near = hint("", name, [word for word in vars(module) if not word.startswith("_")])
    return (
        f"{module.__name__}{where} has no {name}." + near
        if near
        else (f"{module.__name__}{where} has no {name}")
    )


def not_importable(key: str, path: str, reason: str) -> UserError:
    return user_error("target", key=key, given=path, reason=reason)


def is_own(target: Any) -> bool:
    """Return whether a class or function is of this package."""
    return f"{getattr(target, '__module__', None)}.".startswith(OWN)


def present_path(group: str, path: str) -> str:
    """Return where an own class or function is: old runs name the module that it stood in then.

    A path of somebody else's, and one of which nothing is known, is returned as it is.
    """
    module, _, name = path.rpartition(".")
    if not path.startswith(OWN) or has_name(module, name):
        return path
    return path_by_name(group.partition(".")[0], name) or path


def has_name(module: str, name: str) -> bool:
    """Return whether there is a module of this path, and in it this name."""
    try:
        return hasattr(importlib.import_module(module), name)
    except ModuleNotFoundError:
        return False


@functools.cache
def path_by_name(group: str, name: str) -> str | None:
    """Return the path of the own entry of a group that has this name, by the sources alone."""
    package = Path(__file__).parents[1]
    for file in sorted(package.rglob("*.py")):
        parts = [package.name, *file.relative_to(package).with_suffix("").parts]
        if not set(parts).isdisjoint(ROOMS.get(group, ())) and name in names_in(file):
            return ".".join([*parts, name])
    return None


@functools.cache
def names_in(file: Path) -> set[str]:
    """Return the classes, functions and variables that a source file defines at its top level."""
    names: set[str] = set()
    for statement in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.ClassDef | ast.FunctionDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Assign):
            names |= {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return names


def instantiated(key: str, node: Any) -> Any:
    """Return nested values in which each part that has a `_target_` was called, inner ones first.

    As Hydra's `instantiate`, with `_args_` and `_partial_`; but words stay words. Hydra resolves
    them once more, so that a run's config could make parts of a word after all were looked at:
    `${oc.create:{_target_: os.system, ...}}`.

    >>> instantiated("callbacks.mine", {"_target_": "torch.nn.Softplus", "beta": 2.0})
    Softplus(beta=2.0, threshold=20.0)
    """
    if isinstance(node, list):
        return [instantiated(key, part) for part in node]
    if not isinstance(node, Mapping):
        return node
    if "_target_" not in node:
        return {name: instantiated(key, part) for name, part in node.items()}
    target = find_target(key, node["_target_"])
    inner = {name: part for name, part in node.items() if name not in OF_HYDRA}
    arguments, given = node.get("_args_", []), inner
    if node.get("_recursive_", True):
        arguments, given = instantiated(key, arguments), instantiated(key, inner)
    if node.get("_partial_", False):
        return functools.partial(target, *arguments, **given)
    return target(*arguments, **given)
