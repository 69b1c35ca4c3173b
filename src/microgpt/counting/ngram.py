"""A model that counts: what has followed the last few tokens; where that is rare, fewer of them.

In: documents. Out: the probability of every next token. Interpolated Kneser-Ney smoothing::

    p_k(c | a) = (max(n(a, c) - d, 0) + d types(a) p_k-1(c | a')) / n(a)

with `a` the last k tokens, a' all of them but the first, d the order's discount, and types(a) how
many different tokens have followed a. n counts how often; but in the orders below the highest, how
many different tokens have stood before: Francisco is frequent and follows one word. A context never
seen leaves the word to the shorter one; below the last, all tokens are equally likely. There is
nothing to tune, no probability is 0, and it works on ten documents as on ten million.

Source: Kneser and Ney, "Improved backing-off for m-gram language modeling" (1995); the discounts of
Ney, Essen and Kneser (1994), d = n1 / (n1 + 2 n2), with n1 and n2 how many counts are 1 and 2.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from microgpt.counting.count import Counts, Ints, blocks, contexts, counted, shorter
from microgpt.counting.grams import grams
from microgpt.counting.order import Floats, Order
from microgpt.data.batch import Batch
from microgpt.errors import UsageError

MOST = 8
"""Longer n-grams gain nothing on names, and cost memory."""

# Positions priced at once: a dozen arrays of them stay in a processor's cache.
_IN_CACHE = 1 << 17


class NGram:
    """Counts of all orders.

    Args:
        orders: from the empty context up.
        vocab_size: V.
        bos: what stands before a document.
    """

    def __init__(self, orders: list[Order], vocab_size: int, bos: int) -> None:
        self._orders, self.vocab_size, self.bos = orders, vocab_size, bos

    @classmethod
    def of(cls, batch: Batch, vocab_size: int, bos: int, n: int = 5) -> NGram:
        """Count n-grams, or shorter ones where their numbers would not fit in 63 bits.

        >>> from microgpt.data.batch import lay_out
        >>> batch = lay_out([[0, 1], [0, 1], [1]], bos=2, block_size=8).batch
        >>> model = NGram.of(batch, vocab_size=3, bos=2, n=3)
        >>> [round(float(p), 3) for p in np.exp(-model.losses(batch))]
        [0.642, 0.963, 0.972, 0.642, 0.963, 0.972, 0.333, 0.944]
        """
        while n > 1 and n * np.log2(vocab_size) > 62:
            n -= 1
        orders = [Order.of(*counted(batch, n, vocab_size, bos), vocab_size)]
        for k in range(n - 1, 0, -1):
            pairs, _, before = shorter(orders[0].pairs, orders[0].counts, vocab_size**k)
            orders.insert(0, Order.of(pairs, before, vocab_size))
        return cls(orders, vocab_size, bos)

    @classmethod
    def chosen(
        cls, batch: Batch, vocab_size: int, bos: int, held_out: Batch, most: int = MOST
    ) -> NGram:
        """Count n-grams of the length under which held-out documents cost least.

        The orders below the highest are the same whichever that is, so that all are tried for
        little more than the longest costs.

        Args:
            batch: the documents to count.
            vocab_size: V.
            bos: what stands before a document.
            held_out: documents that are not among them.
            most: the longest to try.
        """
        most = max(1, min(most, int(62 / np.log2(max(vocab_size, 2)))))
        # Of each length, as the highest order counts and as one below it does, the longest first:
        # what has been counted of one length gives the counts of the next shorter one.
        pairs, times = counted(batch, most, vocab_size, bos)
        counts = [(pairs, times, times)]
        for k in range(most - 1, 0, -1):
            counts.append(shorter(*counts[-1][:2], vocab_size**k))
        others = grams(held_out, most, vocab_size, bos)[::-1]
        p_G = np.full(1, 1.0 / vocab_size)
        orders: list[Order] = []
        below: list[Order] = []
        least = math.inf
        while counts:  # from the shortest on; what has been tried is forgotten
            (pairs, times, before), its = counts.pop(), others.pop()
            highest = Order.of(pairs, times, vocab_size)
            cost = -float(np.log(highest.of_grams(its, p_G)) @ its.times)
            if cost < least:
                least, orders = cost, [*below, highest]
            if counts:
                below.append(Order.of(pairs, before, vocab_size))
                p_G = below[-1].of_grams(its, p_G)
        return cls(orders, vocab_size, bos)

    @property
    def n(self) -> int:
        """How many tokens the longest n-gram has."""
        return len(self._orders)

    @property
    def longest(self) -> tuple[Ints, Counts]:
        """The numbers of the longest n-grams, and how often each comes."""
        return self._orders[-1].pairs, self._orders[-1].counts

    def priced(self, batch: Batch) -> tuple[Floats, Counts]:
        """Return the loss of each distinct n-gram of a batch, in nats, and how often it comes.

        These are the numbers in `losses`, each once.
        """
        p_G, times_G = np.full(1, 1.0 / self.vocab_size), cast("Counts", np.zeros(0, np.int32))
        for order, its in zip(self._orders, grams(batch, self.n, self.vocab_size, self.bos)):
            p_G, times_G = order.of_grams(its, p_G), its.times
        return -np.log(p_G), times_G

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats."""
        losses_N = np.empty(batch.positions)
        for its in blocks(batch, _IN_CACHE):
            p_N = np.full(its.stop - its.start, 1.0 / self.vocab_size)
            some = contexts(batch, its, self.n, self.vocab_size, self.bos)
            for order, contexts_N in zip(self._orders, some):
                p_N = order.mixed(contexts_N, batch.targets_N[its], p_N)
            losses_N[its] = -np.log(p_N)
        return losses_N

    def probabilities(self, last: Ints) -> Floats:
        """Return p_BV of what comes next.

        Args:
            last: (B, n - 1), the last tokens, the newest last; before a document stands BOS.
        """
        B = len(last)
        p_BV = np.full((B, self.vocab_size), 1.0 / self.vocab_size)
        contexts_B = np.zeros(B, dtype=np.int64)
        for k, order in enumerate(self._orders):
            if k:
                contexts_B = contexts_B + last[:, -k] * self.vocab_size ** (k - 1)
            totals_B, back_B = order.backing(contexts_B)
            p_BV *= back_B[:, None]
            first = np.searchsorted(order.pairs, contexts_B * self.vocab_size)
            stop = np.searchsorted(order.pairs, (contexts_B + 1) * self.vocab_size)
            lengths = stop - first
            rows = np.repeat(np.arange(B), lengths)
            offsets: Ints = first - (np.cumsum(lengths) - lengths)
            at: Ints = np.arange(len(rows), dtype=np.int64) + np.repeat(offsets, lengths)
            p_BV[rows, order.pairs[at] % self.vocab_size] += order.counts[at] - order.discount
            p_BV /= totals_B[:, None]
        return p_BV

    def logits(self, batch: Batch) -> Floats:
        """Return the logarithms of p_NV of what comes next at each position."""
        return np.log(self.probabilities(self.contexts(batch)))

    def contexts(self, batch: Batch) -> Ints:
        """Return the last n - 1 tokens at each position, as `probabilities` takes them."""
        contexts = np.full((batch.positions, self.n - 1), self.bos, dtype=np.int64)
        starts = np.repeat(batch.documents[:-1], np.diff(batch.documents))
        for k in range(1, self.n):
            source = np.arange(batch.positions, dtype=np.int64) - (k - 1)
            is_within = source >= starts
            contexts[is_within, -k] = batch.tokens_N[source[is_within]]
        return contexts

    def decoder(self, rows: int) -> NGramDecoder:
        """Return a decoder of so many rows."""
        return NGramDecoder(self, rows)

    def arrays(self) -> dict[str, Ints]:
        """Return all that must be kept."""
        return {
            f"{what}{k}": values
            for k, order in enumerate(self._orders)
            for what, values in (("pairs", order.pairs), ("counts", order.counts.astype(np.int64)))
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Ints], vocab_size: int, bos: int) -> NGram:
        """Make it again from what was kept.

        Raises:
            UsageError: that cannot be counts of n-grams of such tokens.
        """
        n = len(arrays) // 2
        if n > 1 and n * np.log2(vocab_size) > 62:
            raise UsageError(f"counts must be of as many tokens as fit in 62 bits; got {n}.")
        if not n or set(arrays) != {f"{what}{k}" for k in range(n) for what in ("pairs", "counts")}:
            raise UsageError("counts must have pairs and counts of each length; got others.")
        for k in range(n):
            pairs, counts = arrays[f"pairs{k}"], arrays[f"counts{k}"]
            if not len(pairs) or len(pairs) != len(counts) or counts.min() < 1:
                raise UsageError(f"counts of {k + 1} tokens must be one from 1 for each pair.")
            top = min(vocab_size ** (k + 1), 2**63)
            if pairs[0] < 0 or int(pairs[-1]) >= top or not (pairs[1:] > pairs[:-1]).all():
                raise UsageError(
                    f"pairs of {k + 1} tokens must be in order, each once, in [0, {top:,})."
                )
        orders = [
            Order.of(arrays[f"pairs{k}"], arrays[f"counts{k}"], vocab_size)
            for k in range(len(arrays) // 2)
        ]
        return cls(orders, vocab_size, bos)


class NGramDecoder:
    """Rows that advance together, and the last tokens of each."""

    def __init__(self, ngram: NGram, rows: int) -> None:
        self._ngram = ngram
        self._contexts: Ints = np.full((rows, ngram.n - 1), ngram.bos, dtype=np.int64)

    def push(self, tokens_B: Sequence[int] | Ints) -> Floats:
        """Read one token a row; return the logarithms of p_BV, 0 of a row that rests."""
        logits_BV = np.zeros((len(self._contexts), self._ngram.vocab_size))
        logits_BV[np.asarray(tokens_B) >= 0] = np.log(self.probabilities(tokens_B))
        return logits_BV

    def probabilities(self, tokens_B: Sequence[int] | Ints) -> Floats:
        """Read one token a row; return p of what comes next, of the rows that do not rest."""
        tokens_B = np.asarray(tokens_B, dtype=np.int64)
        read = tokens_B >= 0
        if self._contexts.shape[1]:
            self._contexts[read, :-1] = self._contexts[read, 1:]
            self._contexts[read, -1] = tokens_B[read]
        return self._ngram.probabilities(self._contexts[read])
