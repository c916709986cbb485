"""By which test pairs are judged: the one that stood in the sweep's file before its first run."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.comparison.declared import before_the_runs, first_starts
from experiments.comparison.reading import Reading
from experiments.config.schema import DUNNETT, SIGN_FLIP, TESTS
from experiments.errors.error_table import TABLE
from experiments.errors.messages import check_choice
from experiments.errors.wording import listed

UNSAID = {"test": SIGN_FLIP, **dict.fromkeys(("allow", "until", "looks", "spending"))}
"""What a declaration means that has not said it, as those of before could not."""


def test_of(reading: Reading, typed: str | None, factor: Sequence[str]) -> tuple[str, str | None]:
    """Return the test that every sweep declared before its runs, and what is said of another.

    Runs of no sweep, or of sweeps that declared different ones, have the exact test, which needs
    no declaration: it assumes nothing that could be chosen by its result.
    """
    if typed is not None:
        check_choice("test", typed, TESTS)
    began = first_starts(reading.runs)
    said = {sweep: entries for sweep, entries in reading.declarations.items() if entries}
    tests = {
        before_the_runs(entries, began.get(sweep)).get("test", SIGN_FLIP)
        for sweep, entries in said.items()
    }
    is_declared = began.keys() <= said.keys() and len(tests) == 1
    test = tests.pop() if is_declared else SIGN_FLIP
    last = {entries[-1].get("test", SIGN_FLIP) for entries in said.values()}
    others = sorted((({typed} if typed else set()) | last | tests) - {test})
    if test == DUNNETT and len(factor) > 1:
        return SIGN_FLIP, TABLE["pooled_factors"]
    if not others:
        return test, None
    how = "was declared before the runs" if is_declared else "needs no declaration"
    return test, TABLE["late_test"].format(
        given=listed(others), first=others[0], test=test, how=how
    )
