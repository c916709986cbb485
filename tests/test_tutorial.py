"""The tutorial runs from top to bottom, and every claim in it holds."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from running import ROOT

PATH = ROOT / "notebooks" / "tutorial.ipynb"
NOTEBOOK = nbformat.read(PATH, as_version=4)
TEXT = "\n\n".join(cell.source for cell in NOTEBOOK.cells if cell.cell_type == "markdown")
STRICT = "import warnings\n\nwarnings.simplefilter('error')"


def test_the_lectures_order() -> None:
    heads = [line[3:] for line in TEXT.splitlines() if line.startswith("## ")]
    numbers = [int(head.split()[0]) for head in heads]
    assert numbers == list(range(1, 13))


def test_it_is_small_and_knows_no_machine() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert len(text) < 500_000
    assert not re.findall(r"/(?:home|root|tmp|Users|work)/", text)


def test_claims_are_asserted() -> None:
    code = [cell.source for cell in NOTEBOOK.cells if cell.cell_type == "code"]
    assert sum(source.count("assert ") for source in code) >= 30


def test_what_it_imports_is_there() -> None:
    code = "\n".join(cell.source for cell in NOTEBOOK.cells if cell.cell_type == "code")
    imports = [line for line in code.splitlines() if line.startswith("from experiments")]
    assert imports
    exec("\n".join(imports), {})


def shapes_of(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """Return the kinds of outputs of each cell, streams that follow each other as one."""
    kinds = [[out.output_type for out in cell.get("outputs", [])] for cell in notebook.cells]
    return [[one for one, _ in itertools.groupby(each)] for each in kinds]


@pytest.mark.slow
def test_it_runs_from_top_to_bottom(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir(exist_ok=True)  # $HOME, of which IPython wants that it is there
    notebook = nbformat.read(PATH, as_version=4)
    strict = nbformat.v4.new_code_cell(STRICT)
    notebook.cells.insert(2, strict)  # after the imports, whose warnings are others' own
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()  # raises CellExecutionError where an assert fails
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    assert not [out for out in outputs if out.output_type == "error"]
    # In a home without caches matplotlib may say that it builds one.
    errors = [out.text for out in outputs if out.get("name") == "stderr"]
    assert not [text for text in errors if "font cache" not in text]
    pictures = [out for out in outputs if "image/png" in out.get("data", {})]
    assert len(pictures) >= 3
    del notebook.cells[2]
    assert shapes_of(notebook) == shapes_of(NOTEBOOK), "type python notebooks/execute.py"
