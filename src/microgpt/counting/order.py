"""One order of an n-gram model: the tokens that follow contexts of one length.

In: the numbers of n-grams, and the count of each. Out: probabilities, given those of the order
below.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from microgpt.counting.count import Counts, Ints, starts
from microgpt.counting.grams import Grams

Floats = NDArray[np.float64]
Places = NDArray[np.int32]

# Numbers below this are looked up in a table, which takes a third of a binary search's time.
_TABLE = 1 << 20


class Following(NamedTuple):
    """What followed some contexts of B rows, in an order.

    Attributes:
        rows: those whose context came.
        places: the indices of their contexts.
        entries: of p_BV, flat, of each token that followed.
        pairs: the index of each context with that token.
    """

    rows: Ints
    places: Ints
    entries: Ints
    pairs: Ints


@dataclass(frozen=True, eq=False)
class Order:
    """The tokens that follow contexts of one length.

    Attributes:
        pairs: the numbers of (context, token), context * V + token, ascending.
        counts: n(a, c) of each pair.
        contexts: the numbers of the contexts, ascending.
        totals: n(a), the sum of the counts of a context's pairs.
        types: how many different tokens follow each context.
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
        """Make an order of ascending pairs and their counts."""
        contexts = pairs // vocab_size
        first = starts(contexts)
        once, twice = (int((counts == n).sum()) for n in (1, 2))
        # In a few documents all counts may be 1, or none: the estimate fails, so d is 0.5.
        discount = once / (once + 2 * twice) if once and twice else 0.5
        types = np.diff(np.append(first, len(pairs))).astype(np.float64)
        totals = np.add.reduceat(counts, first, dtype=np.float64) if len(pairs) else np.zeros(0)
        return cls(pairs, counts, contexts[first], totals, types, discount, vocab_size)

    @cached_property
    def _pairs_at(self) -> Places | None:
        return _table(self.pairs)

    @cached_property
    def _firsts(self) -> Ints:
        """The index of the first pair of each context."""
        return (np.cumsum(self.types) - self.types).astype(np.int64)

    @cached_property
    def _tokens(self) -> Ints:
        """The second token of each pair."""
        return self.pairs % self.vocab_size

    @cached_property
    def _shares(self) -> tuple[Floats, Floats]:
        """(n(a, c) - d) / n(a) of each pair; and d types(a) / n(a) of each context."""
        totals = np.repeat(self.totals, self.types.astype(np.int64))
        return (self.counts - self.discount) / totals, self.discount * self.types / self.totals

    @cached_property
    def _contexts_at(self) -> Places | None:
        return _table(self.contexts)

    def mixed(self, contexts_N: Ints, targets_N: NDArray[np.integer], p_N: Floats) -> Floats:
        """Return p_N of the targets in these contexts, given p_N in contexts a token shorter."""
        totals_N, back_N = self.backing(contexts_N)
        at, known_N = _found(self._pairs_at, self.pairs, contexts_N * self.vocab_size + targets_N)
        seen_N = np.where(known_N, self.counts[at] - self.discount, 0.0)
        return (seen_N + back_N * p_N) / totals_N

    def followed(self, contexts_B: Ints) -> Following:
        """Find what followed these contexts."""
        at, known_B = _found(self._contexts_at, self.contexts, contexts_B)
        rows: Ints = np.flatnonzero(known_B).astype(np.int64)
        places = at[rows]
        lengths = self.types[places].astype(np.int64)
        # The pairs of a context stand together: their indices are runs, each from its first one on.
        firsts: Ints = self._firsts[places] - (np.cumsum(lengths) - lengths)
        pairs: Ints = np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(firsts, lengths)
        entries = np.repeat(rows * self.vocab_size, lengths) + self._tokens[pairs]
        return Following(rows, places, entries, pairs)

    def spread(self, its: Following, p_BV: Floats) -> Floats:
        """Return p_BV of all tokens in these contexts, given p_BV in contexts a token shorter."""
        back_B, (shares, backs) = np.ones(len(p_BV)), self._shares
        back_B[its.rows] = backs[its.places]
        p_BV = p_BV * back_B[:, None]
        p_BV.ravel()[its.entries] += shares[its.pairs]
        return p_BV

    def times(self, contexts: Ints) -> Floats:
        """Return n(a) of each context, 0 of an unseen one."""
        at, known = _found(self._contexts_at, self.contexts, contexts)
        return np.where(known, self.totals[at], 0.0)

    def of_grams(self, its: Grams, p_G: Floats) -> Floats:
        """Return p_G of distinct n-grams, given p_G of those one token shorter."""
        contexts, targets = np.divmod(its.pairs, self.vocab_size)
        return self.mixed(contexts, targets, p_G[its.suffixes])

    def backing(self, contexts: Ints) -> tuple[Floats, Floats]:
        """Return n(a) of each context, and the part d types(a) left to the order below.

        Both are 1 for an unseen context, so that the order below decides alone.
        """
        at, known = _found(self._contexts_at, self.contexts, contexts)
        totals = np.where(known, self.totals[at], 1.0)
        return totals, np.where(known, self.discount * self.types[at], 1.0)


def _table(numbers: Ints) -> Places | None:
    """Return the index of each number in ascending `numbers`, -1: not there; None: too large."""
    if not len(numbers) or numbers[-1] >= _TABLE:
        return None
    table: Places = np.full(int(numbers[-1]) + 2, -1, dtype=np.int32)
    table[numbers] = np.arange(len(numbers), dtype=np.int32)
    return table


def _found(table: Places | None, numbers: Ints, keys: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the index of each key in ascending `numbers` (any, if it is not there), and whether
    it is there.
    """
    if table is None:
        at = np.minimum(np.searchsorted(numbers, keys), len(numbers) - 1)
        return at, numbers[at] == keys
    at = table[np.minimum(keys, len(table) - 1)].astype(np.int64)
    return at, at >= 0
