"""What is usual: the losses of held-out documents, by length, and how rare a text is beside them.

In: lengths and means of documents that the model has not learnt from. Out: percentiles among those
of similar length, and thresholds above which a chosen share of good texts lies.

Source: the threshold and its certainty are split conformal prediction, Vovk, Gammerman and Shafer,
"Algorithmic learning in a random world" (2005), chapter 2: if good texts come as the held-out ones
did, one is above the k-th largest of n with probability k / (n + 1); and of that, given these n,
the share is Beta(k, n + 1 - k), Vovk, "Conditional validity of inductive conformal predictors"
(2012).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt import words
from microgpt.engines.contract import Floats
from microgpt.errors import UsageError

Ints = NDArray[np.int64]

ENOUGH = 200
"""Neighbouring lengths are taken together until there are so many documents."""


@dataclass(frozen=True)
class Thresholds:
    """Above which a share of good texts is flagged.

    Attributes:
        means_C: nats per position, one for each class of lengths; inf: none is flagged.
        expected: the share of good texts that lies above.
        low: of the interval in which that share is, 95 times of 100.
        high: likewise.
        documents: how many they were set by.
    """

    means_C: Floats
    expected: float
    low: float
    high: float
    documents: int


class Reference:
    """Held-out documents, sorted within classes of similar length.

    Args:
        lengths_D: in characters.
        means_D: nats per position.

    >>> usual = Reference(np.array([3, 3, 3, 3]), np.array([1.0, 2.0, 3.0, 4.0]))
    >>> usual.percentiles(np.array([3, 9]), np.array([2.5, 9.0])).tolist()
    [40.0, 80.0]
    """

    def __init__(self, lengths_D: Ints, means_D: Floats) -> None:
        lengths, counts = np.unique(lengths_D, return_counts=True)
        tops: list[int] = []
        waiting = 0
        for length, count in zip(lengths.tolist(), counts.tolist()):
            waiting += count
            if waiting >= ENOUGH:
                tops.append(length)
                waiting = 0
        # The longest ones, too few for a class of their own, join the last.
        self._tops = np.array(tops[:-1], dtype=np.int64)
        classes_D = self.classes(lengths_D)
        order = np.lexsort((means_D, classes_D))
        self._means, self._classes = means_D[order], classes_D[order]
        self._firsts = np.searchsorted(self._classes, np.arange(len(self._tops) + 2))
        self._keys = _keys(self._classes, self._means)
        self._percent = 100.0 / (np.diff(self._firsts) + 1)

    def __len__(self) -> int:
        return len(self._means)

    def classes(self, lengths_D: Ints) -> Ints:
        """Return the class of each length."""
        return np.searchsorted(self._tops, lengths_D).astype(np.int64)

    def percentiles(self, lengths_D: Ints, means_D: Floats) -> Floats:
        """Return how many of 100 held-out documents of similar length cost less a position.

        Never 100: of n documents, one that costs more than all is rarer than n of n + 1.
        """
        classes_D = self.classes(lengths_D)
        below_D = np.searchsorted(self._keys, _keys(classes_D, means_D)) - self._firsts[classes_D]
        return below_D * self._percent[classes_D]

    def thresholds(self, rate: float) -> Thresholds:
        """Set a threshold for each class, so that about this share of good texts lies above.

        Raises:
            UsageError: the share is none, or there are too few documents to tell.
        """
        if not 0.0 < rate < 1.0:
            raise UsageError(f"flag-rate must be above 0 and below 1; got {rate:g}.")
        n_C = np.diff(self._firsts)
        total = int(n_C.sum())
        if rate * (total + 1) < 1.0:
            raise UsageError(
                f"flag-rate must be at least 1/{total + 1} with "
                f"{words.count(total, 'held-out document')}; "
                f"got {rate:g}. Try a higher rate, or hold out more of them."
            )
        # How many documents of each class may lie above its threshold: whole ones, that together
        # come as near to the rate as can be. All of them are the most.
        exact_C = rate * (n_C + 1)
        k_C = np.floor(exact_C).astype(np.int64)
        share_C = n_C / total
        for c in np.argsort(k_C - exact_C, kind="stable").tolist():
            half_C = (np.arange(len(k_C)) == c) * 0.5
            if k_C[c] < n_C[c] and float((share_C * (k_C + half_C) / (n_C + 1)).sum()) < rate:
                k_C[c] += 1
        means_C = np.array(
            [
                self._means[stop - k] if 0 < k <= stop - first else np.inf
                for k, first, stop in zip(k_C.tolist(), self._firsts, self._firsts[1:])
            ]
        )
        expected = float((share_C * k_C / (n_C + 1)).sum())
        rng = np.random.default_rng(0)
        drawn = [
            w * rng.beta(k, n + 1 - k, 20_000) if k else np.zeros(20_000)
            for w, k, n in zip(share_C.tolist(), k_C.tolist(), n_C.tolist())
        ]
        low, high = np.quantile(np.sum(drawn, axis=0), (0.025, 0.975)).tolist()
        return Thresholds(means_C, expected, low, high, total)


def _keys(classes_D: Ints, means_D: Floats) -> Floats:
    """Return numbers that are sorted as classes are, and within these as means."""
    return np.asarray(
        classes_D * 1e6 + np.minimum(np.maximum(means_D, -1e5), 1e5), dtype=np.float64
    )
