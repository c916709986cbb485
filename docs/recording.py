"""A command recorded in a terminal of its own, and shown as an animated SVG.

The recording is a file of asciinema, version 2: a line about the terminal, then a line [seconds,
"o", what was written] for each time that something was. The picture moves by CSS alone, which
GitHub plays in an image; to those who want no movement it shows the end.
"""

from __future__ import annotations

import codecs
import json
import os
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

from terminal import Piece, Screen

COLUMNS, ROWS = 100, 27
CELL, LINE, SIZE = 9.6, 20.0, 16
"""Width and height of a character's place, and its size, in pixels."""
PADDING, BAR = 16.0, 34.0
TYPED, RUNNING, END, FIRST = 1.5, 12.0, 14.0, 5.0
"""Seconds that the command stands alone, that it runs, that the end stays; and the end at first."""
EVERY = 0.2
"""Seconds between two pictures."""
PAPER, FRAME, INK, QUIET = "#12181f", "#3d4752", "#dbe2e9", "#8f9ba8"
INKS = {
    "black": QUIET,
    "red": "#ff7b72",
    "green": "#56d364",
    "yellow": "#e3b341",
    "blue": "#79c0ff",
    "magenta": "#e48fc4",
    "cyan": "#56d4dd",
    "white": INK,
}
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"


class Recording(NamedTuple):
    """What a command wrote, and when."""

    command: str
    columns: int
    rows: int
    events: list[tuple[float, str]]

    @property
    def seconds(self) -> float:
        """How long the command took."""
        return self.events[-1][0]

    @property
    def speed(self) -> float:
        """How many times as fast it is shown: a whole number."""
        return max(1, round(self.seconds / RUNNING))

    def text(self) -> str:
        """Return what stands in the terminal at the end, all of it."""
        screen = Screen(self.columns, self.rows)
        for _, written in self.events:
            screen.feed(written)
        return screen.text()


def record(command: str, words: Sequence[str], folder: Path) -> Recording:
    """Carry out a command in a folder, in a terminal, and return what it wrote.

    Args:
        command: as it is shown.
        words: what is called.

    Raises:
        RuntimeError: it failed.
    """
    here, there = os.openpty()
    termios.tcsetwinsize(there, (ROWS, COLUMNS))
    unknown = ("COLUMNS", "LINES", "NO_COLOR", "COLORTERM", "WANDB_API_KEY")
    environment = {key: value for key, value in os.environ.items() if key not in unknown}
    # So that `python` is the one in use, and is called so where a command is told to be typed.
    places = [str(Path(sys.executable).parent), environment["PATH"]]
    environment["PATH"] = os.pathsep.join(places)
    environment["TERM"] = "xterm"  # of eight colours, which the picture has its own of
    streams = {"stdin": there, "stdout": there, "stderr": there}
    start = time.monotonic()
    with subprocess.Popen(words, cwd=folder, env=environment, **streams) as process:
        os.close(there)
        decode = codecs.getincrementaldecoder("utf-8")().decode
        events = []
        while written := read(here):
            events.append((round(time.monotonic() - start, 2), decode(written)))
    os.close(here)
    if process.returncode:
        raise RuntimeError(f"{command} failed:\n{''.join(text for _, text in events)}")
    return Recording(command, COLUMNS, ROWS, events)


def read(terminal: int) -> bytes:
    """Return what was written next; nothing where nobody writes any more."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # as Linux tells it
        return b""


def cast_of(recording: Recording) -> str:
    """Return a recording as a file of asciinema."""
    size = {"width": recording.columns, "height": recording.rows}
    head = json.dumps({"version": 2, **size, "command": recording.command})
    lines = [json.dumps([at, "o", text], ensure_ascii=False) for at, text in recording.events]
    return "\n".join([head, *lines]) + "\n"


def read_cast(path: Path) -> Recording:
    """Read the file of a recording."""
    head, *lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    events = [(at, text) for at, _, text in lines]
    return Recording(head["command"], head["width"], head["height"], events)


class Shown(NamedTuple):
    """A line of the terminal, and from when to when it looks so, in seconds of the picture."""

    number: int
    pieces: tuple[Piece, ...]
    start: float
    end: float


class Play(NamedTuple):
    """What moves: lines that come and go, and the number of the line in the first row."""

    lines: list[Shown]
    tops: list[tuple[float, int]]
    clock: list[tuple[float, float]]
    seconds: float


def play_of(recording: Recording) -> Play:
    """Return what is seen when: as fast as it was, times a number, then the end for a while."""
    speed = recording.speed
    screen = Screen(recording.columns, recording.rows)
    screen.feed(f"\x1b[1m$ {recording.command}\x1b[0m\r\n")
    last = TYPED + recording.seconds / speed
    total = last + END
    open_lines: dict[int, tuple[tuple[Piece, ...], float]] = {}
    lines: list[Shown] = []
    tops, clock = [(0.0, 0)], [(0.0, 0.0)]

    def look(at: float) -> None:
        seen = screen.seen()
        for number in set(seen) | {n for n in open_lines if n >= screen.top}:
            before, since = open_lines.get(number, ((), at))
            now = seen.get(number, ())
            if now != before:
                if before:
                    lines.append(Shown(number, before, since, at))
                open_lines[number] = (now, at)
        if screen.top != tops[-1][1]:
            tops.append((at, screen.top))

    look(0.0)
    shown = 0.0
    for index, (seconds, written) in enumerate(recording.events):
        screen.feed(written)
        at = TYPED + seconds / speed
        # What is written over at once is not looked at.
        following = [seconds for seconds, _ in recording.events[index + 1 : index + 2]]
        if not following or TYPED + following[0] / speed - shown >= EVERY:
            look(at)
            clock.append((at, seconds))
            shown = at
    lines += [Shown(n, now, since, total) for n, (now, since) in open_lines.items() if now]
    return Play(sorted(lines, key=lambda line: (line.number, line.start)), tops, clock, total)


def svg_of(recording: Recording, title: str) -> str:
    """Return a recording as an animated picture; its title is read to those who do not see it."""
    play = play_of(recording)
    width = 2 * PADDING + CELL * recording.columns
    height = BAR + LINE * recording.rows + PADDING
    rules: list[str] = []
    lines = [line_of(shown, play.seconds, rules) for shown in play.lines]
    clock = clock_of(play, width - PADDING, rules)
    rules.append(scrolling(play))
    note = f"{recording.seconds:.0f} seconds"
    if recording.speed > 1:
        note += f", shown {recording.speed:g} times as fast"
    dots = "".join(
        f'<circle cx="{PADDING + 4 + 18 * i:g}" cy="{BAR / 2:g}" r="5.5" fill="{FRAME}"/>'
        for i in range(3)
    )
    inside = f'y="{BAR:g}" width="{width:g}" height="{LINE * recording.rows:g}"'
    return (
        "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
                f'width="{width:g}" height="{height:g}" font-family="{FONT}" font-size="{SIZE}">',
                f"<title>{escape(title)}</title>",
                f"<style>{style_of(play, rules)}</style>",
                f'<rect x=".5" y=".5" width="{width - 1:g}" height="{height - 1:g}" rx="9" '
                f'fill="{PAPER}" stroke="{FRAME}"/>',
                dots,
                f'<text x="{width / 2:g}" y="{BAR / 2 + 4:g}" text-anchor="middle" '
                f'font-size="12.5" class="dim">{note}</text>',
                *clock,
                f'<svg {inside} overflow="hidden"><g class="m all">',
                *lines,
                "</g></svg>",
                "</svg>",
            ]
        )
        + "\n"
    )


def style_of(play: Play, rules: Sequence[str]) -> str:
    """Return the style sheet: what stays at the end, and the movement for those who want it."""
    first = f"animation:{play.seconds:.2f}s step-end {FIRST - play.seconds:.2f}s infinite"
    colours = "".join(f".{name}{{fill:{ink}}}" for name, ink in INKS.items())
    return (
        f"text{{fill:{INK};white-space:pre}}{colours}.bold{{font-weight:700}}"
        f".dim{{fill:{QUIET}}}.gone{{visibility:hidden}}"
        f".all{{transform:translateY({-LINE * play.tops[-1][1]:g}px)}}"
        "@media (prefers-reduced-motion:no-preference){"
        f".m{{{first}}}{''.join(rules)}}}"
    )


def line_of(shown: Shown, seconds: float, rules: list[str]) -> str:
    """Return a line as a group of texts, and add the rule of when it is seen."""
    y = LINE * shown.number + LINE - 5
    texts = "".join(text_of(piece, y) for piece in shown.pieces)
    return f"<g{seen_between(shown.start, shown.end, seconds, rules)}>{texts}</g>"


def seen_between(start: float, end: float, seconds: float, rules: list[str]) -> str:
    """Return the attribute of what is seen from start to end, and add its rule."""
    if start <= 0 and end >= seconds:
        return ""
    name = f"s{len(rules)}"
    steps = [(0.0, "hidden")] if start > 0 else []
    steps += [(start, "visible"), *([(end, "hidden")] if end < seconds else [])]
    frames = "".join(f"{100 * at / seconds:.2f}%{{visibility:{look}}}" for at, look in steps)
    rules.append(f".{name}{{animation-name:{name}}}@keyframes {name}{{{frames}}}")
    return f' class="m {name}{" gone" if end < seconds else ""}"'


def text_of(piece: Piece, y: float) -> str:
    """Return a piece as text that is as wide as its columns, whatever the font."""
    words = {"bold": piece.style.is_bold, "dim": piece.style.is_dim}
    names = [piece.style.colour, *(word for word, holds in words.items() if holds)]
    look = " ".join(name for name in names if name)
    at = f'x="{PADDING + CELL * piece.column:.1f}" y="{y:g}"'
    wide = f'textLength="{CELL * len(piece.text):.1f}" lengthAdjust="spacingAndGlyphs"'
    named = f' class="{look}"' if look else ""
    return f"<text {at} {wide}{named}>{escape(piece.text).replace(' ', '&#160;')}</text>"


def clock_of(play: Play, x: float, rules: list[str]) -> list[str]:
    """Return the seconds that went by, each number when it holds."""
    texts: list[str] = []
    ends = [at for at, _ in play.clock[1:]] + [play.seconds]
    whole: list[tuple[int, float, float]] = []
    for (start, seconds), end in zip(play.clock, ends, strict=True):
        if whole and whole[-1][0] == int(seconds):
            whole[-1] = (whole[-1][0], whole[-1][1], end)
        else:
            whole.append((int(seconds), start, end))
    for number, start, end in whole:
        seen = seen_between(start, end, play.seconds, rules)
        at = f'x="{x:g}" y="{BAR / 2 + 4:g}" text-anchor="end" font-size="12.5" class="dim"'
        texts.append(f"<g{seen}><text {at}>{number} s</text></g>")
    return texts


def scrolling(play: Play) -> str:
    """Return the rule that moves all lines up when the screen is full."""
    frames = "".join(
        f"{100 * at / play.seconds:.2f}%{{transform:translateY({-LINE * top:g}px)}}"
        for at, top in play.tops
    )
    return f".all{{animation-name:all}}@keyframes all{{{frames}}}"
