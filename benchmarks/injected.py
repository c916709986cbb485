"""Faults injected for real, each as often as its line says: what came of them, counted.

    python benchmarks/injected.py [--only WORD] [--share 0.2] [--jobs 3] [--seed 0] [--write]

A case is a fault (a file cut short, a full disk, a server that hangs), what must come of it, and an
attempt: it makes an empty folder its own, injects the fault at a drawn place, and raises
AssertionError where something else came of it. The cases lie in the modules that `PARTS` names.

Whatever trains is forked from this process, which has imported torch: an attempt costs no import.
With --write the table goes into docs/reliability.md, and the counts to
benchmarks/results/injected.json.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from injected_case import Case

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reliability.md"
RESULTS = ROOT / "benchmarks" / "results" / "injected.json"
BEGIN, END = "<!-- injected: begin -->", "<!-- injected: end -->"
PARTS: tuple[str, ...] = (
    "injected_launchers",
    "injected_surroundings",
    "injected_files",
    "injected_disk",
    "injected_wandb",
    "injected_ranks",
)
"""The modules beside this one whose `CASES` are tried."""


@dataclass
class Count:
    """How often a case was tried, and what went wrong."""

    outcome: str
    tried: int = 0
    failed: list[str] = field(default_factory=list)


def cases() -> list[Case]:
    """Return the cases of all parts."""
    return [case for part in PARTS for case in importlib.import_module(part).CASES]


def tried(place: int, share: float, seed: int) -> tuple[str, Count, float]:
    """Try a case a share of its times, each in an empty folder; return what it took, in seconds.

    Args:
        place: of the case among all.
        seed: from which, with the place, its draws are made: who tries it beside changes nothing.
    """
    case, started = cases()[place], time.monotonic()
    rng, count, before = random.Random(f"{seed}, {place}"), Count(case.outcome), Path.cwd()
    tries = max(1, round(share * case.tries))
    for _ in range(tries):
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                case.attempt(random.Random(rng.random()))
            except Exception as error:
                count.failed.append(f"{type(error).__name__}: {error}"[:2000])
            finally:
                os.chdir(before)
        count.tried += 1
    return case.fault, count, time.monotonic() - started


def table(counts: dict[str, Count]) -> str:
    """Return the counts as a table of Markdown."""
    rows = [
        f"| {fault} | {count.outcome} | {count.tried} | {count.tried - len(count.failed)} |"
        for fault, count in counts.items()
    ]
    return "\n".join(
        ["| what happened | what came of it | tried | held |", "|---|---|---|---|", *rows]
    )


def keep(counts: dict[str, Count]) -> None:
    """Write the table into the page, and the counts beside the other results."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{table(counts)}\n{END}{after}", encoding="utf-8")
    values: dict[str, Any] = {fault: vars(count) for fault, count in counts.items()}
    RESULTS.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Try, print, and write where that is asked for; 1 where something else came of a fault."""
    from experiments.sweep.jobs.server import warm_up

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", default="", help="cases whose fault has this in it, a regular expression"
    )
    parser.add_argument("--share", type=float, default=1.0, help="of the tries; at least one each")
    parser.add_argument("--jobs", type=int, default=3, help="cases at once; some only wait")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="into docs/reliability.md")
    given = parser.parse_args(arguments)
    warm_up()
    places = [i for i, case in enumerate(cases()) if re.search(given.only, case.fault)]
    counts: dict[str, Count] = {}
    # Not a multiprocessing.Pool: its processes may have no children, as a run of several has.
    fork = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(given.jobs, mp_context=fork) as pool:
        ways = [pool.submit(tried, place, given.share, given.seed) for place in places]
        for fault, count, seconds in (way.result() for way in ways):
            counts[fault] = count
            said = f"{count.tried - len(count.failed)} of {count.tried}: {fault}"
            print(f"{said} ({seconds:.1f} s)", *count.failed, sep="\n  ", flush=True)
    print(table(counts))
    if given.write:
        keep(counts)
    return 1 if any(count.failed for count in counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
