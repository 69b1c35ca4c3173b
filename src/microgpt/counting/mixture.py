"""The mixture of a GPT and an n-gram model: a weighted mean of their probabilities.

In: a GPT, an `NGram`, a weight. Out: a predictor whose probabilities are::

    p = (1 - weight) p_GPT + weight p_counts

The GPT is trained without the counts. The weight is fitted on documents that neither model has
seen: it is a single number, which cannot overfit thousands of positions. In long texts, where
windows have a history, p is then mixed with a `TextCache` of the text itself.

Source: Jelinek and Mercer, "Interpolated estimation of Markov source parameters from sparse data"
(1980).
"""

from __future__ import annotations

import numpy as np

from microgpt.counting.cache import TextCache
from microgpt.counting.ngram import NGram, NGramDecoder
from microgpt.counting.weight import fitted, mixed
from microgpt.data.batch import Batch
from microgpt.engines.contract import Decoder, Floats, Predictor, Tokens
from microgpt.loss.many import Softmax

DEFAULT_WEIGHT = 0.2
"""The weight where there are no held-out documents to fit it on."""


class Mixture:
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
        self.gpt, self.ngram, self.weight, self.cache = gpt, ngram, weight, cache
        self._fitted_on: Batch | None = None
        self._counts_N: Floats = np.zeros(0)

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats."""
        losses_N = mixed(self.gpt.losses(batch), self.ngram.losses(batch), self.weight)
        return self.cache.losses(losses_N, batch) if self.cache else losses_N

    def logits(self, batch: Batch) -> Floats:
        """Return the logarithms of p_NV, which are valid logits."""
        p_NV = self.ngram.probabilities(self.ngram.contexts(batch))
        logits_NV = _mixed_logits(self.gpt.logits(batch), p_NV, self.weight)
        return self.cache.logits(logits_NV, batch) if self.cache else logits_NV

    def decoder(self, rows: int) -> MixedDecoder:
        """Return a decoder of both, without the cache: no text before its window is known."""
        return MixedDecoder(self.gpt.decoder(rows), self.ngram.decoder(rows), self.weight)

    def fit(self, batch: Batch) -> tuple[Floats, Floats]:
        """Set the weights with the lowest loss on a batch's counted positions, the cache's last.

        Returns:
            losses_N of the counted positions, and the GPT's.
        """
        if batch is not self._fitted_on:  # a training evaluates the same batch many times
            self._fitted_on, self._counts_N = batch, batch.counted(self.ngram.losses(batch))
        gpt_N = batch.counted(self.gpt.losses(batch))
        self.weight = fitted(gpt_N, self._counts_N)
        losses_N = mixed(gpt_N, self._counts_N, self.weight)
        self.cache, losses_N = TextCache.fit(losses_N, batch)
        return losses_N, gpt_N

    def record(self, gpt: float) -> dict[str, float | bool]:
        """Return what stands beside its loss in JSON: the GPT's own, the weight, the cache."""
        return {"gpt": gpt, "weight": self.weight, **({"cache": True} if self.cache else {})}


class MixedDecoder:
    """Sequences decoded side by side, by a GPT and by counts."""

    def __init__(self, gpt: Decoder, counts: NGramDecoder, weight: float) -> None:
        self._gpt, self._counts, self._weight = gpt, counts, weight

    def push(self, tokens_B: Tokens) -> Floats:
        """Read one token a row; return the logarithms of p_BV, which are valid logits."""
        logits_BV, p_BV = self._gpt.push(tokens_B), self._counts.probabilities(tokens_B)
        read = np.asarray(tokens_B) >= 0
        logits_BV[read] = _mixed_logits(logits_BV[read], p_BV, self._weight)
        return logits_BV


def _mixed_logits(logits_BV: Floats, p_BV: Floats, weight: float) -> Floats:
    """Return the logarithms of the mixture of a GPT's logits and the counts' probabilities."""
    softmax = Softmax(logits_BV)
    gpt_BV = softmax.p_BV
    p_BV = (1.0 - weight) * gpt_BV + weight * p_BV
    if p_BV.all():
        return np.log(p_BV)
    # Where the sum underflows to 0 but the GPT's probability is positive, its logarithm is exact.
    log_BV = np.log(np.maximum(p_BV, np.finfo(np.float64).tiny))
    return np.where(gpt_BV > 0.0, log_BV, softmax.log_p_BV)
