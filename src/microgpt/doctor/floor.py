"""The floor of a data set: no honest model of documents in a random order has a lower loss.

In: documents. Out: nats a position.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from microgpt.data.batch import Batch


def floor(batch: Batch) -> float:
    """Return the least loss that documents in a random order can have, nats a position.

    W documents, of which the k-th different one comes c_k times, can come in W! / (c_1! c_2! ...)
    orders. No code tells these apart in fewer nats than the logarithm of their number, and a
    model's losses are the length of a code. Windows that begin inside a document are told their
    first token: they are counted apart for each first token::

        floor = sum over first tokens (log W! - sum_k log c_k!) / positions

    A model that has learnt all documents by heart comes near it; one that comes below has seen what
    it had to predict.

    Source: Shannon, "A mathematical theory of communication" (1948), the source coding theorem.

    >>> from microgpt.data.batch import lay_out
    >>> four = lay_out([[0], [1], [2], [2]], bos=3, block_size=4).batch
    >>> round(floor(four), 4) == round(math.log(4 * 3) / 8, 4)
    True
    """
    starts = batch.documents[:-1]
    place_N = np.arange(batch.positions) - np.repeat(starts, np.diff(batch.documents))
    # Documents with equal sums are taken as equal: their factors are random numbers of 64 bits.
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 2**63, int(place_N.max()) + 2, np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    first_W = batch.tokens_N[starts].astype(np.int64)
    each_N = (batch.targets_N.astype(np.uint64) + np.uint64(1)) * factors[place_N]
    sums_W = np.add.reduceat(each_N ^ (each_N >> np.uint64(29)), starts)
    sums_W += (first_W.astype(np.uint64) + np.uint64(1)) * factors[-1]
    _, alike = np.unique(sums_W, return_counts=True)
    orders = _log_factorials(np.bincount(first_W)) - _log_factorials(alike)
    return orders / batch.positions


def _log_factorials(numbers: NDArray[np.int64]) -> float:
    """Return the sum of log n!."""
    return math.fsum(math.lgamma(n + 1) for n in numbers[numbers > 1].tolist())


def letters(batch: Batch) -> float:
    """Return the loss of the documents under the frequencies of their own tokens.

    >>> from microgpt.data.batch import lay_out
    >>> round(letters(lay_out([[0], [1]], bos=2, block_size=4).batch), 4)  # 1/4, 1/4, 1/2
    1.0397
    """
    times = np.bincount(batch.targets_N)
    share = times[times > 0] / batch.positions
    return -float((share * np.log(share)).sum())
