"""What follows contexts of one length: one order of an n-gram model.

In: the numbers of n-grams, and how often each comes. Out: probabilities, given those of the order
below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from microgpt.counting.count import Counts, Ints
from microgpt.counting.grams import Grams

Floats = NDArray[np.float64]
Places = NDArray[np.int32]

# Numbers below this are looked up in a table, in a third of the time that a search takes.
_TABLE = 1 << 20


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

    @cached_property
    def _pairs_at(self) -> Places | None:
        return _table(self.pairs)

    @cached_property
    def _contexts_at(self) -> Places | None:
        return _table(self.contexts)

    def mixed(self, contexts_N: Ints, targets_N: NDArray[np.integer], p_N: Floats) -> Floats:
        """Return the probabilities of targets, given those by the contexts one token shorter."""
        totals_N, back_N = self.backing(contexts_N)
        at, known_N = _found(self._pairs_at, self.pairs, contexts_N * self.vocab_size + targets_N)
        seen_N = np.where(known_N, self.counts[at] - self.discount, 0.0)
        return (seen_N + back_N * p_N) / totals_N

    def of_grams(self, its: Grams, p_G: Floats) -> Floats:
        """Return the probabilities of n-grams, given those of the n-grams one token shorter."""
        contexts, targets = np.divmod(its.pairs, self.vocab_size)
        return self.mixed(contexts, targets, p_G[its.suffixes])

    def backing(self, contexts: Ints) -> tuple[Floats, Floats]:
        """Return each context's total, and how much of it is left to the shorter one.

        Of a context never seen that is 1 of 1.
        """
        at, known = _found(self._contexts_at, self.contexts, contexts)
        totals = np.where(known, self.totals[at], 1.0)
        return totals, np.where(known, self.discount * self.types[at], 1.0)


def _table(numbers: Ints) -> Places | None:
    """Return where in ascending numbers each stands, -1: nowhere; None: they are too large."""
    if not len(numbers) or numbers[-1] >= _TABLE:
        return None
    table: Places = np.full(int(numbers[-1]) + 2, -1, dtype=np.int32)
    table[numbers] = np.arange(len(numbers), dtype=np.int32)
    return table


def _found(table: Places | None, numbers: Ints, keys: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return where among ascending numbers keys stand, anywhere if they do not, and whether."""
    if table is None:
        at = np.minimum(np.searchsorted(numbers, keys), len(numbers) - 1)
        return at, numbers[at] == keys
    at = table[np.minimum(keys, len(table) - 1)].astype(np.int64)
    return at, at >= 0
