"""The distinct n-grams of documents: an n-gram model gives each of them one probability.

In: a batch. Out: for each length the distinct n-grams, the count of each, and the index of the
n-gram without its first token among the shorter ones. There are few, because text repeats: a
million characters of a play have 150,000 distinct n-grams of six characters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from microgpt.counting.count import Counts, Ints, counted, suffixes
from microgpt.data.batch import Batch


@dataclass(frozen=True, eq=False)
class Grams:
    """The distinct n-grams of one length.

    Attributes:
        pairs: the number of each, context * V + token, ascending.
        times: how often each occurs.
        suffixes: the index of each without its first token, among the n-grams one token shorter.
    """

    pairs: Ints
    times: Counts
    suffixes: Ints


def grams(batch: Batch, n: int, vocab_size: int, bos: int) -> list[Grams]:
    """Return the distinct n-grams of 1, 2, ... n tokens.

    >>> from microgpt.data.batch import lay_out
    >>> batch = lay_out([[0, 1], [1]], bos=2, block_size=8).batch
    >>> one, two = grams(batch, 2, vocab_size=3, bos=2)
    >>> one.pairs.tolist(), one.times.tolist(), two.pairs.tolist(), two.suffixes.tolist()
    ([0, 1, 2], [1, 2, 2], [1, 5, 6, 7], [1, 2, 0, 1])
    """
    found: list[Grams] = []
    pairs, times = counted(batch, n, vocab_size, bos)
    for k in range(n - 1, -1, -1):
        numbers, order, firsts = suffixes(pairs, vocab_size**k)
        places: Ints = np.empty(len(pairs), dtype=np.int64)
        places[order] = np.repeat(np.arange(len(firsts)), np.diff(firsts, append=len(order)))
        found.append(Grams(pairs, times, places))
        pairs, times = numbers, np.add.reduceat(times[order], firsts)
    return found[::-1]
