"""What every number that can be set may be: one table for command lines, Python programs and files.

In: a setting's name and value. Out: nothing, or a UsageError in one sentence.
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


_STEPS = Whole(1, 10**12)
_SHARE = Real(0.0, 1.0)
_ABOVE_0 = Real(0.0, math.inf, low_open=True)

BOUNDS: Mapping[str, Whole | Real] = {
    "vocab_size": Whole(1, 2**21),  # Unicode has 1,114,112 code points
    "block_size": Whole(1, 2**20),
    "n_layer": Whole(1, 4096),
    "n_head": Whole(1, 2**16),
    "n_embd": Whole(1, 2**16),
    "init_std": Real(0.0, math.inf),
    "steps": _STEPS,
    "seconds": Real(0.0, 1e9, low_open=True),  # thirty years
    "batch_size": Whole(1, 2**20),
    "lr": _ABOVE_0,
    "beta1": _SHARE,
    "beta2": _SHARE,
    "eps": _ABOVE_0,
    "muon_lr": _ABOVE_0,
    "momentum": _SHARE,
    "weight_decay": Real(0.0, math.inf),
    "dropout": _SHARE,
    "ngram": Whole(1, 62),  # of two tokens, as many as 63 bits can count
    "holdout": _SHARE,
    "seed": Whole(0, 2**63 - 1),
    "log_every": _STEPS,
    "documents": Whole(1, 2**48),
    "updates": Whole(0, _STEPS.high),
    "step": _STEPS,
    "lines": Whole(0, _STEPS.high),
    "positions": Whole(0, 2**62),
    "weight": _SHARE,
}
"""What a setting may be: more than is trained today, and nothing that a machine cannot count."""


def check(name: str, value: object, called: str | None = None) -> None:
    """Raise UsageError unless a setting of BOUNDS is in its domain; a message may call it else."""
    BOUNDS[name].check(called or name, value)


def _short(value: object) -> str:
    """Write a value; of a long one the beginning."""
    if isinstance(value, int) and abs(value) >= 10**_SHOWN:
        return f"a number of more than {_SHOWN} digits"  # Python does not write thousands of them
    text = str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
