"""The reference: the losses of usual texts by length, and percentiles of other texts among them.

In: the lengths and losses of texts, and how many lines each represents (see `repetition`). Out: a
`Reference`; and a `Judge`, which computes for many other texts at once their percentiles among the
texts of similar length, and which of them are flagged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.compiled import native_places
from microgpt.engines.contract import Floats
from microgpt.scoring.repetition import Repetition, weights

if TYPE_CHECKING:
    from microgpt.scoring.threshold import Threshold

Ints = NDArray[np.int64]

ENOUGH = 200
"""The fewest texts of a class: neighbouring lengths are joined until there are as many."""

ALIKE = 5e-5
"""Means that differ by less count as equal: they print alike, and machines round differently."""


class Reference:
    """Usual texts, sorted by loss within classes of similar length.

    Args:
        lengths_D: in characters.
        means_D: the losses, nats per position.
        lines_D: how many lines of the file each text represents; 0: the text is new (held out, and
            once in the file). None: all are new.
        repetition: how the lines of the file repeat; None: they do not.
        enough: the fewest texts of a class.

    Attributes:
        means_D: the losses, sorted by class and within a class ascending.
        lines_D: in the same order.
        classes_D: the class of each text, in the same order.
        firsts_C: the index of each class's first text, and the number of texts.
        weights_C: the sum of the weights of each class's texts; a new text has weight 1.

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
        # A repeating text counts as one observation in a class, as a new one does.
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

    @property
    def tops(self) -> list[int]:
        """The greatest length of each class but the last."""
        tops: list[int] = self._tops.tolist()
        return tops

    def with_classes_of(self, enough: float) -> Reference:
        """Return the same texts in wider classes."""
        return Reference(*self._given, self.repetition, enough)

    def classes(self, lengths_D: Ints) -> Ints:
        """Return the class of each length."""
        return places(self._tops.astype(np.float64), lengths_D.astype(np.float64))

    def percentiles(self, lengths_D: Ints, means_D: Floats) -> Floats:
        """Return the percentage of usual lines of similar length that have a lower loss.

        It is below 100: a loss above all n others has the percentile 100 n / (n + 1).
        """
        classes_D = self.classes(lengths_D)
        return self.above(classes_D, self.cheaper(classes_D, means_D))

    def cheaper(self, classes_D: Ints, means_D: Floats) -> Ints:
        """Return how many texts, sorted by class and loss, come before these losses."""
        return places(self._keys, _keys(classes_D, means_D - ALIKE))

    def above(self, classes_D: Ints, reach_D: Ints) -> Floats:
        """Return the percentile of a loss above those of its class's texts before index reach_D."""
        below_D = self._before[reach_D] - self._before[self.firsts_C[classes_D]]
        return below_D * self._percent_C[classes_D]


@dataclass(frozen=True, eq=False)
class Judge:
    """Compares texts' losses with those of usual texts.

    Attributes:
        usual: the loss of usual text, nats a position.
        reference: usual texts; None: none are known.
        threshold: None: no texts are flagged.
    """

    usual: float
    reference: Reference | None = None
    threshold: Threshold | None = None

    def percentiles(self, lengths_D: Ints, means_D: Floats) -> Floats | None:
        """Return the percentage of usual lines of similar length that have a lower loss."""
        # The threshold's reference, if there is one: percentiles and flags must agree.
        usual = self.threshold.usual if self.threshold else self.reference
        return usual.percentiles(lengths_D, means_D) if usual else None

    def flags(self, lengths_D: Ints, means_D: Floats) -> NDArray[np.bool_] | None:
        """Return which texts are flagged; None: there is no threshold."""
        return self.judged(lengths_D, means_D)[1]

    def judged(
        self, lengths_D: Ints, means_D: Floats
    ) -> tuple[Floats | None, NDArray[np.bool_] | None]:
        """Return the percentiles, and which texts are flagged."""
        percentiles_D = self.percentiles(lengths_D, means_D)
        if self.threshold is None or percentiles_D is None:
            return percentiles_D, None
        return percentiles_D, percentiles_D >= self.threshold.percentile


def places(keys: Floats, values_D: Floats) -> Ints:
    """Return the index of the first key that is not below each value.

    Args:
        keys: ascending.
        values_D: numbers.

    >>> places(np.array([1.0, 2.0, 2.0]), np.array([0.5, 2.0, 9.0])).tolist()
    [0, 1, 3]
    """
    if native := native_places():
        return native(keys, np.ascontiguousarray(values_D, dtype=np.float64))
    return np.searchsorted(keys, values_D).astype(np.int64)


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
    # The longest texts, too few for a class of their own, belong to the last one.
    return np.array(tops[:-1], dtype=np.int64)


def _keys(classes_D: Ints, means_D: Floats) -> Floats:
    """Return numbers that sort by class, and within a class by mean."""
    return np.asarray(
        classes_D * 1e6 + np.minimum(np.maximum(means_D, -1e5), 1e5), dtype=np.float64
    )
