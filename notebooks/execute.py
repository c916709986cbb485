"""Run the tutorial from top to bottom and keep its outputs: python notebooks/execute.py

What it trains goes to a temporary folder, so that nothing is found trained already. No times are
kept, which would differ from one execution to the next.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

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


def main() -> None:
    """Execute the tutorial in place."""
    notebook = nbformat.read(PATH, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        notebook = executed(notebook, folder)
    nbformat.validate(notebook)
    nbformat.write(notebook, PATH)
    print(f"{PATH.name}: {PATH.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
