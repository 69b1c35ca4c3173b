"""What follows contexts of one length: one order of an n-gram model.

In: the numbers of n-grams, and how often each comes. Out: probabilities, given those of the order
below.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.counting.count import Counts, Ints

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Order:
    """What follows contexts of one length.

    Attributes:
        pairs: context * V + token, ascending.
        counts: of each pair.
        contexts: those seen, ascending.
        totals: counts summed over a context's pairs.
        types: how many pairs it has.
        discount: d.
        vocab_size: V.
    """

    pairs: Ints
    counts: Counts
    contexts: Ints
    totals: Floats
    types: Floats
    discount: float
    vocab_size: int

    @classmethod
    def of(cls, pairs: Ints, counts: Counts, vocab_size: int) -> Order:
        """Sum up pairs and their counts."""
        contexts, first = np.unique(pairs // vocab_size, return_index=True)
        once, twice = (int((counts == n).sum()) for n in (1, 2))
        # Of a few documents all counts may be 1, or none: then half is as good a guess as any.
        discount = once / (once + 2 * twice) if once and twice else 0.5
        types = np.diff(np.append(first, len(pairs))).astype(np.float64)
        totals = np.add.reduceat(counts, first, dtype=np.float64) if len(pairs) else np.zeros(0)
        return cls(pairs, counts, contexts, totals, types, discount, vocab_size)

    def mixed(self, contexts_N: Ints, targets_N: NDArray[np.integer], p_N: Floats) -> Floats:
        """Return the probabilities of targets, given those by the contexts one token shorter."""
        totals_N, back_N = self.backing(contexts_N)
        keys_N = contexts_N * self.vocab_size + targets_N
        at = np.minimum(np.searchsorted(self.pairs, keys_N), len(self.pairs) - 1)
        seen_N = np.where(self.pairs[at] == keys_N, self.counts[at] - self.discount, 0.0)
        return (seen_N + back_N * p_N) / totals_N

    def backing(self, contexts: Ints) -> tuple[Floats, Floats]:
        """Return each context's total, and how much of it is left to the shorter one.

        Of a context never seen that is 1 of 1.
        """
        at = np.minimum(np.searchsorted(self.contexts, contexts), len(self.contexts) - 1)
        known = self.contexts[at] == contexts
        totals = np.where(known, self.totals[at], 1.0)
        return totals, np.where(known, self.discount * self.types[at], 1.0)
