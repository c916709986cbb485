"""Docstrings in plain words, whose signs mean themselves, as Markdown."""

from __future__ import annotations

import re
import textwrap

CODE = re.compile(r"(?P<ticks>`+)(?P<code>.+?)(?P=ticks)", re.DOTALL)
FORMULA = re.compile(r" (=|->|<-|~) ")
SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises|Shapes|Examples?):")


def as_markdown(docstring: str) -> str:
    """Return a docstring with its signs escaped, its formulas, examples and arguments set apart.

    A formula is a paragraph that ends without a full stop and says what something is.

    >>> print(as_markdown("The `k` of a_*.\\n\\ny = a * x\\n\\nArgs:\\n    a, b: of x."))
    The `k` of a\\_\\*.
    <BLANKLINE>
    ```
    y = a * x
    ```
    <BLANKLINE>
    **Args**
    <BLANKLINE>
    - `a, b`: of x.
    """
    blocks = re.split(r"\n[ ]*\n", docstring.strip("\n"))
    return "\n\n".join(block_as_markdown(block) for block in blocks if block.strip())


def block_as_markdown(block: str) -> str:
    """Return one paragraph, formula, example or list of arguments."""
    block = textwrap.dedent(block)
    rows = block.split("\n")
    if rows[0].startswith(">>>"):
        return f"```pycon\n{block}\n```"
    if SECTION.fullmatch(rows[0]) and len(rows) > 1:
        entries = re.split(r"\n(?=\S)", textwrap.dedent("\n".join(rows[1:])))
        return "\n".join([f"**{rows[0][:-1]}**", "", *map(listed, entries)])
    if is_formula(rows):
        return f"```\n{block}\n```"
    return escaped(block)


def is_formula(rows: list[str]) -> bool:
    """Return whether lines are a formula that stands by itself."""
    is_text = rows[-1].rstrip()[-1:] in (".", ":", "") or rows[0].startswith("- ")
    return not is_text and "`" not in "".join(rows) and all(FORMULA.search(row) for row in rows)


def listed(entry: str) -> str:
    """Return an entry of a section as one of a list, what it is about as code."""
    text = " ".join(entry.split())
    name, colon, rest = text.partition(": ")
    is_named = colon and re.fullmatch(r"[\w*., ]{1,60}", name)
    return f"- `{name}`: {escaped(rest)}" if is_named else f"- {escaped(text)}"


def escaped(text: str) -> str:
    """Return text of which nothing but its code in backticks is more than its letters."""
    made, end = [], 0
    for found in CODE.finditer(text):
        made += [plain(text[end : found.start()]), found[0]]
        end = found.end()
    return "".join([*made, plain(text[end:])])


def plain(text: str) -> str:
    """Return text in which no sign but that of a list is markup."""
    text = re.sub(r"[*_\[\]<>$`\\{}|~]", r"\\\g<0>", text)
    return re.sub(r"^(?=[#=+:])", r"\\", text, flags=re.MULTILINE)
