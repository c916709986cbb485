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

from experiments.errors.likeness import hint
from experiments.errors.messages import refuse_unless, user_error
from experiments.errors.wording import listed
from experiments.figures.graph.expressions import KEYS, parse, variables
from experiments.figures.page.limits import is_finite_number
from experiments.figures.page.short_words import in_full

FIGURE = "computational_graph"
QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
NAMED_VALUE = re.compile(r"(?:\+\+)?(?:values\.)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


def as_hydra_reads(arguments: Sequence[str], conf: Path) -> list[str]:
    """Return what was typed as Hydra reads it; of another figure, but for short words, as typed.

    Args:
        arguments: what was typed after the script's name.
        conf: the folder of the configuration, whose file has the default expression.

    Raises:
        UserError: an expression that cannot be read, or a key that is neither one of its
            variables nor one of the figure's.
    """
    arguments = in_full(arguments)
    chosen = [a.partition("=")[2] for a in arguments if a.startswith("figure=")]
    if not chosen or chosen[-1] != FIGURE:
        return list(arguments)
    default = yaml.safe_load((conf / "figure" / f"{FIGURE}.yaml").read_text(encoding="utf-8"))
    typed = [a.removeprefix("expr=") for a in arguments if a.startswith("expr=")]
    texts = expressions(typed[-1]) if typed else [default["expr"]]
    names = list(dict.fromkeys(name for text in texts for name in variables(parse(text))))
    rewritten = [rewrite(argument, texts, names) for argument in arguments]
    # The values in the file are those of the expression there. Overrides hold in their order.
    is_own = typed and any(parse(text) != parse(default["expr"]) for text in texts)
    if not is_own:
        return rewritten
    first = next(i for i, a in enumerate(rewritten) if not a.startswith("-") and "=" in a)
    return [*rewritten[:first], "~values", *rewritten[first:]]


def expressions(value: str) -> list[str]:
    """Return the expressions in what was typed after expr=: several where each is quoted.

    >>> expressions("x * y"), expressions("'x * y','x + y'")
    (['x * y'], ['x * y', 'x + y'])
    """
    rest = QUOTED.sub("", value)
    if rest.replace(",", "").strip() or not value.strip():
        return [value]
    return [re.sub(r"\\(.)", r"\1", single or double) for single, double in QUOTED.findall(value)]


def rewrite(argument: str, texts: Sequence[str], names: Sequence[str]) -> str:
    """Return one argument as Hydra reads it."""
    if argument.startswith("expr="):
        value = argument.removeprefix("expr=")
        return f"expr={quoted(value)}" if list(texts) == [value] else argument
    match = NAMED_VALUE.fullmatch(argument)
    if not match:
        return argument
    name, value = match.groups()
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
    escaped = re.sub(r"(\\*)'", lambda match: match[1] * 2 + r"\'", text)
    return f"'{escaped}'" if not escaped.endswith("\\") else f"'{escaped} '"


def checked_values(text: str, names: Sequence[str], values: Mapping[str, Any]) -> dict[str, float]:
    """Return the value of each name.

    Raises:
        UserError: a name without a value, a value without a name, or one that is no number.
    """
    for name, value in values.items():
        if name not in names:
            raise no_such_variable(str(name), text, names)
        refuse_unless(is_finite_number(value), name, value, "a number", 0.5)
    missing = [name for name in names if name not in values]
    if missing:
        example = " ".join(f"{name}={number}" for number, name in enumerate(missing, start=1))
        raise user_error("graph_value", names=listed(missing), expression=text, instead=example)
    return {name: float(values[name]) for name in names}
