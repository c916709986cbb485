"""The API reference: a page for each room of the package, made of its signatures and docstrings.

The source is read, and nothing imported, so that a build takes seconds.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from docstrings import as_markdown
from repository import ROOT

if TYPE_CHECKING:
    from staging import Stage

PACKAGE = ROOT / "src" / "experiments"
WIDTH = 88
Callee = ast.FunctionDef | ast.AsyncFunctionDef


def write_reference(stage: Stage) -> list[str]:
    """Write a page for each folder of the package, and one that leads to them."""
    lines = ["# API", "", "Every public class and function, by room of the package: what it takes,"]
    lines += ["returns and raises. [Contributing](../CONTRIBUTING.md) says what stands where.", ""]
    lines += ["| room | modules |", "|---|---|"]
    for folder in sorted({path.parent for path in PACKAGE.rglob("*.py")}):
        name = dotted(folder)
        stage.put(f"reference/{name}.md", room_page(folder))
        names = [path.stem for path in sorted(folder.glob("*.py")) if path.stem != "__init__"]
        lines.append(f"| [{name}]({name}.md) | {', '.join(f'`{each}`' for each in names)} |")
    stage.put("reference/index.md", "\n".join(lines) + "\n")
    return ["reference/index.md"]


def dotted(path: Path) -> str:
    """Return the name by which Python imports a file or folder of the package."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def docstring_of(node: ast.Module | ast.ClassDef | Callee) -> str:
    return ast.get_docstring(node) or ""


def room_page(folder: Path) -> str:
    """Return the page of a room: what it says of itself, then each of its modules.

    It stands in no table of contents, each of which would hold every name of every room.
    """
    blocks = ["---\norphan: true\n---", f"# {dotted(folder)}"]
    for path in sorted(folder.glob("*.py"), key=lambda path: (path.name != "__init__.py", path)):
        module = parsed(path)
        if path.name != "__init__.py":
            blocks += [f"## {path.stem}", f"`{dotted(path)}`"]
        blocks += [as_markdown(docstring_of(module)), *entries(module)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def entries(module: ast.Module) -> Iterator[str]:
    """Yield what a module says of its public classes, functions and constants."""
    for node, after in zip(module.body, [*module.body[1:], None], strict=True):
        if isinstance(node, ast.ClassDef) and is_told(node):
            yield from (f"### {node.name}", class_signature(node), as_markdown(docstring_of(node)))
            for method in node.body:
                if isinstance(method, Callee) and is_told(method):
                    yield signature(method)
                    yield as_markdown(docstring_of(method))
        elif isinstance(node, Callee) and is_told(node):
            yield from (f"### {node.name}", signature(node), as_markdown(docstring_of(node)))
        elif isinstance(node, ast.Assign | ast.AnnAssign) and is_text(after):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if not ast.unparse(target).startswith("_"):
                yield from (f"### {ast.unparse(target)}", as_markdown(text_of(after)))


def is_told(node: ast.ClassDef | Callee) -> bool:
    """Return whether something is public and has a docstring of its own."""
    return not node.name.startswith("_") and bool(docstring_of(node))


def is_text(node: ast.stmt | None) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def text_of(node: ast.stmt | None) -> str:
    """Return the text that stands below an assignment, as a docstring is read."""
    return ast.get_docstring(ast.Module([node] if node else [], [])) or ""


def class_signature(node: ast.ClassDef) -> str:
    """Return how an object of a class is made, and what the class derives from."""
    made = [part for part in node.body if isinstance(part, Callee) and part.name == "__init__"]
    if made:
        arguments = arguments_of(made[0])
    else:  # fields of a dataclass or a named tuple
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
        arguments = [ast.unparse(field) for field in fields if "ClassVar" not in ast.unparse(field)]
    bases = ", ".join(ast.unparse(base) for base in [*node.bases, *node.keywords])
    return call(f"class {node.name}", arguments, f"  # {bases}" if bases else "")


def signature(node: Callee) -> str:
    """Return how a function is called, and what it gives; its decorators as they are."""
    result = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    decorators = "".join(f"@{ast.unparse(each)}\n" for each in node.decorator_list)
    return call(f"{decorators}def {node.name}", arguments_of(node), result)


def arguments_of(node: Callee) -> list[str]:
    """Return the arguments of a function as they are written, without self."""
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    values = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    made = [argument(*pair) for pair in zip(plain, values, strict=True)]
    if given.posonlyargs:
        made.insert(len(given.posonlyargs), "/")
    if given.vararg:
        made.append(f"*{ast.unparse(given.vararg)}")
    elif given.kwonlyargs:
        made.append("*")
    made += [argument(*pair) for pair in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    if given.kwarg:
        made.append(f"**{ast.unparse(given.kwarg)}")
    return made[1:] if made[:1] in (["self"], ["cls"]) else made


def argument(name: ast.arg, value: ast.expr | None) -> str:
    """Return an argument with its type and its default."""
    sign = " = " if name.annotation else "="
    return ast.unparse(name) + (f"{sign}{ast.unparse(value)}" if value else "")


def call(name: str, arguments: list[str], result: str) -> str:
    """Return a call as code, an argument on each line where one line would be too long."""
    line = f"{name}({', '.join(arguments)}){result}"
    if max(map(len, line.split("\n"))) > WIDTH:
        rows = "".join(f"    {each},\n" for each in arguments)
        line = f"{name}(\n{rows}){result}"
    return f"```python\n{line}\n```"
