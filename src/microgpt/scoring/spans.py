"""The most surprising span of a text: the run of positions whose losses exceed the usual most.

In: the losses of texts laid end to end, the usual loss of a position. Out: one span a text. The
native module finds them; where it is missing, Python does.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.compiled import native_spans
from microgpt.engines.contract import Floats

Offsets = NDArray[np.int64]

# Losses are rounded to 1 / _UNITS nats and summed as integers, so that sums are exact.
_UNITS = 2.0**16
_MOST = 1000.0


def spans(losses_N: Floats, texts: Offsets, usual: float) -> tuple[Offsets, Offsets]:
    """Return starts and stops of each text's most surprising span, as offsets.

    The span is the run of positions whose sum of (loss - usual) is largest: a maximal scoring
    segment; of equal ones the one that ends first, and of these the shortest. If no loss exceeds
    the usual, it is the position with the highest loss.

    Args:
        losses_N: nats; more than 1,000 from the usual count as 1,000.
        texts: offsets; no text is empty.
        usual: nats a position, that of other texts.

    Source: Karlin and Altschul, "Methods for assessing the statistical significance of molecular
    sequence features by using general scoring schemes", PNAS 87 (1990), section 1; found by
    Kadane's scan (Bentley, "Programming pearls", CACM 27 (1984)).

    >>> starts, stops = spans(np.array([1.0, 5, 1, 5, 1, 3, 9]), np.array([0, 5, 7]), usual=2.5)
    >>> starts.tolist(), stops.tolist()
    ([1, 5], [4, 7])
    """
    losses_N = np.ascontiguousarray(losses_N, dtype=np.float64)
    texts = np.ascontiguousarray(texts, dtype=np.int64)
    if native := native_spans():
        return native(losses_N, texts, usual, _UNITS, _MOST)
    return by_python(losses_N, texts, usual)


def by_python(losses_N: Floats, texts: Offsets, usual: float) -> tuple[Offsets, Offsets]:
    """Return the same without the native module: see `spans`.

    >>> by_python(np.array([1.0, 5.0, 5.0, 1.0]), np.array([0, 4]), usual=2.5)
    (array([1]), array([3]))
    """
    over_N: Floats = np.minimum(np.maximum(losses_N - usual, -_MOST), _MOST)
    whole_N: list[int] = np.rint(over_N * _UNITS).astype(np.int64).tolist()
    found: list[tuple[int, int]] = []
    for first, stop in pairwise(texts.tolist()):
        total, lowest, start, best, span = 0, 0, first, float("-inf"), (first, stop)
        for n in range(first, stop):
            # A span that ends here best begins at the lowest sum so far; of equal ones, at the
            # last.
            if total <= lowest:
                lowest, start = total, n
            total += whole_N[n]
            if total - lowest > best:
                best, span = total - lowest, (start, n + 1)
        found.append(span)
    starts, stops = [start for start, _ in found], [stop for _, stop in found]
    return np.array(starts, dtype=np.int64), np.array(stops, dtype=np.int64)
