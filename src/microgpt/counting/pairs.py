"""Models of the letters' and of the pairs' frequencies.

In: documents, or what an n-gram has counted of them. Out: what each position costs.
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
    """Return p_V of the letters' frequencies (see `Counts`).

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

    where types is how many different ids were seen, in all or after a: what has been new often is
    expected to be new again. There is nothing to tune, no probability is 0, and it works on ten
    documents as on ten million.

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
        """Count what follows what.

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
        """Add up what an n-gram of two tokens or more has counted, which are far fewer numbers.

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
        # Every token ends one pair.
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
        """Return losses_N of the letters' frequencies."""
        return -np.log(self.unigrams_V[batch.targets_N])

    def bigram(self, batch: Batch) -> Floats:
        """Return losses_N of the pairs' frequencies."""
        tokens, targets = batch.tokens_N.astype(np.int64), batch.targets_N.astype(np.int64)
        keys = tokens * self.vocab_size + targets
        at = np.minimum(np.searchsorted(self.pairs, keys), len(self.pairs) - 1)
        seen = np.where(self.pairs[at] == keys, self.pair_counts[at], 0.0)
        # A context never seen has no types: then there is nothing but the unigram.
        types = np.where(self.contexts_V[tokens] > 0, self.types_V[tokens], 1.0)
        p = (seen + types * self.unigrams_V[targets]) / (self.contexts_V[tokens] + types)
        return -np.log(p)
