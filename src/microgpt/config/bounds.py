"""Which numbers a setting, or a number in a file of ours, may be.

In: a name and a value. Out: nothing, or a UsageError in one sentence.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from microgpt.errors import UsageError

# A longer value is not shown whole.
_SHOWN = 40


@dataclass(frozen=True)
class Whole:
    """The whole numbers that a setting may be, both ends among them."""

    low: int
    high: int

    def check(self, name: str, value: object) -> None:
        """Raise UsageError unless the value is one of them.

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
    """The numbers that a setting may be: from the lower end, or above it, to below the higher."""

    low: float
    high: float
    low_open: bool = False

    def check(self, name: str, value: object) -> None:
        """Raise UsageError unless the value is one of them."""
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
"""What the numbers in a run's files may be that no config has: all that a machine can count."""


def check(name: str, value: object, called: str | None = None) -> None:
    """Raise UsageError unless a number of RECORDED may be so; a message may call it else."""
    RECORDED[name].check(called or name, value)


def _short(value: object) -> str:
    """Write a value; of a long one the beginning."""
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return f"a number of more than {_SHOWN} digits"  # Python does not write thousands of them
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
