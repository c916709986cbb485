"""Sentences of comments and docstrings as Markdown: docs/catalogue.py makes its page of them."""

from __future__ import annotations

import inspect
import re
import textwrap
from typing import Any

WIDTH = 99
SECTION = re.compile(r"(Args|Attributes|Returns|Raises|Shapes|Examples?):|>>>")
FORMULA = re.compile(r" (=|<-|<=|>=|!=|<) |\^|\|| [-+*/] (?!\d+[, ])|\w\(")
REFERENCE = re.compile(r"\b(1[89]|20)\d\d\b|https?://")
KEY = re.compile(r"(?<![\w./\"])\+?[A-Za-z]\w*(\.\w+)*=(\[[^\]]*\]|[-\w/]+([.,][-\w]+)*)")
NAME = re.compile(
    r"(?<![\w./\"+=*])([A-Za-z]\w*_\w+|[a-z]\w*\.[a-z]\w+|(train|val|test)/\w+|[\w/]+/\*)(?![\w/=])"
)
WORDS = (
    "about above after against all also an and are as at be below beyond biases by cut each else"
    " feature features first for from has have here in intervals into is it its may most no not of"
    " off on one or over than that the their then there they this to up weights when where which"
    " while whose with without"
)
PROSE = frozenset(WORDS.split())
"""Words that end a formula within a sentence, and that tell nothing by themselves."""


def leading_comment(text: str) -> str:
    """Return the comment that a file begins with, as one line; commands in it as code."""
    lines = [line for line in text.splitlines() if not line.startswith("# @package")]
    length = next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
    said = [line.lstrip("# ") for line in lines[:length]]
    return " ".join(f"`{line}`." if line.startswith("python ") else line for line in said)


def paragraphs(documented: Any) -> list[str]:
    """Return the prose of a docstring, each paragraph as one line, up to `Args:` or an example."""
    found: list[str] = []
    # Its own: inspect.getdoc would take that of torch's class above it.
    for block in re.split(r"\n\s*\n", inspect.cleandoc(documented.__doc__ or "")):
        if SECTION.match(block):
            break
        found += [" ".join(block.split())] if block else []
    return found


def not_said(comment: str, known: str) -> str:
    """Return those sentences of a comment that have a word which `known` has not.

    >>> not_said("Slow for phi. He et al. 2015.", 'He, Zhang 2015, "Delving deep".')
    'Slow for phi.'
    """
    words = PROSE | {*re.findall(r"\w+", known.lower()), "et", "al"}
    sentences = re.split(r"(?<=\.)(?<! al\.) (?!\d)", comment)
    return " ".join(s for s in sentences if not set(re.findall(r"\w+", s.lower())) <= words)


def words_of(text: str) -> list[str]:
    """Split at spaces, but not within brackets or code.

    >>> words_of("b = sqrt(6 / n), `a b`")
    ['b', '=', 'sqrt(6 / n),', '`a b`']
    """
    words, depth, is_code = [""], 0, False
    for character in text:
        is_code ^= character == "`"
        depth += (character in "([{") - (character in ")]}")
        if character == " " and depth == 0 and not is_code:
            words.append("")
        else:
            words[-1] += character
    return words


def marked(text: str) -> str:
    """Return sentences as Markdown, the formulas, keys and names in them as code.

    A formula is a longest run of words, none of them prose, with an operator or a function in it.

    >>> marked("Weights from U(-b, b), b = gain sqrt(6 / fan_in); biases 0.")
    'Weights from `U(-b, b)`, `b = gain sqrt(6 / fan_in)`; biases 0.'
    """
    shown: list[str] = []
    run: list[str] = []
    for word in words_of(text):
        inner = set(re.findall(r"\w+", word.lower()))
        is_aside = word.startswith("(") and bool(inner & PROSE)
        is_prose = is_aside or "`" in word or word.lower().strip(",;:.") in PROSE
        if not is_prose:
            run.append(word)
        if run and (is_prose or word[-1:] in ",;:."):
            shown.append(coded(" ".join(run)))
            run = []
        if is_prose:
            shown.append(f"({marked(word[1:])}" if is_aside else word)
    return " ".join([*shown, coded(" ".join(run))] if run else shown)


def coded(run: str) -> str:
    """Return a run of words as code where it is a formula; else only the keys and names in it.

    >>> coded("see optim.lr"), coded("data=csv"), coded("x^2,")
    ('see `optim.lr`', '`data=csv`', '`x^2`,')
    """
    body = run.rstrip(",;:.")
    if '"' not in run and FORMULA.search(body):
        return f"`{body}`{run[len(body) :]}"
    with_keys = KEY.sub(r"`\g<0>`", run)
    return with_keys if "`" in with_keys else NAME.sub(r"`\1`", with_keys)


def wrapped(text: str, first: str = "", rest: str = "") -> str:
    """Return text in lines that fit, with a mark before the first and before the rest.

    Code stays in one line; so do an operator or "1." and the word before it, since a line that
    begins with one would be a list.
    """
    glued = re.sub(r"`[^`]*`", lambda code: code[0].replace(" ", "\0"), text)
    glued = re.sub(r" (?=[^\w\"'(\[`]|\d+[.)]( |$))", "\0", glued)
    wrapper = textwrap.TextWrapper(WIDTH, first, rest, break_long_words=False)
    wrapper.break_on_hyphens = False
    return wrapper.fill(glued).replace("\0", " ")
