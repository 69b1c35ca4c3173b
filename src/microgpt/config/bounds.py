"""Bounds of numbers: of settings, and of the numbers in a run's files.

In: a name and a value. Out: nothing, or a UsageError in one sentence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from microgpt.errors import UsageError

# A message shows this many characters of a value.
_SHOWN = 40


@dataclass(frozen=True)
class Whole:
    """The whole numbers from `low` to `high`, both included."""

    low: int
    high: int

    def check(self, name: str, value: object) -> None:
        """Raise UsageError unless the value is one of these numbers.

        >>> Whole(1, 4096).check("n_layer", 10**9)
        Traceback (most recent call last):
        microgpt.errors.UsageError: n_layer must be at most 4,096; got 1000000000.
        """
        if not isinstance(value, int) or isinstance(value, bool) or value < self.low:
            raise UsageError(f"{name} must be a whole number from {self.low}; got {_short(value)}.")
        if value > self.high:
            raise UsageError(f"{name} must be at most {self.high:,}; got {_short(value)}.")


@dataclass(frozen=True)
class Real:
    """The numbers from `low` (or above it, if `low_open`) to below `high`."""

    low: float
    high: float
    low_open: bool = False

    def check(self, name: str, value: object) -> None:
        """Raise UsageError unless the value is one of these numbers."""
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            above = self.low < value if self.low_open else self.low <= value
            if above and value < self.high:
                return
            if above and 1.0 < self.high < math.inf:
                raise UsageError(f"{name} must be below {self.high:g}; got {_short(value)}.")
        bounds = f"in {'(' if self.low_open else '['}{self.low:g}, {self.high:g})"
        if self.high > 1.0:
            bounds = f"a number {'above' if self.low_open else 'from'} {self.low:g}"
        raise UsageError(f"{name} must be {bounds}; got {_short(value)}.")


STEPS = Whole(1, 10**12)
SHARE = Real(0.0, 1.0)
ABOVE_0 = Real(0.0, math.inf, low_open=True)
FROM_0 = Real(0.0, math.inf)

RECORDED: Mapping[str, Whole | Real] = {
    "log_every": STEPS,
    "documents": Whole(1, 2**48),
    "updates": Whole(0, STEPS.high),
    "step": STEPS,
    "lines": Whole(0, STEPS.high),
    "positions": Whole(0, 2**62),
    "weight": SHARE,
}
"""The bounds of the numbers in a run's files that are not settings."""


def check(name: str, value: object, called: str | None = None) -> None:
    """Raise UsageError unless a value is within RECORDED[name]; messages call it `called`."""
    RECORDED[name].check(called or name, value)


def _short(value: object) -> str:
    """Write the first characters of a value."""
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return f"a number of more than {_SHOWN} digits"  # str() refuses thousands of digits
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
