"""One key that is tuned: from a place between 0 and 1 to a value, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from experiments.errors.wording import listed, spelled

EDGE = 0.25
"""The outer quarter of a range, at either end, is near its edge."""


@dataclass(frozen=True)
class Dimension:
    """One key that is tuned.

    Attributes:
        key: in full.
        choices: the values themselves, where they were given.
        low: the lower end of a range.
        high: the upper end.
        scale: of the range: log, linear, or beside_one, which is log in 1 - value.
        is_whole: its values are whole numbers.
        is_from_none: its lower end stands for none of it: that, or the setting's own value, is 0.
    """

    key: str
    choices: tuple[Any, ...] = ()
    low: float = 0.0
    high: float = 0.0
    scale: str = "log"
    is_whole: bool = False
    is_from_none: bool = False

    def at(self, u: float) -> Any:
        """Return the value at a part of the range from 0 to 1, of four digits.

        >>> Dimension("optim.lr", low=0.001, high=10).at(0.25)
        0.01
        >>> Dimension("optim.momentum", low=0.0, high=0.99, scale="beside_one").at(0.5)
        0.9
        """
        if self.choices:
            return self.choices[min(int(u * len(self.choices)), len(self.choices) - 1)]
        if self.scale == "linear":
            value = short(self.low + (self.high - self.low) * u)
        elif self.scale == "log":
            value = short(self.low * (self.high / self.low) ** u)
        else:
            value = float(f"{1 - short((1 - self.low) * self.shrinking**u):.12g}")
        value = min(max(value, self.low), self.high)
        return round(value) if self.is_whole else value

    @property
    def shrinking(self) -> float:
        return (1 - self.high) / (1 - self.low)

    def place(self, value: Any) -> float | None:
        """Return the part of the range at which a value lies: of one beyond it below 0 or above 1.

        None for values in no order.
        """
        if self.choices or type(value) not in (int, float):
            return None
        if self.scale == "linear":
            return (value - self.low) / (self.high - self.low)
        if self.scale == "log":
            return -math.inf if value <= 0 else log_ratio(value, self.low, self.high)
        return math.inf if value >= 1 else log_ratio(1 - value, 1 - self.low, 1 - self.high)

    def end_near(self, value: Any) -> float | None:
        """Return the end that a value lies near, 0 or 1, if better ones may lie beyond it.

        Nothing lies beyond a lower end that stands for none, as a weight decay of 1e-5 does where
        the setting's own is 0.
        """
        place = self.place(value)
        if place is None or EDGE <= place <= 1 - EDGE:
            return None
        if place > 0.5:
            return 1.0
        return None if self.is_from_none else 0.0

    @property
    def words(self) -> str:
        if self.choices:
            return listed(map(spelled, self.choices))
        scale = {"log": ", log", "linear": "", "beside_one": ", log in 1 - value"}[self.scale]
        return f"{self.low:g} to {self.high:g}{scale}"


def short(value: float) -> float:
    """Return four digits of a number: what identities are taken of does not depend on the last bits
    of a power."""
    return float(f"{value:.4g}")


def log_ratio(value: float, low: float, high: float) -> float:
    return math.log(value / low) / math.log(high / low)
