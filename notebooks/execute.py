"""Run the tutorial from top to bottom and keep its outputs: python notebooks/execute.py

What it trains goes to a temporary folder, so that nothing is found trained already. No times are
kept, which would differ from one execution to the next.
"""

from __future__ import annotations

import base64
import io
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

PATH = Path(__file__).resolve().parent / "tutorial.ipynb"


def executed(notebook: nbformat.NotebookNode, folder: str) -> nbformat.NotebookNode:
    """Return the notebook with its outputs; CellExecutionError where a cell fails."""
    resources = {"metadata": {"path": folder}}
    client = NotebookClient(
        notebook, resources=resources, timeout=300, record_timing=False, coalesce_streams=True
    )
    client.execute()
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    return notebook


def with_smaller_pictures(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Give each picture a palette of 128 colours, which takes less than half of the bytes."""
    for output in (output for cell in notebook.cells for output in cell.get("outputs", [])):
        data = output.get("data", {})
        if "image/png" in data:
            picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
            kept = io.BytesIO()
            picture.quantize(128, dither=Image.Dither.NONE).save(kept, "PNG", optimize=True)
            data["image/png"] = base64.b64encode(kept.getvalue()).decode()
    return notebook


def main() -> None:
    """Execute the tutorial in place."""
    notebook = nbformat.read(PATH, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        notebook = with_smaller_pictures(executed(notebook, folder))
    nbformat.validate(notebook)
    nbformat.write(notebook, PATH)
    print(f"{PATH.name}: {PATH.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
