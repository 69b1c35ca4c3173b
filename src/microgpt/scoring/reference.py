"""What is usual: what the lines of a file cost, by length, and how rare a text is beside them.

In: lengths and means of texts, and how many lines each stands for (see `repetition`). Out: a
`Reference`; and a `Judge`, which says of many other texts at once their percentiles among those of
similar length, and which are flagged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats
from microgpt.scoring.repetition import Repetition, weights

if TYPE_CHECKING:
    from microgpt.scoring.threshold import Threshold

Ints = NDArray[np.int64]

ENOUGH = 200
"""Texts in a class, at least: neighbouring lengths are joined until there are as many."""

ALIKE = 5e-5
"""Means as near as this are the same: they print alike, and another machine rounds otherwise."""


class Reference:
    """Usual texts, sorted within classes of similar length.

    Args:
        lengths_D: in characters.
        means_D: nats per position.
        lines_D: how many lines of a file each stands for; 0: it is new. None: all are.
        repetition: of the file; None: nothing repeats.
        enough: texts in a class, at least.

    Attributes:
        means_D: in the order of their classes, and within these of means; so are
        lines_D: and
        classes_D: the class of each.
        firsts_C: where each class begins; one more than there are.
        weights_C: of each class; a new text weighs 1.

    >>> usual = Reference(np.array([3, 3, 3, 3]), np.array([1.0, 2.0, 3.0, 4.0]))
    >>> usual.percentiles(np.array([3, 9]), np.array([2.5, 9.0])).tolist()
    [40.0, 80.0]
    """

    def __init__(
        self,
        lengths_D: Ints,
        means_D: Floats,
        lines_D: Ints | None = None,
        repetition: Repetition | None = None,
        enough: float = ENOUGH,
    ) -> None:
        lines_D = np.zeros(len(means_D), dtype=np.int64) if lines_D is None else lines_D
        self._given = lengths_D, means_D, lines_D
        self.repetition = repetition or Repetition(len(means_D), len(means_D), 0)
        weights_D = weights(lines_D, self.repetition)
        # A text that repeats is one observation, as a new one is.
        self._tops = _tops(lengths_D, np.minimum(weights_D, 1.0), enough)
        classes_D = self.classes(lengths_D)
        order = np.lexsort((means_D, classes_D))
        self.means_D, self.lines_D = means_D[order], lines_D[order]
        self.classes_D = classes_D[order]
        self.firsts_C = np.searchsorted(self.classes_D, np.arange(len(self._tops) + 2))
        self._keys = _keys(self.classes_D, self.means_D)
        self._before = np.concatenate([np.zeros(1), np.cumsum(weights_D[order])])
        self.weights_C = np.diff(self._before[self.firsts_C])
        self._percent_C = 100.0 / (self.weights_C + 1.0)

    def __len__(self) -> int:
        return len(self.means_D)

    @property
    def new(self) -> int:
        """How many of the texts are new."""
        return int((self.lines_D == 0).sum())

    def with_classes_of(self, enough: float) -> Reference:
        """Return the same with wider classes."""
        return Reference(*self._given, self.repetition, enough)

    def classes(self, lengths_D: Ints) -> Ints:
        """Return the class of each length."""
        return np.searchsorted(self._tops, lengths_D).astype(np.int64)

    def percentiles(self, lengths_D: Ints, means_D: Floats) -> Floats:
        """Return how many of 100 usual lines of similar length cost less a position.

        Never 100: of n, one that costs more than all is rarer than n of n + 1.
        """
        classes_D = self.classes(lengths_D)
        return self.above(classes_D, self.cheaper(classes_D, means_D))

    def cheaper(self, classes_D: Ints, means_D: Floats) -> Ints:
        """Return how many texts, in the order of classes and means, come before these means."""
        return np.searchsorted(self._keys, _keys(classes_D, means_D - ALIKE)).astype(np.int64)

    def above(self, classes_D: Ints, reach_D: Ints) -> Floats:
        """Return the percentile of what costs more than all texts of its class up to a reach."""
        below_D = self._before[reach_D] - self._before[self.firsts_C[classes_D]]
        return below_D * self._percent_C[classes_D]


@dataclass(frozen=True, eq=False)
class Judge:
    """Holds means against usual ones.

    Attributes:
        usual: nats a position of usual text.
        reference: None: it is not known what is usual.
        threshold: None: nothing is flagged.
    """

    usual: float
    reference: Reference | None = None
    threshold: Threshold | None = None

    def percentiles(self, lengths_D: Ints, means_D: Floats) -> Floats | None:
        """Return how many of 100 usual lines of similar length cost less."""
        # Where there is a threshold, what is flagged and how rare it is must agree.
        usual = self.threshold.usual if self.threshold else self.reference
        return usual.percentiles(lengths_D, means_D) if usual else None

    def flags(self, lengths_D: Ints, means_D: Floats) -> NDArray[np.bool_] | None:
        """Say which texts are flagged."""
        return self.threshold.flags(lengths_D, means_D) if self.threshold else None


def _tops(lengths_D: Ints, texts_D: Floats, enough: float) -> Ints:
    """Return the greatest length of each class but the last."""
    lengths, which_D = np.unique(lengths_D, return_inverse=True)
    tops: list[int] = []
    waiting = 0.0
    for length, texts in zip(lengths.tolist(), np.bincount(which_D, texts_D).tolist()):
        waiting += texts
        if waiting >= enough:
            tops.append(length)
            waiting = 0.0
    # The longest ones, too few for a class of their own, join the last.
    return np.array(tops[:-1], dtype=np.int64)


def _keys(classes_D: Ints, means_D: Floats) -> Floats:
    """Return numbers that are sorted as classes are, and within these as means."""
    return np.asarray(
        classes_D * 1e6 + np.minimum(np.maximum(means_D, -1e5), 1e5), dtype=np.float64
    )
