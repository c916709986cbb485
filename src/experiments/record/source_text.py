"""What a class or function says that no other process can import: its text, and all it leads to.

One that was defined in a notebook, in the script that is run or inside of a function has no module
of which record/code.py could take a hash. Here it counts by the texts of its functions, without
comments and docstrings, and by what these refer to of the same kind: other such functions, base
classes, default values, and names of numbers and words. What is imported is left to code.py.
"""

from __future__ import annotations

import ast
import dis
import functools
import hashlib
import linecache
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import CodeType, FunctionType, ModuleType
from typing import Any

from experiments.record.code import words_of

PLAIN = (bool, int, float, complex, str, bytes, type(None))
WRAPPERS = (staticmethod, classmethod, functools.partialmethod, functools.cached_property)


def importable_path(target: Any) -> str | None:
    """Return the dotted path by which any process imports a class or function; None for no such.

    What is defined in a notebook or in the script that is run has none, since importing that
    script would run it once more; neither has what a function defines, nor a lambda.

    >>> importable_path(ast.parse), importable_path(lambda: 1)
    ('ast.parse', None)
    """
    module, name = getattr(target, "__module__", None), getattr(target, "__qualname__", "<")
    if module in (None, "__main__") or "<" in name or not is_found(str(module)):
        return None
    place: Any = sys.modules.get(str(module))
    for part in name.split("."):
        place = getattr(place, part, None)
    return f"{module}.{name}" if place is target else None


def is_found(module: str) -> bool:
    """Return whether Python would find a module of this name by itself, were it not imported."""
    top = module.partition(".")[0]
    if top in sys.builtin_module_names or module not in sys.modules:
        return top in sys.builtin_module_names
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        if find is not None and find(top, None) is not None:
            return True
    return False


def name_of(target: Any) -> str:
    """Return what a class or function is called where it was defined: `__main__.Net`."""
    module = getattr(target, "__module__", None) or "__main__"
    return f"{module}.{getattr(target, '__qualname__', type(target).__name__)}"


@dataclass
class SourceText:
    """What a class or function says, collected on a walk over all that it leads to.

    Attributes:
        words: in the order of the walk.
        modules: that it leads to, by name; their own texts are no part of the words.
    """

    words: list[str] = field(default_factory=list)
    modules: set[str] = field(default_factory=set)
    seen: dict[int, Any] = field(default_factory=dict, repr=False)

    @property
    def hash(self) -> str:
        text = "\n".join(self.words)
        return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()

    def add(self, name: str, value: Any) -> None:
        """Add what a name stands for."""
        self.words.append(f"{name}:")
        if isinstance(value, ModuleType):
            self.modules.add(value.__name__)
            self.words.append(value.__name__)
        elif is_plain(value):
            self.words.append(repr(value))
        elif callable(value) and importable_path(value):
            self.modules.add(value.__module__)
            self.words.append(name_of(value))
        elif id(value) not in self.seen:
            self.seen[id(value)] = value  # kept, so that no other object gets its id
            self._add_once(value)

    def _add_once(self, value: Any) -> None:
        if isinstance(value, type):
            self._add_class(value)
        elif isinstance(value, FunctionType):
            self._add_function(value)
        elif isinstance(value, functools.partial):
            for name, part in (("func", value.func), ("args", value.args), *items(value.keywords)):
                self.add(name, part)
        elif isinstance(value, list | tuple):
            for number, part in enumerate(value):
                self.add(str(number), part)
        else:  # an object, whose state is nobody's text, or a function in C
            self.words.append(str(getattr(value, "__name__", "")))
            self.add("of", type(value))

    def _add_class(self, value: type) -> None:
        for base in value.__bases__:
            self.add("base", base)
        for name, member in items(vars(value)):
            if name.startswith("__") and not callable(member):
                continue  # written by Python: __doc__, __module__, __firstlineno__
            for part in functions_of(member):
                self.add(name, part)

    def _add_function(self, value: FunctionType) -> None:
        self.words.append(text_of_code(value.__code__))
        for number, default in enumerate(value.__defaults__ or ()):
            self.add(f"default {number}", default)
        for name, default in items(value.__kwdefaults__ or {}):
            self.add(name, default)
        free = zip(value.__code__.co_freevars, value.__closure__ or (), strict=True)
        for name, cell in free:
            if name != "__class__":
                self.add(name, content_of(cell))
        for name in sorted(globals_of(value.__code__)):
            if name in value.__globals__:
                self.add(name, value.__globals__[name])


def source_text(target: Any) -> SourceText:
    """Return what a class or function says, and to which modules it leads."""
    text = SourceText()
    text.add("", target)
    return text


def items(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(values.items())


def is_plain(value: Any) -> bool:
    """Return whether a value says all of itself: numbers, words, and lists of them."""
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(is_plain, value)) and not isinstance(value, set | frozenset)
    if isinstance(value, dict):
        return all(is_plain(part) for item in value.items() for part in item)
    return isinstance(value, PLAIN)


def functions_of(member: Any) -> Iterator[Any]:
    """Yield what a member of a class consists of: the functions of a property, and so on."""
    if isinstance(member, property):
        yield from (part for part in (member.fget, member.fset, member.fdel) if part is not None)
    elif isinstance(member, WRAPPERS):
        yield getattr(member, "__func__", None) or getattr(member, "func", None)
    else:
        yield member


def content_of(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet filled
        return None


def globals_of(code: CodeType) -> set[str]:
    """Return the global names that a function reads, and those that are defined within it."""
    names = {str(i.argval) for i in dis.get_instructions(code) if i.opname == "LOAD_GLOBAL"}
    for part in code.co_consts:
        if isinstance(part, CodeType):
            names |= {str(i.argval) for i in dis.get_instructions(part) if i.opname == "LOAD_NAME"}
            names |= globals_of(part)
    return names


def text_of_code(code: CodeType) -> str:
    """Return a function's text as Python reads it; its bytecode where no text can be had.

    The bytecode is that of one version of Python: such a function counts as another one in the
    next. So it is with what was typed at Python's prompt.
    """
    node = node_of(code)
    if node is not None:
        return "".join(words_of(node))
    inner = [part for part in code.co_consts if isinstance(part, CodeType)]
    plain = [part for part in code.co_consts if not isinstance(part, CodeType)]
    own = [code.co_code.hex(), plain, code.co_names, code.co_varnames]
    return repr([sys.version_info[:2], own, [text_of_code(part) for part in inner]])


def node_of(code: CodeType) -> ast.AST | None:
    """Return the syntax tree of a function, or lambda, alone; None where there is no text of it."""
    lines = linecache.getlines(code.co_filename)
    tree = parsed("".join(lines)) if lines else None
    if tree is None:
        return None
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        if isinstance(node, kinds) and node.name == code.co_name:
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            if first == code.co_firstlineno:
                return node
        elif isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and encloses(node, code):
            return node
    return None


@functools.lru_cache(maxsize=16)
def parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):  # the file has changed since, or is none of Python's
        return None


def encloses(node: ast.Lambda, code: CodeType) -> bool:
    """Return whether all that a lambda computes stands in the body of this one of its line.

    Of two that are nested the inner one's code is asked with its own positions.
    """
    if node.lineno != code.co_firstlineno:
        return False
    body = node.body
    places = {
        (line, end_line, column, end_column)
        for line, end_line, column, end_column in code.co_positions()
        if None not in (line, end_line, column, end_column) and end_column
    }
    whole = (body.lineno, body.end_lineno, body.col_offset, body.end_col_offset)
    return whole in places
