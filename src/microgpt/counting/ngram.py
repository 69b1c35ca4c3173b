"""The n-gram model: interpolated Kneser-Ney smoothing.

In: documents. Out: the probability of each next token::

    p_k(c | a) = (max(n(a, c) - d, 0) + d types(a) p_k-1(c | a')) / n(a)

where a is the last k tokens, a' is a without its first token, d is the order's discount, and
types(a) is the number of different tokens that have followed a. In the highest order n(a, c) counts
occurrences; in lower orders it counts the different tokens that have preceded (a, c): "Francisco"
is frequent, but follows one word only. An unseen context has p_k = p_k-1, and below the empty
context all tokens are equally likely. So there is nothing to tune, no probability is 0, and the
model works on ten documents as on ten million.

Source: Kneser and Ney, "Improved backing-off for m-gram language modeling" (1995); the discount of
Ney, Essen and Kneser (1994), d = n1 / (n1 + 2 n2), where n1 and n2 are the numbers of n-grams with
count 1 and 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np

from microgpt.counting.count import Counts, Ints, blocks, contexts, counted, shorter, together
from microgpt.counting.grams import grams
from microgpt.counting.order import Floats, Order
from microgpt.data.batch import Batch
from microgpt.errors import UsageError

MOST = 8
"""The longest n-grams to try: longer ones gain nothing on names, and take memory."""

# Positions measured at once: a dozen arrays of that size fit in a processor's cache.
_IN_CACHE = 1 << 17


class NGram:
    """An n-gram model: the counts of all orders.

    Args:
        orders: from the empty context to the longest.
        vocab_size: V.
        bos: the id of BOS, of which the contexts before a document consist.
    """

    def __init__(self, orders: list[Order], vocab_size: int, bos: int) -> None:
        self._orders, self.vocab_size, self.bos = orders, vocab_size, bos

    @classmethod
    def of(cls, batch: Batch, vocab_size: int, bos: int, n: int = 5) -> NGram:
        """Count n-grams; reduce n until V^n fits in 62 bits.

        >>> from microgpt.data.batch import lay_out
        >>> batch = lay_out([[0, 1], [0, 1], [1]], bos=2, block_size=8).batch
        >>> model = NGram.of(batch, vocab_size=3, bos=2, n=3)
        >>> [round(float(p), 3) for p in np.exp(-model.losses(batch))]
        [0.642, 0.963, 0.972, 0.642, 0.963, 0.972, 0.333, 0.944]
        """
        while n > 1 and n * np.log2(vocab_size) > 62:
            n -= 1
        return cls._summed(counted(batch, n, vocab_size, bos), vocab_size, bos, n)

    @classmethod
    def _summed(cls, longest: tuple[Ints, Counts], vocab_size: int, bos: int, n: int) -> NGram:
        """Make the orders below the longest n-grams by summing."""
        orders = [Order.of(*longest, vocab_size)]
        for k in range(n - 1, 0, -1):
            pairs, _, before = shorter(orders[0].pairs, orders[0].counts, vocab_size**k)
            orders.insert(0, Order.of(pairs, before, vocab_size))
        return cls(orders, vocab_size, bos)

    def also(self, batch: Batch) -> NGram:
        """Return the model that has counted these documents too."""
        longest = [self.longest, counted(batch, self.n, self.vocab_size, self.bos)]
        return self._summed(together(longest), self.vocab_size, self.bos, self.n)

    @classmethod
    def chosen(
        cls, batch: Batch, vocab_size: int, bos: int, held_out: Batch, most: int = MOST
    ) -> NGram:
        """Count n-grams, with the n that has the lowest held-out loss.

        The lower orders are the same for every n, so trying all n takes little longer than the
        largest alone.

        Args:
            batch: the documents to count.
            vocab_size: V.
            bos: the id of BOS.
            held_out: documents that are not in `batch`.
            most: the largest n to try.
        """
        most = max(1, min(most, int(62 / np.log2(max(vocab_size, 2)))))
        # For each n: the n-grams, their occurrences (the counts of a highest order), and how many
        # tokens precede them (those of a lower one). Each n's are summed from those of n + 1.
        pairs, times = counted(batch, most, vocab_size, bos)
        counts = [(pairs, times, times)]
        for k in range(most - 1, 0, -1):
            counts.append(shorter(*counts[-1][:2], vocab_size**k))
        others = grams(held_out, most, vocab_size, bos)[::-1]
        p_G = np.full(1, 1.0 / vocab_size)
        orders: list[Order] = []
        below: list[Order] = []
        least = math.inf
        while counts:  # the shortest first; counts are dropped once used, to save memory
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
        """The length of the longest n-grams, in tokens."""
        return len(self._orders)

    @property
    def orders(self) -> list[Order]:
        """The counts of each order, from the empty context to the longest."""
        return self._orders

    @property
    def longest(self) -> tuple[Ints, Counts]:
        """The numbers of the longest n-grams, and the count of each."""
        return self._orders[-1].pairs, self._orders[-1].counts

    def priced(self, batch: Batch) -> tuple[Floats, Counts]:
        """Return the loss of each distinct n-gram of a batch, in nats, and how often it occurs."""
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
        """Return p_BV, the probabilities of the next token.

        Args:
            last: (B, n - 1), the last tokens of each row, the newest last; BOS before a document.
        """
        p_BV = np.full((len(last), self.vocab_size), 1.0 / self.vocab_size)
        for order, contexts_B in zip(self._orders, self.numbers(last)):
            p_BV = order.spread(order.followed(contexts_B), p_BV)
        return p_BV

    def numbers(self, last: Ints) -> Iterator[Ints]:
        """Yield the numbers of the contexts that end in these tokens, from the empty one on."""
        contexts_B = np.zeros(len(last), dtype=np.int64)
        yield contexts_B
        for k in range(1, self.n):
            contexts_B = contexts_B + last[:, -k] * self.vocab_size ** (k - 1)
            yield contexts_B

    def logits(self, batch: Batch) -> Floats:
        """Return logits_NV: the logarithms of p_NV, the probabilities of the next token."""
        return np.log(self.probabilities(self.contexts(batch)))

    def contexts(self, batch: Batch) -> Ints:
        """Return the last n - 1 tokens at each position, (N, n - 1), for `probabilities`."""
        contexts = np.full((batch.positions, self.n - 1), self.bos, dtype=np.int64)
        starts = np.repeat(batch.documents[:-1], np.diff(batch.documents))
        for k in range(1, self.n):
            source = np.arange(batch.positions, dtype=np.int64) - (k - 1)
            is_within = source >= starts
            contexts[is_within, -k] = batch.tokens_N[source[is_within]]
        return contexts

    def decoder(self, rows: int) -> NGramDecoder:
        """Return a decoder of this many rows."""
        return NGramDecoder(self, rows)

    def arrays(self) -> dict[str, Ints]:
        """Return the arrays that `from_arrays` takes: pairs and counts of each order."""
        return {
            f"{what}{k}": values
            for k, order in enumerate(self._orders)
            for what, values in (("pairs", order.pairs), ("counts", order.counts.astype(np.int64)))
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Ints], vocab_size: int, bos: int) -> NGram:
        """Make a model of the arrays that `arrays` returned.

        Raises:
            UsageError: they are not counts of n-grams over V tokens.
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
    """Decodes several rows side by side; it holds the last tokens of each."""

    def __init__(self, ngram: NGram, rows: int) -> None:
        self._ngram = ngram
        self._contexts: Ints = np.full((rows, ngram.n - 1), ngram.bos, dtype=np.int64)

    def push(self, tokens_B: Sequence[int] | Ints) -> Floats:
        """Read one token a row, negative to skip the row; return log p_BV, 0 in skipped rows."""
        logits_BV = np.zeros((len(self._contexts), self._ngram.vocab_size))
        logits_BV[np.asarray(tokens_B) >= 0] = np.log(self.probabilities(tokens_B))
        return logits_BV

    def probabilities(self, tokens_B: Sequence[int] | Ints) -> Floats:
        """Read one token a row, negative to skip the row; return p_BV of the rows not skipped."""
        return self._ngram.probabilities(self.read(tokens_B))

    def read(self, tokens_B: Sequence[int] | Ints) -> Ints:
        """Read one token a row, negative to skip the row; return the last tokens of the others."""
        tokens_B = np.asarray(tokens_B, dtype=np.int64)
        read = tokens_B >= 0
        if self._contexts.shape[1]:
            self._contexts[read, :-1] = self._contexts[read, 1:]
            self._contexts[read, -1] = tokens_B[read]
        return self._contexts[read]
