"""The unigram and the bigram model, smoothed by Witten and Bell's rule.

In: documents, or an n-gram model that has counted them. Out: the loss at each position.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.counting.count import Counts as Times
from microgpt.counting.count import counted, shorter
from microgpt.counting.ngram import NGram
from microgpt.data.batch import Batch

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def unigrams(counts_V: Floats) -> Floats:
    """Return p_V, the smoothed unigram probabilities (formula in `Counts`).

    >>> unigrams(np.array([3.0, 1.0, 0.0])).round(3).tolist()
    [0.611, 0.278, 0.111]
    """
    types = np.count_nonzero(counts_V)
    return (counts_V + types / len(counts_V)) / (counts_V.sum() + types)


@dataclass(frozen=True, eq=False)
class Counts:
    """Unigram and bigram counts, smoothed by Witten and Bell's rule.

    ::

        p(c)     = (n(c)    + types     / V   ) / (n    + types)
        p(c | a) = (n(a, c) + types(a) * p(c)) / (n(a) + types(a))

    where types is the number of different ids seen, and types(a) of those seen after a: the more
    often a new id came, the more probable are unseen ones. There is nothing to tune, no probability
    is 0, and it works on ten documents as on ten million.

    Source: Witten and Bell, "The zero-frequency problem", IEEE Trans. Inf. Theory 37 (1991).
    """

    vocab_size: int
    unigrams_V: Floats
    contexts_V: Floats
    types_V: Floats
    pairs: Ints
    pair_counts: Floats

    @classmethod
    def of(cls, batch: Batch, vocab_size: int) -> Counts:
        """Count the pairs in documents.

        >>> from microgpt.data.batch import lay_out
        >>> batch = lay_out([[0, 1], [0, 1]], bos=2, block_size=8).batch
        >>> counts = Counts.of(batch, 3)
        >>> float(counts.unigram(batch).sum().round(4)), float(counts.bigram(batch).sum().round(4))
        (6.5917, 1.5079)
        """
        no_bos = 0  # no pair begins before a document
        return cls._of_pairs(*counted(batch, 2, vocab_size, no_bos), vocab_size)

    @classmethod
    def of_ngram(cls, ngram: NGram) -> Counts:
        """Sum the pairs' counts from an n-gram model, n >= 2: quicker than counting documents.

        >>> from microgpt.data.batch import lay_out
        >>> from microgpt.counting.ngram import NGram
        >>> batch = lay_out([[0, 1], [0, 1]], bos=2, block_size=8).batch
        >>> counts = Counts.of_ngram(NGram.of(batch, 3, bos=2))
        >>> counts.pairs.tolist(), counts.pair_counts.tolist()
        ([1, 5, 6], [2.0, 2.0, 2.0])
        """
        pairs, times, _ = shorter(*ngram.longest, ngram.vocab_size**2)
        return cls._of_pairs(pairs, times, ngram.vocab_size)

    @classmethod
    def _of_pairs(cls, pairs: Ints, pair_counts: Times, vocab_size: int) -> Counts:
        V = vocab_size
        # The second tokens of all pairs are all targets: their counts are those of the unigram.
        counts_V = np.bincount(pairs % V, pair_counts, minlength=V).astype(np.float64)
        return cls(
            V,
            unigrams(counts_V),
            np.bincount(pairs // V, pair_counts, minlength=V).astype(np.float64),
            np.bincount(pairs // V, minlength=V).astype(np.float64),
            pairs,
            pair_counts.astype(np.float64),
        )

    def unigram(self, batch: Batch) -> Floats:
        """Return losses_N of the unigram model, nats."""
        return -np.log(self.unigrams_V[batch.targets_N])

    def times(self, batch: Batch) -> Floats:
        """Return times_N: how often each position's token was followed by its target."""
        keys = batch.tokens_N.astype(np.int64) * self.vocab_size + batch.targets_N
        at = np.minimum(np.searchsorted(self.pairs, keys), len(self.pairs) - 1)
        return np.where(self.pairs[at] == keys, self.pair_counts[at], 0.0)

    def bigram(self, batch: Batch) -> Floats:
        """Return losses_N of the bigram model, nats."""
        tokens, targets, seen = batch.tokens_N, batch.targets_N, self.times(batch)
        # An unseen context has n(a) = types(a) = 0: with types 1 in its place, p is the unigram's.
        types = np.where(self.contexts_V[tokens] > 0, self.types_V[tokens], 1.0)
        p = (seen + types * self.unigrams_V[targets]) / (self.contexts_V[tokens] + types)
        return -np.log(p)

    @property
    def log_p_VV(self) -> Floats:
        """The bigram model as a table: the logarithm of p(column | row), for small vocabularies."""
        V = self.vocab_size
        tokens_N, targets_N = np.divmod(np.arange(V * V), V)
        losses_N = self.bigram(Batch(tokens_N, targets_N, np.array([0, V * V])))
        return -np.reshape(losses_N, (V, V))
