"""A verdict as data that reads in a prompt as compare.py prints it, and in a notebook as tables."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments.comparison.compare import write_files
from experiments.comparison.mean_curves import Curves
from experiments.comparison.report.table_files import markdown_of
from experiments.comparison.report.terminal import print_verdict

WIDTH = 100


class Verdict(Mapping[str, Any]):
    """What verdict.json of a report holds, by its keys: `verdict["headline"]`, `verdict["tasks"]`.

    Args:
        values: of the verdict, plain.
        curves: of its runs, for the pictures of the report.
    """

    def __init__(self, values: Mapping[str, Any], curves: Sequence[Curves]) -> None:
        self.values_by_key, self.curves = dict(values), curves

    def __getitem__(self, key: str) -> Any:
        return self.values_by_key[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_by_key)

    def __len__(self) -> int:
        return len(self.values_by_key)

    @property
    def sentences(self) -> list[str]:
        """What is decided, by how much, and what is not."""
        return [str(sentence) for sentence in self["headline"]]

    def write(self, folder: str | Path) -> Path:
        """Write the report and all beside it into a folder, as compare.py does; return its page."""
        write_files(self.values_by_key, self.curves, Path(folder))
        return Path(folder) / "report.html"

    def __repr__(self) -> str:
        text = io.StringIO()
        print_verdict(self, Console(file=text, width=WIDTH, color_system=None))
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())

    def _repr_markdown_(self) -> str:
        return markdown_of(self.values_by_key).partition("\n\n")[2]  # without its name as a title
