"""Experiments in deep learning: change one thing, hold the rest fixed, and see whether it mattered.

`train(...)` trains a network or finds it trained, `compare(...)` says of runs whether it mattered,
`draw(...)` shows a picture, `load_run(folder)` reads a run back. All are imported on first use,
because they need torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.comparison.readable_verdict import Verdict
    from experiments.interactive import compare, draw, train
    from experiments.training.load import Run, load_run

PLACES = {
    "Run": "training.load",
    "Verdict": "comparison.readable_verdict",
    "compare": "interactive",
    "draw": "interactive",
    "load_run": "training.load",
    "train": "interactive",
}
__all__ = ["Run", "Verdict", "compare", "draw", "load_run", "train"]


def __getattr__(name: str) -> Any:
    if name in PLACES:
        return getattr(importlib.import_module(f"experiments.{PLACES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
