"""What every benchmark does with its figures: print and keep them, with versions and hardware."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def spread(values: list[float], digits: int = 2) -> str:
    """Return `median [lowest, highest]`."""
    numbers = statistics.median(values), min(values), max(values)
    middle, low, high = (f"{number:.{digits}f}" for number in numbers)
    return f"{middle} [{low}, {high}]"


def ratios(values: list[float], reference: list[float]) -> list[float]:
    """Return value over reference, each pair measured one after the other."""
    return [value / other for value, other in zip(values, reference, strict=True)]


def keep(name: str, figures: dict[str, Any], threads: dict[str, int]) -> None:
    """Write results/NAME.json."""
    from experiments.cores import num_cores
    from experiments.hardware import environment

    known = environment("cpu", 1, 0)
    report = {
        **figures,
        "versions": known["versions"],
        "device": known["device"],
        "cores": num_cores(),
        "threads": threads,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
