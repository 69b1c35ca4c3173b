"""Why scores are divided by sqrt(K): heads with random queries and keys, drawn without numpy.

In: a head's width. Out: the size of its products, and its largest share with the division and
without it.
"""

from __future__ import annotations

import random

import numpy as np

from microgpt.inside.operations import Floats
from microgpt.loss.many import Softmax

_HEADS = 100


def scaled(head_width: int, positions: int) -> tuple[float, float, float]:
    """Return the root mean square of q k, and the mean largest share, without and with / sqrt(K).

    Queries and keys are standard normal, the same on all machines.

    >>> size, without, divided = scaled(64, positions=8)
    >>> 7 < size < 9, without > 0.8, divided < 0.4
    (True, True, True)
    """
    rng, K = random.Random(1), head_width
    drawn = [rng.gauss(0.0, 1.0) for _ in range(_HEADS * (positions + 1) * K)]
    rows_NSK = np.reshape(np.array(drawn), (_HEADS, positions + 1, K))
    products_NS: Floats = np.einsum("nk,nsk->ns", rows_NSK[:, 0], rows_NSK[:, 1:])
    size = float(np.sqrt(np.mean(products_NS**2)))
    plain, divided = (_largest(products_NS / by) for by in (1.0, K**0.5))
    return size, plain, divided


def _largest(scores_NS: Floats) -> float:
    return float(Softmax(scores_NS).p_BV.max(axis=1).mean())
