"""Two runs that are to be the same, bit for bit."""

from __future__ import annotations

from typing import Any

import torch

from experiments.training.load import Run


def saved(run: Run, name: str = "last") -> dict[str, Any]:
    """Return a checkpoint, without what must differ: paths and times."""
    path = run.folder / "checkpoints" / f"{name}.ckpt"
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    callbacks = checkpoint.pop("callbacks")
    checkpoint["history"] = callbacks["History"]
    return checkpoint


def assert_same(one: Any, other: Any, place: str = "") -> None:
    """Fail unless two nested values are equal bit for bit."""
    if isinstance(one, dict):
        assert list(one) == list(other), place
        for key, value in one.items():
            assert_same(value, other[key], f"{place}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), place
        for i, value in enumerate(one):
            assert_same(value, other[i], f"{place}/{i}")
    elif isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype, place
        assert torch.equal(one, other), place
    else:
        assert one == other or one != one, f"{place}: {one} != {other}"


def assert_same_runs(one: Run, other: Run) -> None:
    """Fail unless two runs came to the same, bit for bit."""
    csv = (one.folder / "history.csv").read_text()
    assert csv == (other.folder / "history.csv").read_text()
    for key in ("identity", "status", "metrics", "best_epoch", "epochs", "steps"):
        assert one.record[key] == other.record[key], (
            f"{key}: {one.record[key]} != {other.record[key]}"
        )
    for name in ("last", "best"):
        if (one.folder / "checkpoints" / f"{name}.ckpt").exists():
            assert_same(saved(one, name), saved(other, name), name)
