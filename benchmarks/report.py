"""What every benchmark does with its figures: print and keep them, with versions and hardware."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

MEASURED = Path(__file__).resolve().parents[1] / "outputs" / "benchmarks"
"""Where figures of one's own machine lie; `benchmarks/table.py` publishes them, with the pages."""


def spread(values: list[float], digits: int = 2) -> str:
    """Return `median [lowest, highest]`."""
    numbers = statistics.median(values), min(values), max(values)
    middle, low, high = (f"{number:.{digits}f}" for number in numbers)
    return f"{middle} [{low}, {high}]"


def ratios(values: list[float], reference: list[float]) -> list[float]:
    """Return value over reference, each pair measured one after the other."""
    return [value / other for value, other in zip(values, reference, strict=True)]


def keep(name: str, figures: dict[str, Any], threads: dict[str, int]) -> None:
    """Write outputs/benchmarks/NAME.json."""
    from experiments.record.host import num_cores
    from experiments.training.devices import environment

    known = environment("cpu", 1, 0)
    report = {
        **figures,
        "versions": known["versions"],
        "device": known["device"],
        "cores": num_cores(),
        "threads": threads,
    }
    MEASURED.mkdir(parents=True, exist_ok=True)
    path = MEASURED / f"{name}.json"
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"Kept in {path}. To publish it: python benchmarks/table.py")
