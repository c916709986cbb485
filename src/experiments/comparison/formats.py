"""Numbers as a person reads them: percent and points for accuracies, plain numbers for the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from experiments.record.metric import known_as

NOTHING = "–"
MINUS = "−"
MOST_DECIMALS = 8


@dataclass(frozen=True)
class Unit:
    """How the values of a metric are written.

    Args:
        is_points: values are parts of one, shown as percent, and their differences as
            percentage points.
        decimals: digits after the point, the same down a column.
    """

    is_points: bool
    decimals: int

    @property
    def factor(self) -> float:
        return 100.0 if self.is_points else 1.0

    @property
    def axis_format(self) -> str:
        """The format of d3 by which an axis writes values."""
        return ".1~%" if self.is_points else "~g"

    def bare(self, value: float | None) -> str:
        """Return a value without its sign.

        >>> Unit(True, 2).bare(0.8776), Unit(False, 3).bare(-1.5), Unit(True, 2).bare(None)
        ('87.76', '−1.500', '–')
        >>> Unit(True, 2).bare(-2e-17), Unit(False, 4).bare(2e-17)
        ('0.00', '2e−17')
        """
        if value is None:
            return NOTHING
        scaled = value * self.factor
        # Of points that is what rounding leaves of a difference.
        is_tiny = not self.is_points and 0 < abs(scaled) < 0.5 * 10.0**-MOST_DECIMALS
        if abs(scaled) >= 1e7 or is_tiny:
            return f"{scaled:.3g}".replace("-", MINUS)
        text = f"{scaled:.{self.decimals}f}"
        is_zero = not text.strip("-0.")
        return text.lstrip("-") if is_zero else text.replace("-", MINUS)

    def value(self, value: float | None) -> str:
        """Return a value with its sign.

        >>> Unit(True, 2).value(0.8776)
        '87.76 %'
        """
        return self.bare(value) + (" %" if self.is_points and value is not None else "")

    def change(self, difference: float | None) -> str:
        """Return a difference with + or -, without its unit.

        >>> Unit(True, 2).change(0.005), Unit(True, 2).change(-0.005)
        ('+0.50', '−0.50')
        """
        text = self.bare(difference)
        is_positive = difference is not None and difference > 0 and bool(text.strip("0."))
        return f"+{text}" if is_positive else text

    def amount(self, difference: float | None) -> str:
        """Return the size of a difference in words.

        >>> Unit(True, 2).amount(0.005)
        '0.5 points'
        """
        if difference is None:
            return NOTHING
        text = f"{abs(difference) * self.factor:.6g}"
        word = "point" if text == "1" else "points"
        return f"{text} {word}" if self.is_points else text

    def interval(self, ends: Sequence[float] | None) -> str:
        """Return an interval of values.

        >>> Unit(True, 2).interval([0.875, 0.88])
        '[87.50, 88.00]'
        """
        return NOTHING if ends is None else f"[{self.bare(ends[0])}, {self.bare(ends[1])}]"

    def changes(self, ends: Sequence[float] | None) -> str:
        return NOTHING if ends is None else f"[{self.change(ends[0])}, {self.change(ends[1])}]"


def unit_of(verdict: Mapping[str, Any], task: Mapping[str, Any]) -> Unit:
    """Return how the declared metric is written on a task.

    Accuracies have two decimals of a percent. Other metrics have as many as show two digits of
    the usual standard deviation, or four digits of the means where one seed leaves no deviation.

    >>> unit_of({"design": {"unit": ""}}, {"settings": [{"mean": 0.35, "sd": 0.0032}]})
    Unit(is_points=False, decimals=4)
    """
    if verdict["design"]["unit"] == "points":
        return Unit(True, 2)
    spreads = [s["sd"] for s in task["settings"] if s["sd"]]
    if spreads:
        decimals = 1 - math.floor(math.log10(median(spreads)))
    else:
        sizes = [abs(s["mean"]) for s in task["settings"] if s["mean"]]
        decimals = 3 - math.floor(math.log10(median(sizes))) if sizes else 4
    return Unit(False, min(MOST_DECIMALS, max(0, decimals)))


def unit_of_metric(metric: str) -> Unit:
    """Return how a metric is written that no declared difference gives digits to."""
    is_share = known_as(metric).is_share
    return Unit(is_share, 2 if is_share else 4)


def percent(share: float | None) -> str:
    """Return a share of one, such as a confidence level, with the digits that it has.

    >>> percent(0.95), percent(1 - 0.05 / 6)
    ('95 %', '99.17 %')
    """
    return NOTHING if share is None else f"{round(share * 100, 2):g} %"


def probability(p: float | None) -> str:
    """Return a p value.

    >>> probability(0.0004), probability(0.0123), probability(1.0)
    ('< 0.001', '0.012', '1')
    """
    if p is None:
        return NOTHING
    if p < 0.001:
        return "< 0.001"
    return "1" if p > 0.9995 else f"{p:.3f}"


def chances(parts: Mapping[str, float] | None) -> str:
    """Return in percent how probably one is better, within delta, or worse.

    >>> chances({"better": 0.912, "within": 0.088, "worse": 0.0}), chances(None)
    ('91 / 9 / 0', '–')
    """
    if parts is None:
        return NOTHING
    return " / ".join(f"{parts[key] * 100:.0f}" for key in ("better", "within", "worse"))


def count(number: float | None) -> str:
    """Return a whole number with commas.

    >>> count(269322)
    '269,322'
    """
    return NOTHING if number is None else f"{number:,.0f}"


def short(value: Any) -> str:
    """Return any number by at most four digits, anything else as it is.

    >>> short(0.000123456), short(42), short(None), short("adam")
    ('0.0001235', '42', '–', 'adam')
    """
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def rounded(value: float | None) -> float | None:
    """Return a number with two digits more than the page writes, which keeps the page small.

    With one digit more, every twentieth value in percent would be rounded twice, to another one.
    """
    return None if value is None else float(f"{value:.7g}")
