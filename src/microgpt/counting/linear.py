"""The linear mixture: a weighted mean of the probabilities of a GPT and of an n-gram model.

In: a GPT, an `NGram`, a weight. Out: a predictor whose probabilities are::

    p = (1 - weight) p_GPT + weight p_counts

The weight is a single number, which cannot overfit thousands of positions.

Source: Jelinek and Mercer, "Interpolated estimation of Markov source parameters from sparse data"
(1980).
"""

from __future__ import annotations

import numpy as np

from microgpt.counting.cache import TextCache
from microgpt.counting.count import Ints
from microgpt.counting.fitted import Fitted
from microgpt.counting.mixture import Mixture
from microgpt.counting.ngram import NGram
from microgpt.counting.weight import fitted, mixed
from microgpt.data.batch import Batch
from microgpt.engines.contract import Floats, Predictor
from microgpt.loss.many import Softmax

DEFAULT_WEIGHT = 0.2
"""The weight where there are no held-out documents to fit it on."""


class LinearMixture(Mixture):
    """A predictor whose probabilities are a weighted mean of a GPT's and an n-gram model's.

    Args:
        gpt: the GPT.
        ngram: the n-gram model.
        weight: of the n-gram model, in [0, 1).
        cache: of the text that is read; None: there is none.
    """

    def __init__(
        self,
        gpt: Predictor,
        ngram: NGram,
        weight: float = DEFAULT_WEIGHT,
        cache: TextCache | None = None,
    ) -> None:
        super().__init__(gpt, ngram, cache)
        self.weight = weight
        self._fitted_on: Batch | None = None
        self._counts_N: Floats = np.zeros(0)

    @property
    def fitted(self) -> Fitted:
        """All that is fitted in it."""
        return Fitted(weight=self.weight, cache=self.cache)

    def take(self, fitted: Fitted) -> None:
        """Take what was fitted in a mixture of the same kind."""
        self.weight = DEFAULT_WEIGHT if fitted.weight is None else fitted.weight
        self.cache = fitted.cache

    def mix(self, logits_BV: Floats, last: Ints) -> Floats:
        """Return the logarithms of the mixture's p_BV, without the cache."""
        softmax = Softmax(logits_BV)
        gpt_BV = softmax.p_BV
        p_BV = (1.0 - self.weight) * gpt_BV + self.weight * self.ngram.probabilities(last)
        if p_BV.all():
            return np.log(p_BV)
        # Where the sum underflows to 0 but the GPT's p is positive, its logarithm is exact.
        log_BV = np.log(np.maximum(p_BV, np.finfo(np.float64).tiny))
        return np.where(gpt_BV > 0.0, log_BV, softmax.log_p_BV)

    def _losses(self, batch: Batch) -> Floats:
        return mixed(self.gpt.losses(batch), self.ngram.losses(batch), self.weight)

    def _fit(self, batch: Batch) -> tuple[Floats, Floats]:
        if batch is not self._fitted_on:  # a training evaluates the same batch many times
            self._fitted_on, self._counts_N = batch, batch.counted(self.ngram.losses(batch))
        gpt_N = batch.counted(self.gpt.losses(batch))
        self.weight = fitted(gpt_N, self._counts_N)
        return mixed(gpt_N, self._counts_N, self.weight), gpt_N
