"""The command line of figure=computational_graph, in which names of an expression are keys.

Hydra reads neither expr=(x + y) * z nor x=-2, a key that no file knows. Before it is asked, the
expression is put between quotes and x=-2 becomes ++values.x=-2. Torch-free, as all of the door.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from experiments.errors import hint, listed, user_error
from experiments.figures.expressions import KEYS, parse, variables

FIGURE = "computational_graph"
QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
NAMED_VALUE = re.compile(r"(?:\+\+)?(?:values\.)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


def understood(arguments: Sequence[str], conf: Path) -> list[str]:
    """Return what was typed as Hydra reads it; of another figure, as it was typed.

    Args:
        arguments: what was typed after the script's name.
        conf: the folder of the configuration, whose file has the default expression.

    Raises:
        UserError: an expression that cannot be read, or a key that is neither one of its
            variables nor one of the figure's.
    """
    chosen = [a.partition("=")[2] for a in arguments if a.startswith("figure=")]
    if not chosen or chosen[-1] != FIGURE:
        return list(arguments)
    default = yaml.safe_load((conf / "figure" / f"{FIGURE}.yaml").read_text(encoding="utf-8"))
    typed = [a.removeprefix("expr=") for a in arguments if a.startswith("expr=")]
    texts = expressions(typed[-1]) if typed else [default["expr"]]
    names = list(dict.fromkeys(name for text in texts for name in variables(parse(text))))
    rewritten = [rewrite(argument, texts, names) for argument in arguments]
    # The values in the file are those of the expression there.
    is_own = typed and any(parse(text) != parse(default["expr"]) for text in texts)
    return with_first(["~values"], rewritten) if is_own else rewritten


def expressions(value: str) -> list[str]:
    """Return the expressions in what was typed after expr=: several where each is quoted.

    >>> expressions("x * y"), expressions("'x * y','x + y'")
    (['x * y'], ['x * y', 'x + y'])
    """
    rest = QUOTED.sub("", value)
    if rest.replace(",", "").strip() or not value.strip():
        return [value]
    return [re.sub(r"\\(.)", r"\1", one or other) for one, other in QUOTED.findall(value)]


def rewrite(argument: str, texts: Sequence[str], names: Sequence[str]) -> str:
    """Return one argument as Hydra reads it."""
    if argument.startswith("expr="):
        value = argument.removeprefix("expr=")
        return f"expr={quoted(value)}" if list(texts) == [value] else argument
    found = NAMED_VALUE.fullmatch(argument)
    if not found:
        return argument
    name, value = found.groups()
    is_in_values = argument.lstrip("+").startswith("values.")
    if name in names:
        return f"++values.{name}={value}"
    if name in KEYS and not is_in_values:
        return argument
    raise no_such_variable(name, texts[-1], names)


def no_such_variable(name: str, text: str, names: Sequence[str]) -> Exception:
    """Build the error for a value whose name is not in the expression."""
    return user_error(
        "graph_variable",
        name=name,
        expression=text,
        names=listed(names),
        keys=listed(KEYS),
        hint=hint("", name, [*names, *KEYS], "=..."),
    )


def quoted(text: str) -> str:
    r"""Return a text between quotes, as Hydra reads it.

    >>> print(quoted("it's"))
    'it\'s'
    """
    # A backslash is one of its own only before a quote.
    escaped = re.sub(r"(\\*)'", lambda found: found[1] * 2 + r"\'", text)
    return f"'{escaped}'" if not escaped.endswith("\\") else f"'{escaped} '"


def with_first(overrides: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """Return the arguments with overrides before all others, for they hold in their order."""
    is_override = [not a.startswith("-") and "=" in a for a in arguments]
    first = is_override.index(True)
    return [*arguments[:first], *overrides, *arguments[first:]]


def checked_values(text: str, names: Sequence[str], values: Mapping[str, Any]) -> dict[str, float]:
    """Return the value of each name.

    Raises:
        UserError: a name without a value, a value without a name, or one that is no number.
    """
    for name, value in values.items():
        if name not in names:
            raise no_such_variable(str(name), text, names)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not abs(value) < float("inf"):
            raise user_error("not_allowed", key=name, given=value, allowed="a number", instead=0.5)
    missing = [name for name in names if name not in values]
    if missing:
        example = " ".join(f"{name}={number}" for number, name in enumerate(missing, start=1))
        raise user_error("graph_value", names=listed(missing), expression=text, instead=example)
    return {name: float(values[name]) for name in names}
