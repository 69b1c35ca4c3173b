"""N-gram models of two, three, ... n tokens, side by side: all that a log-linear mixture counts.

In: the n-gram model of the longest. Out: the probabilities of each model's next token. A model's
highest order counts occurrences, its lower ones the different tokens that precede; so all models
share their lower orders, and the occurrences of shorter n-grams are sums of those of longer ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from microgpt.counting.count import Ints, shorter
from microgpt.counting.ngram import NGram
from microgpt.counting.order import Floats, Order


class NGrams:
    """N-gram models of 2, 3, ... n tokens; of n = 1 that one alone.

    Args:
        longest: the one of n tokens.

    >>> from microgpt.data.batch import lay_out
    >>> batch = lay_out([[0, 1], [0, 1], [1]], bos=2, block_size=8).batch
    >>> models = NGrams(NGram.of(batch, vocab_size=3, bos=2, n=3))
    >>> last = np.array([[2, 0], [1, 1]])
    >>> [np.exp(log_p_BV).round(3).tolist() for log_p_BV in models.each(last)]
    [[[0.025, 0.95, 0.025], [0.017, 0.033, 0.95]], [[0.019, 0.962, 0.019], [0.075, 0.15, 0.775]]]
    >>> models.came(last)  # (2, 0) twice, (1, 1) never
    array([2., 0.])
    """

    def __init__(self, longest: NGram) -> None:
        self.longest = longest
        V = longest.vocab_size
        self._highest = [longest.orders[-1]]
        pairs, times = longest.longest
        for k in range(longest.n - 1, 1, -1):
            pairs, times, _ = shorter(pairs, times, V**k)
            self._highest.insert(0, Order.of(pairs, times, V))

    def __len__(self) -> int:
        """How many models there are."""
        return len(self._highest)

    def each(self, last: Ints) -> Iterator[Floats]:
        """Yield log p_BV of each model, the shortest first.

        Args:
            last: (B, n - 1), the last tokens of each row, the newest last; BOS before a document.
        """
        longest, skipped = self.longest, self.longest.n - len(self)
        below_BV = np.full((len(last), longest.vocab_size), 1.0 / longest.vocab_size)
        for k, contexts_B in enumerate(longest.numbers(last)):
            # The highest order of a model and the lower one of longer ones count the same pairs.
            followed = longest.orders[k].followed(contexts_B)
            if k >= skipped:
                yield np.log(self._highest[k - skipped].spread(followed, below_BV))
            if k + 1 < longest.n:
                below_BV = longest.orders[k].spread(followed, below_BV)

    def came(self, last: Ints) -> Floats:
        """Return how often the last n - 1 tokens of each row came in the training documents."""
        *_, contexts_B = self.longest.numbers(last)
        return self.longest.orders[-1].times(contexts_B)
