"""What docs/own.md shows of code of one's own, and what it tells people to type with that."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from running import ROOT

PAGE = (ROOT / "docs" / "own.md").read_text(encoding="utf-8")


def blocks_of(text: str, kind: str = "") -> list[str]:
    """Return the blocks of a page that are marked as of one kind."""
    every = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [block for word, block in every if word == kind]


def other_parts() -> list[list[str]]:
    """Write one part of each kind as the page shows it, and return the words of the commands that
    choose them all.
    """
    section = PAGE.partition("## The other parts")[2].partition("\n## ")[0]
    [code], [files] = blocks_of(section, "python"), blocks_of(section, "yaml")
    Path("parts.py").write_text(code)
    for path, text in re.findall(r"^# (conf/\S+)\n((?:[^#\n].*\n)+)", files, re.MULTILINE):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    [typed] = blocks_of(section)
    return [shlex.split(line)[1:] for line in typed.splitlines()]
