"""Sums of losses by key, exact in any order of the losses, in bounded memory.

In: losses, some at a time, and a key for each: its position or its character. Out: the exact sum
for each key; and sums rounded so that they add up to their total exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats

Keys = NDArray[np.integer]
Rows = tuple[Keys, Floats]

# A loss is split into multiples of 2^-12, 2^-36 and 2^-60; the rest is dropped. Up to 2^30 losses
# with a sum below 2^41 can then be added without rounding.
_BITS = (12, 36, 60)
_LARGE = 2.0**40

# Rows are merged when there are this many more than twice the keys.
_WAITING = 1 << 14


def split(losses_N: Floats) -> Floats:
    """Split losses into three rows whose sums are exact; a loss above 2^40 stays in the first.

    >>> split(np.array([2.0, 2.0**-20])).tolist()
    [[2.0, 0.0], [0.0, 9.5367431640625e-07], [0.0, 0.0]]
    """
    found = np.zeros((len(_BITS), len(losses_N)))
    is_small = np.abs(losses_N) < _LARGE
    rest_N = np.where(is_small, losses_N, 0.0)
    for row_N, bits in zip(found, _BITS):
        np.rint(rest_N * 2.0**bits, out=row_N)
        row_N /= 2.0**bits
        rest_N -= row_N
    found[0, ~is_small] = losses_N[~is_small]
    return found


@dataclass(frozen=True)
class Exact:
    """A sum of losses.

    Attributes:
        parts: the sums of the three rows of `split`.
        n: how many losses were summed.
        others: the sums of the whole numbers that were added with the losses.
    """

    parts: tuple[float, ...]
    n: int
    others: tuple[int, ...]

    @property
    def nats(self) -> float:
        """The sum, rounded once."""
        return math.fsum(self.parts) if self.is_finite else sum(self.parts)

    @property
    def is_finite(self) -> bool:
        """Whether the sum is finite."""
        return all(map(math.isfinite, self.parts))

    @property
    def exact(self) -> Fraction:
        """The sum without rounding, if it is finite."""
        return sum(map(Fraction, self.parts), Fraction())


class SumsByKey:
    """Sums by key; memory grows with the number of keys only.

    Attributes:
        rows: how many rows are stored: one for each key, and those that are not merged yet.

    >>> sums = SumsByKey()
    >>> sums.add(np.array([7, 3, 7]), np.vstack([split(np.array([1.0, 2.0, 0.5])), [1, 0, 1]]))
    >>> {key: (one.nats, one.n, one.others) for key, one in sums.items()}
    {3: (2.0, 1, (0,)), 7: (1.5, 2, (2,))}
    """

    def __init__(self) -> None:
        self._waiting: list[Rows] = []
        self.rows, self._limit = 0, _WAITING

    def add(self, key_N: Keys, values_CN: Floats) -> None:
        """Add a column to the sums of its key: the rows of `split`, then rows of whole numbers."""
        if len(key_N):
            ones = np.ones((1, len(key_N)))
            found = _summed(key_N, np.concatenate([values_CN, ones]))
            self._waiting.append(found)
            self.rows += len(found[0])
            if self.rows > self._limit:
                self._merge()

    def items(self) -> Iterable[tuple[int, Exact]]:
        """Return (key, sum) for all keys, ascending."""
        if not self._waiting:
            return []
        self._merge()
        keys, values_CK = self._waiting[0]
        rows: list[list[float]] = np.transpose(values_CK).tolist()
        parts = len(_BITS)
        return [
            (key, Exact(tuple(its[:parts]), int(its[-1]), tuple(map(int, its[parts:-1]))))
            for key, its in zip(keys.tolist(), rows)
        ]

    def _merge(self) -> None:
        # Replaced in one step: whoever reads the sums in another thread finds them whole.
        if len(self._waiting) > 1:
            keys, values = zip(*self._waiting)
            self._waiting = [_summed(np.concatenate(keys), np.concatenate(values, axis=1))]
        self.rows = len(self._waiting[0][0])
        self._limit = 2 * self.rows + _WAITING


def _summed(key_N: Keys, values_CN: Floats) -> Rows:
    """Return the distinct keys, ascending, and the sum of the columns of each."""
    low, high = int(key_N.min()), int(key_N.max())
    if high - low < 4 * len(key_N) + 1024:  # few enough for a table
        which_N = key_N - low
        there = np.flatnonzero(np.bincount(which_N))
        sums = [np.bincount(which_N, row_N)[there] for row_N in values_CN]
        return there + low, np.stack(sums).astype(np.float64, copy=False)
    keys, which_N = np.unique(key_N, return_inverse=True)
    sums = [np.bincount(which_N, row_N) for row_N in values_CN]
    return keys, np.stack(sums).astype(np.float64, copy=False)


def rounded(sums: Sequence[Exact]) -> list[float]:
    """Round sums to multiples of a power of two, so that they add up to the rounded total.

    That power is the spacing of floating-point numbers at twice the total, so adding the rounded
    sums in any order is exact. Each sum moves by less than the spacing: all are rounded down, then
    those that lost most are rounded up.

    >>> 0.1 + 0.2 + 0.3 == 0.3 + 0.2 + 0.1
    False
    >>> tenths = rounded([Exact((x, 0.0, 0.0), 1, ()) for x in (0.1, 0.2, 0.3)])
    >>> sum(tenths) == sum(reversed(tenths))
    True
    """
    if not all(one.is_finite for one in sums):
        return [one.nats for one in sums]
    total = sum((one.exact for one in sums), Fraction())
    if not 0 < total < 1e300:
        return [one.nats for one in sums]
    step = Fraction(max(math.ldexp(1.0, math.frexp(float(total))[1] - 52), math.ulp(0.0)))
    units = [math.floor(one.exact / step) for one in sums]
    left = round(total / step) - sum(units)
    lost = sorted(range(len(sums)), key=lambda i: units[i] - sums[i].exact / step)
    for i in lost[:left]:
        units[i] += 1
    return [float(unit * step) for unit in units]
