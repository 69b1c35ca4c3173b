"""Temperature scaling: the temperature with the lowest loss, and by how much it is lower.

In: logits and targets, some positions at a time. Out: the T that minimises the loss of
softmax(logits / T), and the gain. Above 1 the model is overconfident, below 1 underconfident.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats
from microgpt.loss.many import Softmax

MOST = 4_000_000
"""The most logits stored."""

Integers = NDArray[np.integer]
Kept = NDArray[np.float32]

_COLDEST, _HOTTEST = 0.05, 20.0
_FAR = 1e30
# Logits worked on at once: their arrays fit in a processor's cache.
_NUMBERS = 1 << 15


@dataclass(frozen=True)
class Temperature:
    """The best temperature, and its gain.

    Attributes:
        value: T, fitted on all stored positions.
        gain: by how much it lowers the loss, in nats a position, by cross-validation: fitted on one
            half of the texts and measured on the other, and vice versa. It can be negative.
        positions: how many positions were stored.
    """

    value: float
    gain: float
    positions: int

    @property
    def verdict(self) -> str:
        """Whether the model is "too sure" (overconfident) or "not sure enough"."""
        return "too sure" if self.value > 1 else "not sure enough"


class Thermometer:
    """Stores the first MOST logits, in two halves, to fit the temperature.

    Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (ICML 2017).

    >>> meter = Thermometer()
    >>> for half in range(2):  # too sure: odds of 9 to 1 predicted, 3 to 1 observed
    ...     logits_BV = np.tile(np.log([[0.9, 0.1]]), (4, 1))
    ...     meter.add(logits_BV, np.array([0, 0, 0, 1]), np.full(4, half))
    >>> found = meter.temperature()
    >>> round(found.value, 3), round(found.gain, 4)  # log 9 / log 3
    (2.0, 0.0923)
    """

    def __init__(self) -> None:
        self._kept: list[tuple[Kept, Integers, Integers]] = []
        self._n = 0

    def add(self, logits_BV: Floats, targets_B: Integers, half_B: Integers) -> None:
        """Store positions, as far as there is room; leave out unknown characters.

        Args:
            logits_BV: the model's.
            targets_B: the targets; negative: unknown.
            half_B: the half that each position belongs to, 0 or 1.
        """
        room = (MOST - self._n) // logits_BV.shape[1]
        if room > 0:
            at_B = np.flatnonzero(targets_B >= 0)[:room]
            self._n += len(at_B) * logits_BV.shape[1]
            # The maximum is subtracted: then no exponential overflows.
            z_BV = logits_BV[at_B]
            z_BV -= z_BV.max(axis=1, keepdims=True)
            kept_BV = np.maximum(z_BV, -_FAR).astype(np.float32)
            self._kept.append((kept_BV, targets_B[at_B], half_B[at_B]))

    def temperature(self) -> Temperature:
        """Fit the temperature."""
        if not self._kept:
            return Temperature(math.nan, math.nan, 0)
        z_BV, targets_B, half_B = (np.concatenate(parts) for parts in zip(*self._kept))
        halves = [(z_BV[its], targets_B[its]) for its in (half_B == 0, half_B == 1)]
        betas = [_fitted(*its) for its in halves if len(its[0])]
        gained = math.nan
        if len(betas) == 2:
            gained = math.fsum(
                _nats(*its, 1.0) - _nats(*its, beta) for its, beta in zip(halves, betas[::-1])
            )
        n = len(targets_B)
        value = 1.0 / (_fitted(z_BV, targets_B, betas[0]) if len(betas) == 2 else betas[0])
        return Temperature(value, gained / n, n)


def _chunks(z_BV: Kept, targets_B: Integers) -> Iterator[tuple[Floats, Integers]]:
    """Yield rows in chunks that fit in a processor's cache."""
    each = max(_NUMBERS // z_BV.shape[1], 1)
    for first in range(0, len(z_BV), each):
        its = slice(first, first + each)
        yield z_BV[its].astype(np.float64), targets_B[its]


def _nats(z_BV: Kept, targets_B: Integers, beta: float) -> float:
    return math.fsum(
        float(Softmax(beta * some_BV).losses(some_B).sum())
        for some_BV, some_B in _chunks(z_BV, targets_B)
    )


def _fitted(z_BV: Kept, targets_B: Integers, beta: float = 1.0) -> float:
    """Return beta = 1 / T that minimises the loss, by Newton's method, safeguarded by bisection.

    The loss is convex in beta; its derivative is sum (E[z] - z[target]).
    """
    low, high = 1.0 / _HOTTEST, 1.0 / _COLDEST
    while high > low * (1.0 + 1e-9):
        slopes: list[float] = []
        curvature = 0.0
        for some_BV, some_B in _chunks(z_BV, targets_B):
            weights_BV = np.exp(beta * some_BV)
            total_B = weights_BV.sum(axis=1)
            weights_BV *= some_BV
            mean_B = weights_BV.sum(axis=1) / total_B
            square_B = np.einsum("bv,bv->b", weights_BV, some_BV) / total_B
            slopes.append(float((mean_B - some_BV[np.arange(len(some_B)), some_B]).sum()))
            curvature += float((square_B - mean_B * mean_B).sum())
        slope = math.fsum(slopes)
        low, high = (beta, high) if slope < 0.0 else (low, beta)
        step = slope / curvature if curvature > 0.0 else math.inf
        if abs(step) < 1e-9 * beta:
            return beta
        beta = beta - step if low < beta - step < high else math.sqrt(low * high)
    return beta
