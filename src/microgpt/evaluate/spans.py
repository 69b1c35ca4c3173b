"""Where a text surprises most: the run of positions that costs most above the usual.

In: losses of texts laid end to end, and what a position usually costs. Out: one span a text.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats

Offsets = NDArray[np.int64]

# Whole numbers, so that sums are exact: 65,536 of them are a nat.
_UNITS, _MOST = 65_536.0, 1000.0


def spans(losses_N: Floats, texts: Offsets, usual: float) -> tuple[Offsets, Offsets]:
    """Return starts and stops of each text's most surprising span, as offsets.

    The span is the run of positions whose sum of (loss - usual) is largest: a maximal scoring
    segment. One more position joins as long as what lies between is worth it. Where nothing costs
    more than usual, it is the costliest position.

    Args:
        losses_N: nats; more than 1,000 above the usual count as 1,000.
        texts: offsets; no text is empty.
        usual: nats a position, that of other texts.

    Source: Karlin and Altschul, "Methods for assessing the statistical significance of molecular
    sequence features by using general scoring schemes", PNAS 87 (1990), section 1; found by
    Kadane's scan (Bentley, "Programming pearls", CACM 27 (1984)), all texts at once.

    >>> starts, stops = spans(np.array([1.0, 5, 1, 5, 1, 3, 9]), np.array([0, 5, 7]), usual=2.5)
    >>> starts.tolist(), stops.tolist()
    ([1, 5], [4, 7])
    """
    lengths = np.diff(texts)
    owner_N = np.repeat(np.arange(len(lengths)), lengths)
    over_N = np.rint(np.minimum(np.maximum(losses_N - usual, -_MOST), _MOST) * _UNITS).astype(
        np.int64
    )
    total_N = np.cumsum(over_N)
    total_N -= np.repeat((total_N - over_N)[texts[:-1]], lengths)
    before_N = total_N - over_N
    # The lowest sum so far is where a span best begins. Each text is moved below all before it, so
    # that one running minimum serves them all.
    depth = owner_N * (int(before_N.max(initial=0)) - int(before_N.min(initial=0)) + 1)
    lowest_N = np.minimum.accumulate(before_N - depth) + depth
    gain_N = total_N - lowest_N
    places = np.arange(len(losses_N))
    ends_here = gain_N == np.repeat(np.maximum.reduceat(gain_N, texts[:-1]), lengths)
    last = np.minimum.reduceat(np.where(ends_here, places, len(places)), texts[:-1])
    begins_here = (before_N == np.repeat(lowest_N[last], lengths)) & (
        places <= np.repeat(last, lengths)
    )
    first = np.maximum.reduceat(np.where(begins_here, places, -1), texts[:-1])
    return first, last + 1
