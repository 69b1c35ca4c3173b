"""A training's events, thinned for the eye: points of a curve, histograms. Never what is recorded.

In: `Steps` as the loop yields them; arrays of numbers. Out: points that each stand for an equal
share of the training; counts of numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt.config import TrainConfig
from microgpt.engines.contract import Floats
from microgpt.loss import LossSum
from microgpt.training.loop import Steps

SPANS = 120
"""The points of a whole curve."""

BINS = 41
"""The bars of a histogram; odd, so that one is around zero."""


class Thinned:
    """The curve of a training: each point is the mean over a span of steps, by sums.

    Args:
        training: its budget, of which each span is an equal share.
    """

    def __init__(self, training: TrainConfig) -> None:
        self._training = training
        self._span, self._sum, self._last = 0, LossSum(), 0
        self._points: list[tuple[int, float]] = []

    def add(self, steps: Steps) -> None:
        """Add the losses of a chunk."""
        span_K = self._spans(steps)
        begins = np.flatnonzero(np.diff(span_K, prepend=-1))
        for begin, end in zip(begins.tolist(), [*begins[1:].tolist(), len(steps)]):
            if span_K[begin] != self._span:
                self._close()
                self._span = int(span_K[begin])
            self._sum = steps.sums[begin:end].after(self._sum)
            self._last = steps.first + end - 1

    def taken(self, *, ended: bool = False) -> list[tuple[int, float]]:
        """Return the points (step, loss) that are new: those of spans that are complete.

        Args:
            ended: whether the span that is not complete is a point, too.
        """
        if ended:
            self._close()
        points, self._points = self._points, []
        return points

    def _close(self) -> None:
        if self._sum.positions:
            self._points.append((self._last, self._sum.mean))
        self._sum = LossSum()

    def _spans(self, steps: Steps) -> NDArray[np.int64]:
        """Return the number of the span that each step belongs to."""
        training = self._training
        done_K: Floats = np.zeros(len(steps))
        if training.steps:
            done_K = np.arange(steps.first - 1.0, steps.last) / training.steps
        if training.seconds:
            done_K = np.maximum(done_K, steps.seconds_K / training.seconds)
        return np.minimum(done_K * SPANS, SPANS - 1).astype(np.int64)


@dataclass(frozen=True)
class Bins:
    """A histogram.

    Attributes:
        most: it reaches from -most to most.
        counts: how many numbers there are in each of its bins, which are equally wide.
        rms: the root of the mean of the squares.
    """

    most: float
    counts: list[int]
    rms: float


def bins(values: NDArray[Any]) -> Bins:
    """Count numbers.

    >>> found = bins(np.array([[-2.0, 0.0], [0.0, 2.0]]))
    >>> found.counts[0], found.counts[20], found.counts[40], round(found.rms, 3)
    (1, 2, 1, 1.414)
    """
    flat = values.ravel().astype(np.float64)
    flat = flat[np.isfinite(flat)] if not np.isfinite(flat).all() else flat
    most = float(np.abs(flat).max(initial=0.0)) or 1.0
    # By hand: np.histogram takes several times as long for small arrays.
    place_N = ((flat / most + 1.0) * (BINS / 2)).astype(np.int64)
    counts: list[int] = np.bincount(np.minimum(place_N, BINS - 1), minlength=BINS).tolist()
    return Bins(most, counts, float(np.sqrt(np.mean(flat * flat))) if len(flat) else 0.0)
