"""From the repository's pages to those of the site: links, files, docstrings, and the crawl."""

from __future__ import annotations

import ast
import doctest
import html
import importlib
import inspect
import json
import re
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from markdown_it import MarkdownIt
from running import ROOT

FOLDER = ROOT / "docs" / "site"
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md"))


@pytest.fixture(autouse=True)
def _scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the scripts be found, as where one of them is run."""
    monkeypatch.setattr(sys, "path", [str(FOLDER), *sys.path])


@pytest.fixture
def stage(tmp_path: Path) -> object:
    return importlib.import_module("staging").Stage(tmp_path)


def crawl() -> ModuleType:
    return importlib.import_module("crawl")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a](../README.md#a-tour)", "[a](../index.md#a-tour)"),
        ("[a](data.md#large-data)", "[a](data.md#large-data)"),
        ("[a](https://x.org/a) [b](#b)", "[a](https://x.org/a) [b](#b)"),
        ("[`f`](../conf/optim/sgd.yaml)", "[`f`](../files/conf/optim.md#sgdyaml)"),
        ("[a](../conf/experiment)", "[a](../files/conf/experiment.md)"),
        ("[a](../LICENSE)", "[a](../files/index.md#license)"),
        ("`[a](../LICENSE)`", "`[a](../LICENSE)`"),
        ("```\n[a](../LICENSE)\n```\n[b](../LICENSE)", None),
        ('![a](activations.svg "b")', '![a](activations.svg "b")'),
        ('<a href="data.md#x">', '<a href="data.html#x">'),
        ('<a href="../LICENSE">', '<a href="../files/index.html#license">'),
    ],
)
def test_a_link_leads_to_the_same_in_the_site(
    stage: object, text: str, expected: str | None
) -> None:
    if expected is None:
        expected = "```\n[a](../LICENSE)\n```\n[b](../files/index.md#license)"
    assert stage.mended(text, "docs/training.md") == expected


def test_pictures_come_along_to_where_markdown_or_html_asks_for_them(
    stage: object, tmp_path: Path
) -> None:
    text = '![a](activations.svg)\n<source srcset="activations.svg 1x, activations.svg 2x">'
    assert stage.mended(text, "docs/training.md") == text
    for place in ("pages", "as_it_is"):
        assert (tmp_path / place / "docs" / "activations.svg").is_file()


def test_a_notebooks_anchors_become_those_of_headings(stage: object) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["[1](#1-A:-b-c) ", "[2](../README.md)"]},
        {"cell_type": "code", "source": ["x = [1](#A:)"]},
    ]
    mended = json.loads(stage.mended_notebook(json.dumps({"cells": cells}), "notebooks/a.ipynb"))
    assert mended["cells"][0]["source"] == "[1](#1-a-b-c) [2](../index.md)"
    assert mended["cells"][1]["source"] == ["x = [1](#A:)"]


def test_every_page_is_there_once_and_in_the_order_of_readme(stage: object, tmp_path: Path) -> None:
    stage.write(["live/index.md"], [], ["reference/index.md"])
    index = (tmp_path / "pages" / "index.md").read_text(encoding="utf-8")
    listed = index.partition("```{toctree}")[2].split()
    found = [f"{name}.md" for name in listed if name.startswith("docs/")]
    assert sorted(found) == PAGES
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert found == sorted(PAGES, key=lambda page: readme.index(f"]({page})"))
    assert [name for name in listed if "/" in name or name.isupper()][-2:] == [
        "CONTRIBUTING",
        "CHANGELOG",
    ]


def test_a_file_is_shown_as_it_is_below_its_name(stage: object, tmp_path: Path) -> None:
    stage.link("../conf/optim/sgd.yaml", "docs/data.md")
    stage.link("../conf/optim/adam.yaml", "docs/data.md")
    stage.write([], [], [])
    page = (tmp_path / "pages" / "files" / "conf" / "optim.md").read_text(encoding="utf-8")
    text = (ROOT / "conf" / "optim" / "sgd.yaml").read_text(encoding="utf-8")
    assert f"## sgd.yaml\n\n``````yaml\n{text}``````\n" in page
    assert page.index("## adam.yaml") < page.index("## sgd.yaml")


def page(body: str) -> str:
    return f"<!doctype html><title>t</title>{body}"


def test_the_crawl_finds_what_leads_nowhere_and_what_another_host_would_give(
    tmp_path: Path,
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b c.png").write_bytes(b"")
    (tmp_path / "a" / "index.html").write_text(page('<h1 id="top">x</h1>'), encoding="utf-8")
    good = [
        '<a href="a/#top">',
        '<a href="a/index.html?q=1#top">',
        '<img src="a/b%20c.png">',
        '<source srcset="a/b%20c.png 2x">',
        '<a href="https://pytorch.org">',
        '<a href="#here" id="here">',
        '<a href="mailto:a@b.c">',
        '<img src="data:image/png;base64,AA==">',
    ]
    bad = {
        '<a href="b.html">': "no such file",
        '<a href="a/index.html#bottom">': "no such anchor",
        '<a href="#there">': "no such anchor",
        '<img src="a/c.png">': "no such file",
        '<source srcset="a/b%20c.png 1x, a/c.png 2x">': "no such file",
        '<script src="https://cdn.net/x.js"></script>': "from another host",
        '<link rel="stylesheet" href="//cdn.net/x.css">': "from another host",
    }
    (tmp_path / "index.html").write_text(page("".join(good)), encoding="utf-8")
    assert crawl().mistakes_of(tmp_path) == []
    (tmp_path / "index.html").write_text(page("".join([*good, *bad])), encoding="utf-8")
    found = crawl().mistakes_of(tmp_path)
    assert [line.rpartition(": ")[2] for line in found] == list(bad.values())


@pytest.mark.parametrize(
    "text",
    [
        "a * b * c",
        "x_ and _a_ and a_b",
        "[a](b)",
        "a < b > c",
        "$a$",
        "C:\\x",
        "# a",
        "= b",
        "a | b",
    ],
)
def test_signs_of_a_docstring_mean_themselves(text: str) -> None:
    made = importlib.import_module("docstrings").as_markdown(text)
    assert html.unescape(re.sub(r"<[^>]+>", "", MarkdownIt().render(made))).strip() == text


def test_code_formulas_examples_and_sections_of_a_docstring_are_set_apart() -> None:
    text = "Of `a * b`.\n\ny = a * x\nz = y_\n\nWith a = 1 it is x.\n\nArgs:\n    x: a\n        b.\n\n>>> 1\n1"
    made = importlib.import_module("docstrings").as_markdown(text)
    blocks = MarkdownIt().parse(made)
    assert [b.content for b in blocks if b.type == "fence"] == ["y = a * x\nz = y_\n", ">>> 1\n1\n"]
    lines = [b.content for b in blocks if b.type == "inline"]
    assert lines == ["Of `a * b`.", "With a = 1 it is x.", "**Args**", "`x`: a b."]


def test_a_signature_is_that_of_python() -> None:
    reference = importlib.import_module("reference")
    text = "def f(a: int, /, b=1, *c: str, d: float = 2.0, **e) -> None: ...\n"
    node = ast.parse(text).body[0]
    made = reference.signature(node).removeprefix("```python\n").removesuffix("\n```")
    spaces: dict = {}
    exec(f"from __future__ import annotations\n{text}", spaces)
    assert made == f"def f{inspect.signature(spaces['f'])}".replace("'", "")
    long = text.replace("b=1", f"{'b' * 80}=1")
    lines = reference.signature(ast.parse(long).body[0]).split("\n")
    assert lines[1:5] == ["def f(", "    a: int,", "    /,", f"    {'b' * 80}=1,"]


def test_every_public_class_function_and_module_is_in_the_reference(
    stage: object, tmp_path: Path
) -> None:
    importlib.import_module("reference").write_reference(stage)
    texts = {p.stem: p.read_text() for p in (tmp_path / "pages" / "reference").glob("*.md")}
    for path in (ROOT / "src" / "experiments").rglob("*.py"):
        name = ".".join(path.relative_to(ROOT / "src").with_suffix("").parts)
        text = texts[name.rpartition(".")[0]]
        module = ast.parse(path.read_text(encoding="utf-8"))
        for node in module.body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node):
                is_there = f"\n### {node.name}\n" in text
                assert is_there is not node.name.startswith("_"), f"{name}.{node.name}"


@pytest.mark.parametrize("name", ["staging", "docstrings"])
def test_examples_hold(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert (failed, tried > 0) == (0, True)


def test_the_extra_is_what_the_tests_have() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert set(extras["site"]) <= set(extras["dev"])
