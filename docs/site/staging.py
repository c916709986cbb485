"""Pages of the repository as a folder that Sphinx makes a site of.

The pages stay what they are on GitHub, and lie in the folder as they do in the repository. What a
link leads to beside pages and pictures, a file of `conf/` say, becomes a page that shows it.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from repository import ROOT

PROJECT = ("CONTRIBUTING.md", "CHANGELOG.md")
PICTURES = {".svg", ".png", ".gif", ".jpg", ".jpeg", ".webp"}
LANGUAGES = {".py": "python", ".yaml": "yaml", ".toml": "toml", ".json": "json", ".css": "css"}

CODE = r"^(?P<fence>`{3,}|~{3,}).*?^(?P=fence)[^\n]*$|(?P<ticks>`+)[^`].*?(?<!`)(?P=ticks)(?!`)"
TARGET = r"(?P<before>\]\()(?P<target>[^()\s]+)(?P<after>(?:\s+\"[^\"]*\")?\))"
ATTRIBUTE = r"(?P<name>\b(?:src|srcset|href)=\")(?P<value>[^\"]+)(?P<end>\")"
LINKS = re.compile(rf"{CODE}|{TARGET}|{ATTRIBUTE}", re.MULTILINE | re.DOTALL)
"""Code, which is left alone; links and pictures of Markdown; those of HTML."""


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading.

    >>> slug("1 Motivation: why non-linear")
    '1-motivation-why-non-linear'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


class Stage:
    """Pages for Sphinx, files that the site has as they are, and what all of them lead to."""

    def __init__(self, folder: Path) -> None:
        self.pages_folder, self.as_it_is = folder / "pages", folder / "as_it_is"
        self.as_it_is.mkdir(parents=True)
        self.shown: dict[str, set[str]] = {}
        """Names of the files that a page of each folder has to show."""
        names = [*ROOT.glob("docs/*.md"), *ROOT.glob("notebooks/*.ipynb")]
        self.pages = [path.relative_to(ROOT).as_posix() for path in sorted(names)]
        self.pages += PROJECT

    def put(self, name: str, text: str, is_whole: bool = False) -> None:
        """Write a page, which is whole where nothing is to be made of it."""
        path = (self.as_it_is if is_whole else self.pages_folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def copy(self, name: str, is_raw: bool = False) -> None:
        """Copy a picture to its place; one that HTML names, of which Sphinx knows nothing."""
        path = (self.as_it_is if is_raw else self.pages_folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, path)

    def write(self, *others: Iterable[str]) -> None:
        """Write all pages of the repository, with a table of contents that has the others too."""
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        index = self.mended(readme, "README.md")
        self.put("index.md", index + self.contents(readme, *others))
        for page in self.pages:
            text = (ROOT / page).read_text(encoding="utf-8")
            mend = self.mended_notebook if page.endswith(".ipynb") else self.mended
            self.put(page, mend(text, page))
        for folder, names in sorted(self.shown.items()):
            self.put(f"files/{folder or 'index'}.md", files_page(folder, names))

    def contents(self, readme: str, *others: Iterable[str]) -> str:
        """Return the tables of contents: pages in README's order, which leads to all of them."""
        guide = [page for page in self.pages if page.startswith("docs/")]
        guide.sort(key=lambda page: (readme.find(f"]({page})") % (len(readme) + 1), page))
        books = [page for page in self.pages if page.endswith(".ipynb")]
        live, reports, reference = (list(pages) for pages in others)
        return "".join(
            [
                contents_of("Pages", guide),
                contents_of("To look at", [*books, *live, *reports]),
                contents_of("Reference", reference),
                contents_of("The project", PROJECT),
            ]
        )

    def mended(self, text: str, page: str) -> str:
        """Return a page with each link as it is in the site."""

        def link(found: re.Match[str]) -> str:
            if found["target"]:
                return f"{found['before']}{self.link(found['target'], page)}{found['after']}"
            if found["value"]:
                return f"{found['name']}{self.raw(found['value'], page)}{found['end']}"
            return found[0]

        return LINKS.sub(link, text)

    def mended_notebook(self, text: str, page: str) -> str:
        """Return a notebook with each link mended; Jupyter's anchors are headings with hyphens."""
        book = json.loads(text)
        for cell in book["cells"]:
            if cell["cell_type"] == "markdown":
                source = re.sub(
                    r"\]\(#([^()\s]+)\)",
                    lambda found: f"](#{slug(found[1])})",
                    "".join(cell["source"]),
                )
                cell["source"] = self.mended(source, page)
        return json.dumps(book)

    def link(self, target: str, page: str) -> str:
        """Return where a link of Markdown leads in the site; pictures come along."""
        path, mark, anchor = target.partition("#")
        if not path or re.match(r"[a-z]+:", path):
            return target
        name = in_repository(path, page)
        if name == "README.md":
            return relative("index.md", page) + mark + anchor
        if name in self.pages:
            return target
        if Path(name).suffix in PICTURES:
            self.copy(name)
            return path
        return self.file(name, page)

    def raw(self, value: str, page: str) -> str:
        """Return an attribute of HTML, which Sphinx hands on as it is, with what it names."""

        def one(target: str) -> str:
            path, _, _ = target.partition("#")
            if not path or re.match(r"[a-z]+:", path):
                return target
            name = in_repository(path, page)
            if Path(name).suffix in PICTURES:
                self.copy(name, is_raw=True)
                return target
            return re.sub(r"\.(md|ipynb)(?=#|$)", ".html", self.link(target, page), count=1)

        # Of a srcset the first word of each part.
        return re.sub(r"(^|,\s*)([^\s,]+)", lambda found: found[1] + one(found[2]), value)

    def file(self, name: str, page: str) -> str:
        """Return a link to the page that shows a file, or all files of a folder."""
        path = ROOT / name
        if path.is_dir():
            names = {file.name for file in path.iterdir() if file.is_file()}
            folder, anchor = name, ""
        else:
            folder, names = posixpath.dirname(name), {path.name}
            anchor = f"#{slug(path.name)}"
        self.shown.setdefault(folder, set()).update(names)
        return relative(f"files/{folder or 'index'}.md", page) + anchor


def in_repository(path: str, page: str) -> str:
    """Return what a page's relative path names, from the repository's folder."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), path))


def relative(target: str, page: str) -> str:
    """Return the path to a page from another one."""
    return posixpath.relpath(target, posixpath.dirname(page) or ".")


def contents_of(caption: str, pages: Iterable[str]) -> str:
    """Return a table of contents, which the site shows at its side."""
    names = "\n".join(os.path.splitext(page)[0] for page in pages)
    return f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{names}\n```\n"


def files_page(folder: str, names: set[str]) -> str:
    """Return the page that shows files of a folder, each below its name."""
    lines = ["---", "orphan: true", "---", f"# {folder or '.'}/", ""]
    for name in sorted(names):
        path = ROOT / folder / name
        text, language = path.read_text(encoding="utf-8"), LANGUAGES.get(path.suffix, "none")
        lines += [f"## {name}", "", f"``````{language}", text.rstrip(), "``````", ""]
    return "\n".join(lines)
