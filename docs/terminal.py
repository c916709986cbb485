"""What a terminal shows of what a program writes: a screen, line by line, with its styles.

It knows the control sequences that rich and Lightning write, and says so of any other.
"""

from __future__ import annotations

import re
from typing import NamedTuple

PIECE = re.compile(
    r"\x1b\[(?P<numbers>[?\d;]*)(?P<letter>[A-Za-z])|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|(?P<control>[\r\n\b])|(?P<text>[^\x1b\r\n\b]+)"
)
UNFINISHED = re.compile(r"\x1b(\[[?\d;]*)?$|\x1b\][^\x07\x1b]*$")
COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")


class Style(NamedTuple):
    """How a character is written."""

    colour: str = ""
    is_bold: bool = False
    is_dim: bool = False


class Piece(NamedTuple):
    """Characters of one style within a line, from a column on."""

    column: int
    text: str
    style: Style


Cell = tuple[str, Style]
BLANK: Cell = (" ", Style())


class Screen:
    """A terminal of so many columns and rows, which remembers what was scrolled out of it.

    Attributes:
        lines: all lines there ever were, from the first one on.
        top: the number of the line in the first row.
    """

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows
        self.lines: list[list[Cell]] = [[]]
        self.top = 0
        self.line = self.column = 0
        self.style = Style()
        self.rest = ""

    def feed(self, text: str) -> None:
        """Take what a program writes; a sequence may be cut by its end and go on next time.

        Raises:
            ValueError: a control sequence that is not known.
        """
        text, self.rest = self.rest + text, ""
        if unfinished := UNFINISHED.search(text):
            text, self.rest = text[: unfinished.start()], unfinished[0]
        at = 0
        while at < len(text):
            piece = PIECE.match(text, at)
            if piece is None:
                raise ValueError(f"an unknown control sequence: {text[at : at + 10]!r}")
            at = piece.end()
            if piece["text"]:
                self.write(piece["text"])
            elif piece["control"]:
                self.control(piece["control"])
            elif piece["letter"]:
                self.sequence(piece["numbers"], piece["letter"])

    def write(self, text: str) -> None:
        """Write characters from the cursor on; the next line begins after the last column."""
        for character in text:
            if self.column == self.columns:
                self.control("\r")
                self.control("\n")
            cells = self.lines[self.line]
            cells += [BLANK] * (self.column + 1 - len(cells))
            cells[self.column] = (character, self.style)
            self.column += 1

    def control(self, character: str) -> None:
        if character == "\r":
            self.column = 0
        elif character == "\b":
            self.column = max(0, self.column - 1)
        else:
            self.line += 1
            if self.line == len(self.lines):
                self.lines.append([])
            self.top = max(self.top, self.line - self.rows + 1)

    def sequence(self, numbers: str, letter: str) -> None:
        """Do what a sequence says: move the cursor, erase, or change the style."""
        values = [int(number or 0) for number in numbers.lstrip("?").split(";")]
        count = values[0] or 1
        if letter == "m":
            self.style = styled(self.style, values)
        elif letter == "A":
            self.line = max(self.top, self.line - count)
        elif letter == "K":
            self.erase(values[0])
        elif letter == "J" and values[0] == 0:
            self.erase(0)
            del self.lines[self.line + 1 :]
        elif letter not in "hl":  # the cursor is shown and hidden
            raise ValueError(f"an unknown control sequence: ESC [{numbers}{letter}")

    def erase(self, part: int) -> None:
        """Erase the line of the cursor: from it on (0), up to it (1), or all (2)."""
        cells = self.lines[self.line]
        if part == 1:
            cells[: self.column + 1] = [BLANK] * min(len(cells), self.column + 1)
        else:
            del cells[self.column if part == 0 else 0 :]

    def seen(self) -> dict[int, tuple[Piece, ...]]:
        """Return the lines on the screen by their numbers, each as pieces of one style."""
        last = min(len(self.lines), self.top + self.rows)
        return {number: pieces(self.lines[number]) for number in range(self.top, last)}

    def text(self) -> str:
        """Return all that was ever on the screen and was not written over."""
        return "\n".join("".join(c for c, _ in line).rstrip() for line in self.lines)


def styled(style: Style, values: list[int]) -> Style:
    """Return a style changed by the numbers of a sequence.

    >>> styled(Style(), [1, 32])
    Style(colour='green', is_bold=True, is_dim=False)
    """
    for value in values:
        if value == 0:
            style = Style()
        elif value in (1, 2):
            style = style._replace(is_bold=value == 1, is_dim=value == 2)
        elif value == 22:
            style = style._replace(is_bold=False, is_dim=False)
        elif 30 <= value <= 37 or 90 <= value <= 97:
            style = style._replace(colour=COLOURS[value % 10])
        elif value == 39:
            style = style._replace(colour="")
        elif value not in (3, 4, 23, 24):  # slanted and underlined are shown upright
            raise ValueError(f"an unknown style: {value}")
    return style


def pieces(cells: list[Cell]) -> tuple[Piece, ...]:
    """Return the cells of a line in pieces of one style, without the blanks around them."""
    found: list[Piece] = []
    for column, (character, style) in enumerate(cells):
        if found and found[-1].style == style:
            found[-1] = found[-1]._replace(text=found[-1].text + character)
        else:
            found.append(Piece(column, character, style))
    trimmed = []
    for piece in found:
        text = piece.text.lstrip(" ")
        if text:
            column = piece.column + len(piece.text) - len(text)
            trimmed.append(Piece(column, text.rstrip(" "), piece.style))
    return tuple(trimmed)
