"""HTML that escapes whatever is not HTML already."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any


class Markup(str):
    """Text that is HTML already; any other text is escaped where it is put into it."""

    __slots__ = ()


VOID = {"br", "hr", "img", "input", "meta", "link"}


def escaped(content: Any) -> str:
    """Return content as HTML.

    >>> escaped("<b>"), escaped(Markup("<b>"))
    ('&lt;b&gt;', '<b>')
    """
    if isinstance(content, Markup):
        return content
    return html.escape(str(content), quote=True)


def tag(name: str, *content: Any, **attributes: Any) -> Markup:
    """Return an element.

    Args:
        name: of the element.
        content: what it holds, in order; None is left out.
        attributes: with _ for -, and a _ behind a word of Python; None and False are left out,
            True is an attribute without a value.

    >>> tag("p", "1 < 2", class_="note", hidden=True)
    '<p class="note" hidden>1 &lt; 2</p>'
    """
    words = [name]
    for key, value in attributes.items():
        word = key.rstrip("_").replace("_", "-")
        if value is True:
            words.append(word)
        elif value is not None and value is not False:
            words.append(f'{word}="{html.escape(str(value), quote=True)}"')
    start = f"<{' '.join(words)}>"
    inside = "".join(escaped(one) for one in content if one is not None)
    return Markup(start if name in VOID else f"{start}{inside}</{name}>")


def join(parts: Iterable[Any], by: str = "") -> Markup:
    """Return parts one behind the other."""
    return Markup(escaped(by).join(escaped(part) for part in parts if part is not None))


def data_block(identifier: str, value: Any) -> Markup:
    """Return JSON for the page's script, in which nothing can end the element that holds it."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return tag("script", Markup(text), type="application/json", id=identifier)
