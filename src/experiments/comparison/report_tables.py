"""Tables and lists of the report, as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from experiments.comparison.contents import MARKS
from experiments.comparison.formats import short
from experiments.comparison.markup import Markup, join, tag
from experiments.comparison.table_rows import Table

MOST_IN_SIGHT = 25
"""Rows of a table that are shown at once; a longer one scrolls in its place."""


def chip(word: str) -> Markup:
    """Return a verdict's word with its mark, which says the same without colour."""
    mark = MARKS.get(word)
    if mark is None:
        return tag("span", word, class_="plain")
    sign = tag("span", mark, aria_hidden="true")
    return tag("span", sign, " ", word, class_=f"chip {word}")


def cell(heading: str, text: str) -> Markup:
    """Return a cell that knows its heading, which it shows by itself on a phone."""
    is_verdict = heading.endswith("verdict")
    kinds = [] if is_verdict else ["number"]
    kinds += [] if text else ["empty"]
    content = chip(text) if is_verdict else text
    return tag("td", content, role="cell", class_=" ".join(kinds) or None, data_label=heading)


def heading_cell(heading: str, is_number: bool) -> Markup:
    """Return the heading of a column."""
    kind = "number" if is_number else None
    return tag("th", heading, scope="col", role="columnheader", class_=kind)


def card_table(table: Table, caption: str) -> Markup:
    """Return a table that becomes a card for each row on a phone; the verdict comes first.

    The roles are said again, since a table whose display is changed is none to some readers.
    """
    order = list(range(1, len(table.headings)))
    labels = table.headings
    if table.groups:
        groups = [title for title, width in table.groups for _ in range(width)]
        labels = [f"{group}: {h}" for group, h in zip(groups, table.headings, strict=True)]
    else:
        order.sort(key=lambda i: table.headings[i] != "verdict")
    head = [heading_cell(table.headings[0], False)]
    head += [heading_cell(table.headings[i], table.headings[i] != "verdict") for i in order]
    rows = []
    for index, row in enumerate(table.rows):
        badge = tag("span", "best", class_="badge") if index in table.bold else None
        named = tag("th", row[0], badge, scope="row", role="rowheader")
        rows.append(tag("tr", named, *(cell(labels[i], row[i]) for i in order), role="row"))
    return scrolling(
        caption,
        tag(
            "table",
            tag("caption", caption, class_="visually-hidden"),
            tag("thead", group_row(table), tag("tr", *head, role="row"), role="rowgroup"),
            tag("tbody", *rows, role="rowgroup"),
            class_="cards",
            role="table",
        ),
        is_tall=len(rows) > MOST_IN_SIGHT,
    )


def group_row(table: Table) -> Markup | None:
    """Return the headings over groups of columns."""
    if not table.groups:
        return None
    cells = [
        tag("th", title, colspan=width, scope="colgroup", role="columnheader", class_="group")
        for title, width in table.groups
    ]
    return tag("tr", *cells, role="row")


def plain_table(caption: str, headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> Markup:
    """Return a table; a cell may be Markup, a number, or None."""
    kinds = [kind_of(one) for one in rows[0]] if rows else [None] * len(headings)
    kinds[:1] = [None]
    titles = zip(headings, kinds, strict=True)
    head = tag("thead", tag("tr", *(tag("th", h, scope="col", class_=k) for h, k in titles)))
    body = []
    for first, *others in rows:
        cells = [tag("td", shown(one), class_=k) for one, k in zip(others, kinds[1:], strict=True)]
        body.append(tag("tr", tag("th", shown(first), scope="row"), *cells))
    name = tag("caption", caption, class_="visually-hidden")
    table = tag("table", name, head, tag("tbody", *body))
    title = tag("p", caption, class_="caption", aria_hidden="true")
    return join([title, scrolling(caption, table, is_tall=len(rows) > MOST_IN_SIGHT)])


def kind_of(value: Any) -> str | None:
    """Return the class of a cell: numbers stand at the right."""
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, Markup):
        return None
    return "number" if isinstance(value, str) and value[:1] in "0123456789+−[<–" else None


def shown(value: Any) -> Any:
    """Return what a cell shows of a value."""
    return value if isinstance(value, str) else short(value)


def section(identifier: str, title: str, *content: Any) -> Markup:
    """Return a section under a heading."""
    heading = tag("h2", title, id=f"{identifier}-title")
    return tag("section", heading, *content, id=identifier, aria_labelledby=f"{identifier}-title")


def scrolling(label: str, content: Markup, is_tall: bool = False) -> Markup:
    """Return what is wide, or tall, inside a place of its own that scrolls, by keyboard too."""
    kind = "wide tall" if is_tall else "wide"
    return tag("div", content, class_=kind, role="region", aria_label=label, tabindex="0")


def bullets(sentences: Sequence[Any], class_: str | None = None) -> Markup | None:
    """Return sentences as a list; None where there is none."""
    return tag("ul", *(tag("li", s) for s in sentences), class_=class_) if sentences else None


def pairs_list(values: Mapping[str, Any]) -> Markup:
    """Return names and values as a list of descriptions."""
    return tag(
        "dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in values.items())
    )


def code(command: str) -> Markup:
    """Return a command."""
    return tag("pre", tag("code", command), tabindex="0")


def described(value: Any) -> Markup:
    """Return any plain value of JSON as HTML: a list of like objects becomes a table."""
    if isinstance(value, Mapping):
        return pairs_list({str(name): described(one) for name, one in value.items()})
    if isinstance(value, list) and value and all(isinstance(one, Mapping) for one in value):
        headings = list(dict.fromkeys(str(key) for one in value for key in one))
        rows = [[described(one.get(key)) for key in headings] for one in value]
        head = tag("thead", tag("tr", *(tag("th", h, scope="col") for h in headings)))
        body = tag("tbody", *(tag("tr", *(tag("td", c) for c in row)) for row in rows))
        return scrolling("table", tag("table", head, body))
    if isinstance(value, list):
        return bullets([described(one) for one in value]) or Markup("–")
    return join([short(value)])
