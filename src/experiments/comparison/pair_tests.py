"""The tests by which pairs can be judged, each with the words for its numbers; all in one table.

A task of the verdict says which one spoke (`task["test"]`); of a design the declared one is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.comparison.formats import percent
from experiments.config.schema import SIGN_FLIP

Dict = Mapping[str, Any]


@dataclass(frozen=True)
class PairTest:
    """What is said of a test.

    Attributes:
        adjusted: by whom its p is adjusted for the family.
        equivalence: the heading of the interval that shows equivalence inside +-delta.
        how: from alpha, how many comparisons there are, and of which kind, what the interval of a
            difference is and whose p it has.
        cited: the test as methods have it.
        inside: what lies inside +-delta where two settings are equivalent.
    """

    adjusted: str
    equivalence: str
    how: Callable[[float, int, str], tuple[str, str]]
    cited: str
    inside: str

    @property
    def p(self) -> str:
        """The heading of its p."""
        return f"p ({self.adjusted})"


def of_sign_flips(alpha: float, family: int, pairs: str) -> tuple[str, str]:
    if family == 1:  # nothing is shared out
        return f"a t {percent(1 - alpha)} interval", "an exact sign-flip test"
    interval = f"a t interval at 1 - {alpha:g}/{family}"
    return interval, f"an exact sign-flip test, by Holm over the {family} comparisons {pairs}"


def of_pooled_error(whose: str) -> Callable[[float, int, str], tuple[str, str]]:
    def how(alpha: float, family: int, pairs: str) -> tuple[str, str]:
        number = f"{family} comparison{'s' * (family != 1)}"
        interval = f"a simultaneous {percent(1 - alpha)} interval"
        return interval, f"{whose} test of {number} {pairs}, by one error of all settings"

    return how


def of_folds(alpha: float, family: int, pairs: str) -> tuple[str, str]:
    test = "the corrected resampled t test (Nadeau and Bengio 2003)"
    if family == 1:
        return f"a corrected {percent(1 - alpha)} interval", test
    interval = f"a corrected interval at 1 - {alpha:g}/{family}"
    return interval, f"{test}, by Holm over the {family} comparisons {pairs}"


def of_looks(alpha: float, family: int, pairs: str) -> tuple[str, str]:
    test = "an exact sign-flip test that spends alpha over the declared looks"
    if family == 1:
        return f"a repeated {percent(1 - alpha)} interval", test
    interval = f"a repeated t interval at 1 - {alpha:g}/{family}"
    return interval, f"{test}, by Holm over the {family} comparisons {pairs}"


CORRECTED = "corrected_t"
"""The test over folds, which nobody declares: there is no other one of them."""
SEQUENTIAL = "sequential"
"""The test of a sweep that declared looks."""
PAIR_TESTS = {
    SIGN_FLIP: PairTest(
        "Holm",
        "90 % interval",
        of_sign_flips,
        "two-sided sign-flip tests (Pitman 1937)",
        "the 90 % interval of their difference",
    ),
    CORRECTED: PairTest(
        "Holm",
        "90 % interval",
        of_folds,
        "the two-sided corrected resampled t test (Nadeau and Bengio 2003)",
        "the 90 % interval of their difference",
    ),
    SEQUENTIAL: PairTest(
        "Holm",
        "interval for equivalence",
        of_looks,
        "two-sided group-sequential sign-flip tests (Pitman 1937)",
        "the repeated interval of their difference that spends 5 % over the looks",
    ),
    "dunnett": PairTest(
        "Dunnett",
        "interval for equivalence",
        of_pooled_error("Dunnett's"),
        "Dunnett's two-sided test (Dunnett 1955)",
        "the interval of simultaneous one-sided tests of their difference",
    ),
    "tukey": PairTest(
        "Tukey",
        "interval for equivalence",
        of_pooled_error("Tukey's"),
        "Tukey's test of all pairs (Tukey 1953)",
        "the simultaneous interval of their difference",
    ),
}


def pair_test(task: Dict) -> PairTest:
    """Return the test that spoke on a task; verdicts of before knew one."""
    return PAIR_TESTS[task.get("test", SIGN_FLIP)]


def tests_of(verdict: Dict) -> dict[str, list[str]]:
    """Return the names of the tests that spoke, each with its tasks."""
    tests: dict[str, list[str]] = {}
    for task in verdict.get("tasks", ()):
        tests.setdefault(task.get("test", SIGN_FLIP), []).append(str(task["name"]))
    return tests or {SIGN_FLIP: []}
