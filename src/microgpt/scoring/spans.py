"""Where a text surprises most: the run of positions that costs most above the usual.

In: losses of texts laid end to end, and what a position usually costs. Out: one span a text.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats

Offsets = NDArray[np.int64]

# Sums are of whole numbers, and so exact: at most 65,536 of them are a nat, at least 256.
_FINEST, _COARSEST = 16, 8
_MOST = 1000.0


def spans(losses_N: Floats, texts: Offsets, usual: float) -> tuple[Offsets, Offsets]:
    """Return starts and stops of each text's most surprising span, as offsets.

    The span is the run of positions whose sum of (loss - usual) is largest: a maximal scoring
    segment. One more position joins as long as what lies between is worth it. Where nothing costs
    more than usual, it is the costliest position.

    Args:
        losses_N: nats; more than 1,000 from the usual count as 1,000.
        texts: offsets; no text is empty.
        usual: nats a position, that of other texts.

    Source: Karlin and Altschul, "Methods for assessing the statistical significance of molecular
    sequence features by using general scoring schemes", PNAS 87 (1990), section 1; found by
    Kadane's scan (Bentley, "Programming pearls", CACM 27 (1984)), all texts at once.

    >>> starts, stops = spans(np.array([1.0, 5, 1, 5, 1, 3, 9]), np.array([0, 5, 7]), usual=2.5)
    >>> starts.tolist(), stops.tolist()
    ([1, 5], [4, 7])
    """
    N, D = len(losses_N), len(texts) - 1
    over_N: Floats = np.minimum(np.maximum(losses_N - usual, -_MOST), _MOST)
    # A sum, its text and its place are packed into 64 bits, so that a least sum brings its place.
    place_bits = N.bit_length()
    reach = float(np.abs(over_N).sum()) + N
    finest = 61 - place_bits - int(np.ceil(np.log2(reach * D)))
    if finest < _COARSEST and D > 1:
        half = D // 2
        middle = int(texts[half])
        left = spans(losses_N[:middle], texts[: half + 1], usual)
        right = spans(losses_N[middle:], texts[half:] - middle, usual)
        return np.append(left[0], right[0] + middle), np.append(left[1], right[1] + middle)
    units = 2.0 ** min(finest, _FINEST)
    whole_N = np.rint(over_N * units).astype(np.int64)
    behind_N = np.cumsum(whole_N)
    # Each text is moved below all before it, so that one running minimum serves them all.
    first_D = texts[:-1]
    shift_D = behind_N[first_D] - whole_N[first_D] + np.arange(D) * int(reach * units)
    behind_N -= np.repeat(shift_D, np.diff(texts))
    places_N = np.arange(N - 1, -1, -1)
    # The lowest sum so far, the last one if there are several, is where a span best begins.
    lowest_N = np.minimum.accumulate(((behind_N - whole_N) << place_bits) | places_N)
    gain_N = behind_N - (lowest_N >> place_bits)
    best_D = np.maximum.reduceat((gain_N << place_bits) | places_N, first_D)
    mask = (1 << place_bits) - 1
    last_D = N - 1 - (best_D & mask)
    return N - 1 - (lowest_N[last_D] & mask), last_D + 1
