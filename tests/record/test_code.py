"""Which text somebody's code had: what counts of it, and which modules belong to it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from experiments.record.code import changes, code_of

NET = '''"""A net."""
from layers_of_mine import width
import os

def net(shape):
    """Return it."""
    return width(shape), 1
'''
ALIKE = """

from layers_of_mine import width  # how wide
import os
def net(
    shape,
):

    # both
    return (width(shape), 1)
"""


@pytest.fixture
def text_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write modules, import them anew, and return the code that the first of them leads to."""
    monkeypatch.syspath_prepend(tmp_path)
    names = ("net_of_mine", "layers_of_mine", "box_of_mine", "box_of_mine.inner")

    def text(**files: str) -> dict[str, str]:
        for name, content in files.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)
        for name in names:
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        sys.dont_write_bytecode = True  # else a text of the same second and size would be the old
        importlib.import_module("net_of_mine")
        return code_of(["net_of_mine"])

    before = sys.dont_write_bytecode
    yield text
    sys.dont_write_bytecode = before
    for name in names:
        sys.modules.pop(name, None)


LAYERS = "def width(shape):\n    return shape[0]\n"


def test_only_what_can_change_a_result_counts(text_of) -> None:
    first = text_of(net_of_mine=NET, layers_of_mine=LAYERS)
    assert sorted(first) == ["layers_of_mine", "net_of_mine"]
    assert text_of(net_of_mine=ALIKE) == first
    other = text_of(net_of_mine=NET.replace(", 1", ", 2"))
    assert changes(first, other) == ["net_of_mine"]


def test_what_a_module_imports_of_the_same_author_belongs_to_it(text_of) -> None:
    first = text_of(net_of_mine=NET, layers_of_mine=LAYERS)
    other = text_of(layers_of_mine=LAYERS.replace("[0]", "[-1]"))
    assert changes(first, other) == ["layers_of_mine"]
    inside = {"box_of_mine/__init__": "SIZE = 1\n", "box_of_mine/inner": "from . import SIZE\n"}
    packed = text_of(net_of_mine="import torch, yaml, box_of_mine.inner\n", **inside)
    assert {"box_of_mine", "box_of_mine.inner", "net_of_mine"} < set(packed)
    assert packed["yaml"].startswith("version ")
    assert "torch" not in packed  # its version stands in the record's environment


def test_a_text_that_changes_after_its_import_is_not_what_runs(text_of, tmp_path: Path) -> None:
    first = text_of(net_of_mine=NET, layers_of_mine=LAYERS)
    (tmp_path / "net_of_mine.py").write_text("net = None\n")
    assert code_of(["net_of_mine"]) == first
    importlib.reload(sys.modules["net_of_mine"])
    assert code_of(["net_of_mine"]) != first
