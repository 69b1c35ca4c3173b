"""The temperature that would have been better, and what it would have gained.

In: logits as they come, and what came. Out: the T under which softmax(logits / T) costs least, and
the gain. Over 1 the model was too sure of itself, under 1 not sure enough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.data.encoded import Ids
from microgpt.engines.contract import Floats
from microgpt.loss.many import log_softmax

MOST = 4_000_000
"""Logits kept, at most."""

Integers = NDArray[np.integer]

_COLDEST, _HOTTEST = 0.05, 20.0
_FAR = 1e30


@dataclass(frozen=True)
class Temperature:
    """What was found.

    Attributes:
        value: T, fitted on all positions that were kept.
        gain: nats a position; fitted on one half of the texts, measured on the other, and the
            other way round. Below 0: it would have cost something.
        positions: how many that is of.
    """

    value: float
    gain: float
    positions: int

    @property
    def verdict(self) -> str:
        """What it says of the model: "too sure" or "not sure enough"."""
        return "too sure" if self.value > 1 else "not sure enough"


class Thermometer:
    """Keeps the first so many logits, in two halves.

    Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks" (ICML 2017).

    >>> meter = Thermometer()
    >>> for half in range(2):  # too sure: 9 to 1 told, 3 to 1 true
    ...     logits_BV = np.tile(np.log([[0.9, 0.1]]), (4, 1))
    ...     meter.add(logits_BV, np.array([0, 0, 0, 1]), np.full(4, half))
    >>> found = meter.temperature()
    >>> round(found.value, 3), round(found.gain, 4)  # log 9 / log 3
    (2.0, 0.0923)
    """

    def __init__(self) -> None:
        self._kept: list[tuple[NDArray[np.float32], Ids, Integers]] = []
        self._n = 0

    def add(self, logits_BV: Floats, targets_B: Ids, half_B: Integers) -> None:
        """Keep some, if there is room: their logits, what came, which half (0 or 1) they are of."""
        fit = min((MOST - self._n) // logits_BV.shape[1], len(logits_BV))
        if fit > 0:
            self._n += fit * logits_BV.shape[1]
            # Relative to the maximum: then no power of them overflows.
            z_BV = logits_BV[:fit] - logits_BV[:fit].max(axis=1, keepdims=True)
            kept_BV = np.maximum(z_BV, -_FAR).astype(np.float32)
            self._kept.append((kept_BV, targets_B[:fit], half_B[:fit]))

    def temperature(self) -> Temperature:
        """Fit the temperature."""
        if not self._kept:
            return Temperature(math.nan, math.nan, 0)
        z_BV, targets_B, half_B = (np.concatenate(parts) for parts in zip(*self._kept))
        z_BV = z_BV.astype(np.float64)
        gained = 0.0
        for half in (0, 1):
            if (half_B == half).all() or (half_B != half).all():
                gained = math.nan
                break
            other = half_B != half
            beta = _fitted(z_BV[half_B == half], targets_B[half_B == half])
            gained += _nats(z_BV[other], targets_B[other], 1.0)
            gained -= _nats(z_BV[other], targets_B[other], beta)
        n = len(targets_B)
        return Temperature(1.0 / _fitted(z_BV, targets_B), gained / n, n)


def _nats(z_BV: Floats, targets_B: Ids, beta: float) -> float:
    return float(-log_softmax(beta * z_BV)[np.arange(len(targets_B)), targets_B].sum())


def _fitted(z_BV: Floats, targets_B: Ids) -> float:
    """Return 1 / T. The loss is convex in it, its slope is sum (E[z] - z[target]).

    Newton's steps, as long as they stay where the slope still changes its sign.
    """
    came = float(z_BV[np.arange(len(targets_B)), targets_B].sum())
    low, high, beta = 1.0 / _HOTTEST, 1.0 / _COLDEST, 1.0
    while high > low * (1.0 + 1e-9):
        weights_BV = np.exp(beta * z_BV)
        total_B = weights_BV.sum(axis=1)
        weights_BV *= z_BV
        mean_B = weights_BV.sum(axis=1) / total_B
        slope = float(mean_B.sum()) - came
        weights_BV *= z_BV
        bend = float((weights_BV.sum(axis=1) / total_B - mean_B * mean_B).sum())
        low, high = (beta, high) if slope < 0.0 else (low, beta)
        step = slope / bend if bend > 0.0 else math.inf
        if abs(step) < 1e-9 * beta:
            return beta
        beta = beta - step if low < beta - step < high else math.sqrt(low * high)
    return beta
