"""The most surprising span of a text: the run of positions whose losses exceed the usual most.

In: the losses of texts laid end to end, the usual loss of a position. Out: one span a text.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats

Offsets = NDArray[np.int64]

# Losses are rounded to 2^-16 to 2^-8 nats and summed as integers, so that sums are exact.
_FINEST, _COARSEST = 16, 8
_MOST = 1000.0


def spans(losses_N: Floats, texts: Offsets, usual: float) -> tuple[Offsets, Offsets]:
    """Return starts and stops of each text's most surprising span, as offsets.

    The span is the run of positions whose sum of (loss - usual) is largest: a maximal scoring
    segment. If no loss exceeds the usual, it is the position with the highest loss.

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
    # A sum, its text and its index are packed into 64 bits: the least sum comes with its index.
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
    # The sums of each text are shifted below those of all before it: one running minimum then
    # serves all texts.
    first_D = texts[:-1]
    shift_D = behind_N[first_D] - whole_N[first_D] + np.arange(D) * int(reach * units)
    behind_N -= np.repeat(shift_D, np.diff(texts))
    places_N = np.arange(N - 1, -1, -1)
    # A span that ends here best begins at the lowest sum so far; of equal ones, at the last.
    lowest_N = np.minimum.accumulate(((behind_N - whole_N) << place_bits) | places_N)
    gain_N = behind_N - (lowest_N >> place_bits)
    best_D = np.maximum.reduceat((gain_N << place_bits) | places_N, first_D)
    mask = (1 << place_bits) - 1
    last_D = N - 1 - (best_D & mask)
    return N - 1 - (lowest_N[last_D] & mask), last_D + 1
