"""A crawl of the site as it lies on disk: what links lead to, and what other hosts would give."""

from __future__ import annotations

import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

LOADED = {"img", "script", "iframe", "source", "video", "audio", "embed", "object", "link"}
"""Elements of which a browser asks for what they name; a link of text it only follows."""


class Page(HTMLParser):
    """What a page has anchors for, what it leads to, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.targets: list[tuple[str, str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for key, value in attrs:
            if key == "id" or (key == "name" and tag == "a"):
                self.anchors.add(value or "")
            elif key in ("href", "src", "data", "poster") and value is not None:
                self.targets.append((tag, value))
            elif key == "srcset" and value:
                self.targets += [(tag, part.split()[0]) for part in value.split(",")]


def mistakes_of(site: Path) -> list[str]:
    """Return a line for each link that leads nowhere, or that another host would have to give."""
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    mistakes = []
    for path, page in sorted(pages.items()):
        for tag, target in page.targets:
            if reason := mistake(path, tag, target, pages):
                mistakes.append(f"{path.relative_to(site)}: <{tag}> {target}: {reason}")
    return mistakes


def mistake(path: Path, tag: str, target: str, pages: dict[Path, Page]) -> str:
    """Return what is wrong with a target, or nothing."""
    if re.match(r"(https?:)?//", target):
        return "from another host" if tag in LOADED else ""
    if re.match(r"[a-z]+:", target):
        return ""
    name, _, anchor = target.partition("#")
    name = unquote(name.partition("?")[0])
    found = Path(os.path.normpath(path.parent / name)) if name else path
    if found.is_dir():
        found /= "index.html"
    if not found.is_file():
        return "no such file"
    has_anchor = not anchor or found not in pages or unquote(anchor) in pages[found].anchors
    return "" if has_anchor else "no such anchor"
