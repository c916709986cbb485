"""One model of a table, from which Markdown, CSV, LaTeX, HTML and the terminal are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

Cell = str | int | float | bool | Sequence[str] | None
"""Text, or a plain value that a writer turns into text; sentences are a list in their cell."""
Kind = Literal["text", "number", "verdict", "marked"]


@dataclass(frozen=True)
class TableColumn:
    """A column of a table.

    Args:
        kind: numbers stand at the right, a verdict has its mark, and what is marked is a number
            and the verdict whose mark stands behind it.
        group: the heading that it shares with its neighbours; empty for none.
    """

    heading: str
    kind: Kind = "number"
    group: str = ""

    @property
    def label(self) -> str:
        """The heading where groups cannot be shown: each says whose it is."""
        return f"{self.group}: {self.heading}" if self.group else self.heading

    @property
    def is_number(self) -> bool:
        return self.kind in ("number", "marked")


@dataclass(frozen=True)
class Table:
    """A table before any markup; its first column names its rows.

    The indices of the rows that the verdict calls best are `best`.
    """

    title: str
    columns: Sequence[TableColumn]
    rows: Sequence[Sequence[Cell]]
    best: frozenset[int] = frozenset()

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Heading and width of each group of columns; empty where no column has a group."""
        names = [column.group for column in self.columns]
        return [(name, len(list(same))) for name, same in groupby(names)] if any(names) else []

    def verdict_first(self) -> Table:
        """Return the table with its verdict beside the names of its rows."""
        others = range(1, len(self.columns))
        order = [0, *sorted(others, key=lambda i: self.columns[i].kind != "verdict")]
        rows = [[row[i] for i in order] for row in self.rows]
        return replace(self, columns=[self.columns[i] for i in order], rows=rows)


def texts(*headings: str) -> list[TableColumn]:
    return [TableColumn(heading, "text") for heading in headings]


def numbers(*headings: str) -> list[TableColumn]:
    return [TableColumn(heading) for heading in headings]


VERDICT = TableColumn("verdict", "verdict")
