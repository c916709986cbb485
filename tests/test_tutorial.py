"""The tutorial runs from top to bottom, and every claim in it holds."""

from __future__ import annotations

import base64
import io
import itertools
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image
from running import ROOT

PATH = ROOT / "notebooks" / "tutorial.ipynb"
NOTEBOOK = nbformat.read(PATH, as_version=4)
TEXT = "\n\n".join(cell.source for cell in NOTEBOOK.cells if cell.cell_type == "markdown")
CODE = [cell.source for cell in NOTEBOOK.cells if cell.cell_type == "code"]
NUM_PICTURES = 16
STRICT = "import warnings\n\nwarnings.simplefilter('error')"


def test_the_lectures_order() -> None:
    heads = [line[3:] for line in TEXT.splitlines() if line.startswith("## ")]
    numbers = [int(head.split()[0]) for head in heads]
    assert numbers == list(range(1, 13))


def test_it_is_small_and_knows_no_machine() -> None:
    text = PATH.read_text(encoding="utf-8")
    assert len(text) < 600_000
    assert not re.findall(r"/(?:home|root|tmp|Users|work)/", text)


def pictures_in(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    return [out for out in outputs if "image/png" in out.get("data", {})]


def test_claims_are_asserted() -> None:
    assert sum(source.count("assert ") for source in CODE) >= 30


def test_it_shows_more_than_it_asserts() -> None:
    cells = [
        cell for cell in NOTEBOOK.cells if "assert " in cell.source and cell.cell_type == "code"
    ]
    silent = [cell.id for cell in cells if not cell.outputs]
    assert len(silent) <= len(cells) / 4, silent
    for picture in pictures_in(NOTEBOOK):
        image = Image.open(io.BytesIO(base64.b64decode(picture["data"]["image/png"])))
        assert image.width >= 280
        assert np.asarray(image.convert("L")).std() > 5  # not one colour


def test_what_a_beginner_needs_of_torch_is_there() -> None:
    code = "\n".join(CODE)
    for call in (".to(device)", ".train(", "torch.save(", "torch.load(", "weights_only=True"):
        assert call in code, call
    assert ".eval()" in TEXT
    for subject in ("learning curve", "loss surface", "What the filters see", "rules on one"):
        assert subject.lower() in f"{TEXT}\n{code}".lower(), subject


def test_what_it_imports_is_there() -> None:
    code = "\n".join(CODE)
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
    assert len(pictures_in(notebook)) >= NUM_PICTURES
    del notebook.cells[2]
    assert shapes_of(notebook) == shapes_of(NOTEBOOK), "type python notebooks/execute.py"
