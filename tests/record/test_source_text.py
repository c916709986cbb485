"""A class that cannot be imported counts by its text, and by all that this leads to."""

from __future__ import annotations

import linecache
from collections.abc import Callable
from typing import Any

import pytest

from experiments.record.code import code_of
from experiments.record.source_text import importable_path, source_text

Defined = Callable[[str], dict[str, Any]]

NET = '''
import json
from torch import nn

DEPTH = 2
UNUSED = 1

def scaled(x):
    return x * DEPTH

class Base:
    def forward(self, x):
        return x

class Net(Base):
    """A network."""

    gain = 0.5

    def __init__(self, width=4):
        self.width = width  # of the layer

    def forward(self, x):
        UNUSED = json.dumps(x)
        return scaled(nn.functional.relu(x)) + self.gain
'''


@pytest.fixture
def defined() -> Defined:
    """Return a function that runs a text as a cell of a notebook is run."""

    def call(text: str) -> dict[str, Any]:
        name = f"<cell {len(linecache.cache)}>"
        linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(text, name, "exec"), names)
        return names

    return call


def hash_of(names: dict[str, Any], name: str = "Net") -> str:
    return source_text(names[name]).hash


def test_what_any_process_imports_has_a_path(defined: Defined) -> None:
    class Local:
        pass

    assert importable_path(code_of) == "experiments.record.code.code_of"
    assert importable_path(linecache.getline) == "linecache.getline"
    for target in (Local, lambda: 1, defined(NET)["Net"], Local.__init__):
        assert importable_path(target) is None


def test_one_that_was_replaced_in_its_module_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = linecache.getline
    monkeypatch.setattr(linecache, "getline", linecache.getlines)
    assert importable_path(earlier) is None


def test_the_same_text_is_the_same(defined: Defined) -> None:
    first = hash_of(defined(NET))
    assert hash_of(defined(NET)) == first
    assert hash_of(defined("# elsewhere\n\n" + NET)) == first
    silent = NET.replace('    """A network."""\n', "").replace("  # of the layer", "")
    assert hash_of(defined(silent)) == first
    assert hash_of(defined(NET.replace("UNUSED = 1", "UNUSED = 2"))) == first


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("self.width = width", "self.width = 2 * width"),
        ("width=4", "width=5"),
        ("gain = 0.5", "gain = 0.25"),
        ("DEPTH = 2", "DEPTH = 3"),
        ("return x * DEPTH", "return DEPTH + x"),
        ("        return x\n", "        return -x\n"),
        ("relu", "gelu"),
        ("class Net(Base)", "class Net"),
    ],
)
def test_another_text_is_another(defined: Defined, said: str, instead: str) -> None:
    assert said in NET
    assert hash_of(defined(NET)) != hash_of(defined(NET.replace(said, instead)))


def test_a_lambda_is_its_own_words_and_not_those_of_its_line(defined: Defined) -> None:
    a, b, c, d = (
        source_text(defined(text)["f"]).hash
        for text in (
            "f, other = lambda x: x + 1, lambda x: x + 2",
            "f = (lambda x:\n    x + 1)\nseed = 3",
            "other, f = lambda x: x + 1, lambda x: x + 2",
            "f = lambda x: x + 2",
        )
    )
    assert a == b != c == d


def test_what_a_function_encloses_counts(defined: Defined) -> None:
    text = "def made(width):\n    class Net:\n        def f(self):\n            return width\n"
    names = defined(text + "    return Net\n")
    two, three = (source_text(names["made"](width)).hash for width in (2, 3))
    assert two != three
    assert source_text(names["made"](2)).hash == two


def test_without_a_text_the_bytecode_counts() -> None:
    def typed(text: str) -> str:
        names: dict[str, Any] = {"__name__": "__main__"}
        exec(text, names)
        return source_text(names["f"]).hash

    assert typed("f = lambda x: x + 1") == typed("f = lambda x: x + 1")
    assert typed("f = lambda x: x + 1") != typed("f = lambda x: x + 2")
    assert typed("f = lambda x: x + 1") != typed("f = lambda x: x - 1")


def test_the_modules_that_it_leads_to_are_told(defined: Defined) -> None:
    modules = source_text(defined(NET)["Net"]).modules
    assert {"json", "torch.nn"} <= modules
    assert "__main__" not in modules


def test_what_refers_to_itself_ends(defined: Defined) -> None:
    text = "def even(n):\n    return odd(n - 1)\ndef odd(n):\n    return even(n - 1)\n"
    assert hash_of(defined(text), "even") != hash_of(defined(text), "odd")
