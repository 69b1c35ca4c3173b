"""The n-gram counts of a mixture for a file: small whole numbers, whatever n and V are.

In: an `NGram`. Out: for each length, n-grams sorted by the shorter one that each ends in: how many
end in each, their first tokens, their counts. `page/model/counts.js` reads it.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt.counting.ngram import NGram
from microgpt.errors import RunError

Ints = NDArray[np.int64]


def counts(ngram: NGram) -> list[dict[str, Any]]:
    """Return the counts of each length, the shortest first.

    Raises:
        RunError: an n-gram ends in one that has no count: no training counted them.
    """
    V = ngram.vocab_size
    found: list[dict[str, Any]] = []
    # The numbers of the shorter n-grams, ascending, and the place of each in the file.
    shorter: Ints = np.zeros(1, dtype=np.int64)
    places: Ints = np.zeros(1, dtype=np.int64)
    for length, order in enumerate(ngram.orders):
        firsts, ends = np.divmod(order.pairs, V**length)
        at = np.minimum(np.searchsorted(shorter, ends), len(shorter) - 1)
        if (shorter[at] != ends).any():
            raise RunError(
                f"the counts have {length + 1} tokens of which they lack the last {length}: "
                "they are not as microgpt counts."
            )
        parents = places[at]
        order_of = np.lexsort((firsts, parents))
        children = np.bincount(parents, minlength=len(shorter))
        found.append(
            {
                "children": wholes(children),
                "firsts": wholes(firsts[order_of] if length else order.pairs[order_of]),
                "counts": wholes(order.counts[order_of]),
                "discount": order.discount,
            }
        )
        shorter, places = order.pairs, np.empty(len(order.pairs), dtype=np.int64)
        places[order_of] = np.arange(len(order_of))
    return found


def wholes(numbers: NDArray[np.integer]) -> str:
    """Write whole numbers, seven bits a byte, the lowest first, in base64.

    >>> base64.b64decode(wholes(np.array([5, 300]))).hex(" ")
    '05 ac 02'
    """
    rest = np.asarray(numbers, dtype=np.uint64)
    parts: list[NDArray[np.uint8]] = []
    kept: list[NDArray[np.bool_]] = []
    going = np.ones(len(rest), dtype=bool)
    while going.any():
        low = (rest & np.uint64(127)).astype(np.uint8)
        rest = rest >> np.uint64(7)
        parts.append(np.where(rest > 0, low | np.uint8(128), low))
        kept.append(going)
        going = rest > 0
    if not parts:
        return ""
    data = np.stack(parts, axis=1)[np.stack(kept, axis=1)]
    return base64.b64encode(data.tobytes()).decode("ascii")
