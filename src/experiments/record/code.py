"""Which text somebody else's code had when a run was trained: its modules, each with a hash.

A class counts by its dotted path and by what it was: by the text of its module and of those that
this one imports of the same author's files, or by the version of an installed package. This
package's own code is told by its commit, torch and lightning by their versions.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import packages_distributions, version
from importlib.util import resolve_name
from pathlib import Path
from types import ModuleType
from typing import Any

from experiments.record.record import Record

KNOWN_OTHERWISE = (
    *("experiments", "torch", "torchvision", "lightning", "torchmetrics", "numpy", "__main__"),
)
"""What has a commit or a version of its own in the record, and a notebook, which has no text."""
INSTALLED = ("site-packages", "dist-packages")
READ: dict[str, tuple[Any, str, list[str]]] = {}
"""Of each module that was read: what it was imported by, its hash, and the names that it imports.
A text that changes afterwards is not what this process runs."""

Code = dict[str, str]


def code_of(modules: Iterable[str]) -> Code:
    """Return the hash, or version, of each module of somebody else's that these lead to.

    Args:
        modules: names of imported modules.
    """
    found: Code = {}
    waiting = sorted(set(modules))
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        module = sys.modules.get(name)
        if module is None or top in KNOWN_OTHERWISE or top in sys.stdlib_module_names:
            continue
        if any(folder in str(getattr(module, "__file__", "")) for folder in INSTALLED):
            found[top] = found.get(top) or version_of(top)
        elif name not in found:
            _, text, imports = read_module(name, module)
            if text:
                found[name] = text
            waiting += [part for part in imports if part not in found]
    return dict(sorted(found.items()))


def version_of(package: str) -> str:
    names = packages_distributions().get(package, [])
    return f"version {version(names[0])}" if names else "version unknown"


def read_module(name: str, module: ModuleType) -> tuple[Any, str, list[str]]:
    """Return by what a module was imported, the hash of its text, and the names that it imports."""
    spec = getattr(module, "__spec__", None)
    if name not in READ or READ[name][0] is not spec:
        READ[name] = (spec, *hash_and_imports(name, module))
    return READ[name]


def hash_and_imports(name: str, module: ModuleType) -> tuple[str, list[str]]:
    """Return the hash of a module's text and the names that it imports; of none an empty one."""
    file = Path(str(getattr(module, "__file__", "") or ""))
    if not file.is_file():
        return "", []
    content = file.read_bytes()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):  # a library in C
        return hashlib.blake2b(content, digest_size=8).hexdigest(), []
    parents = name.split(".")[:-1]
    packages = [".".join(parents[:number]) for number in range(1, len(parents) + 1)]
    package = str(getattr(module, "__package__", "") or "")
    return hash_of(tree), [*packages, *names_imported(tree, package)]


def hash_of(tree: ast.Module) -> str:
    """Return the hash of what a text says to Python.

    Comments, docstrings, empty lines and how lines are broken are no part of that, and change no
    result: only what can change one asks for a decision.

    >>> hash_of(ast.parse("x = 1  # one")) == hash_of(ast.parse('"A module."\\n\\nx = (1)'))
    True
    """
    text = "".join(words_of(tree))
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def words_of(node: Any) -> Iterator[str]:
    """Yield a tree in words that are the same in each version of Python: nothing of empty parts."""
    if isinstance(node, list):
        for part in node:
            yield from words_of(part)
    elif isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for name, value in ast.iter_fields(node):
            if value is not None and value != [] and name not in ("type_comment", "kind"):
                yield f" {name}="
                yield from words_of(without_docstring(node) if name == "body" else value)
        yield ")"
    else:
        yield repr(node)


def without_docstring(node: Any) -> Any:
    """Return the statements of a module, class or function without its docstring."""
    has_one = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    if not has_one or ast.get_docstring(node, clean=False) is None:
        return node.body
    return node.body[1:]


def names_imported(tree: ast.Module, package: str) -> list[str]:
    """Return the modules that a text may import, wherever in it; names of other things too."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            try:
                source = resolve_name(relative, package) if node.level else relative
            except ImportError:
                continue
            names += [source, *(f"{source}.{alias.name}" for alias in node.names)]
    return names


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the modules that have other texts or versions; one that is not in both tells nothing.

    >>> changes({"mine": "a", "gone": "b"}, {"mine": "c", "new": "d"})
    ['mine']
    """
    return [name for name, text in before.items() if now.get(name, text) != text]


def is_other_code(record: Record, code: Mapping[str, str]) -> bool:
    """Return whether a run was trained with other code; False where its record does not say."""
    return bool(changes(record["code"] or {}, code))


def change_of_code(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Return in words what has changed."""
    each = [
        f"{name} ({before[name][:16]} then, {now[name][:16]} now)" for name in changes(before, now)
    ]
    return ", ".join(each)
