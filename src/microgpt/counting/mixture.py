"""The mixture of a GPT and an n-gram model: a weighted mean of their probabilities.

In: a GPT, an `NGram`, a weight. Out: a predictor whose probabilities are::

    p = (1 - weight) p_GPT + weight p_counts

The GPT is trained without the counts. The weight is fitted on documents that neither model has
seen: it is a single number, which cannot overfit thousands of positions.

Source: Jelinek and Mercer, "Interpolated estimation of Markov source parameters from sparse data"
(1980).
"""

from __future__ import annotations

import numpy as np

from microgpt.counting.ngram import NGram, NGramDecoder
from microgpt.data.batch import Batch
from microgpt.engines.contract import Decoder, Floats, Predictor, Tokens
from microgpt.loss.many import Softmax

DEFAULT_WEIGHT = 0.2
"""The weight where there are no held-out documents to fit it on."""

MOST_WEIGHT = 0.999
"""The largest weight: the GPT's share bounds the loss of what the counts have never seen."""


class Mixture:
    """A predictor whose probabilities are a weighted mean of a GPT's and an n-gram model's.

    Args:
        gpt: the GPT.
        ngram: the n-gram model.
        weight: of the n-gram model, in [0, 1).
    """

    def __init__(self, gpt: Predictor, ngram: NGram, weight: float = DEFAULT_WEIGHT) -> None:
        self.gpt, self.ngram, self.weight = gpt, ngram, weight
        self._fitted_on: Batch | None = None
        self._counts_N: Floats = np.zeros(0)

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats."""
        return mixed(self.gpt.losses(batch), self.ngram.losses(batch), self.weight)

    def logits(self, batch: Batch) -> Floats:
        """Return the logarithms of p_NV, which are valid logits."""
        p_NV = self.ngram.probabilities(self.ngram.contexts(batch))
        return _mixed_logits(self.gpt.logits(batch), p_NV, self.weight)

    def decoder(self, rows: int) -> MixedDecoder:
        """Return a decoder of both."""
        return MixedDecoder(self.gpt.decoder(rows), self.ngram.decoder(rows), self.weight)

    def fit(self, batch: Batch) -> tuple[Floats, Floats]:
        """Set the weight with the lowest loss on a batch's counted positions.

        Returns:
            losses_N of the counted positions, and the GPT's.
        """
        if batch is not self._fitted_on:  # a training evaluates the same batch many times
            self._fitted_on, self._counts_N = batch, batch.counted(self.ngram.losses(batch))
        gpt_N = batch.counted(self.gpt.losses(batch))
        self.weight = fitted(gpt_N, self._counts_N)
        return mixed(gpt_N, self._counts_N, self.weight), gpt_N


def mixed(gpt_N: Floats, counts_N: Floats, weight: float) -> Floats:
    """Return the losses of a mixture from those of the GPT and of the counts.

    >>> mixed(np.array([np.log(2.0)]), np.array([np.log(4.0)]), weight=0.5).round(4)
    array([0.9808])
    """
    # A diverged GPT has losses of infinity or NaN: the mixture's are so too, without a warning.
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.logaddexp(np.log1p(-weight) - gpt_N, np.log(weight) - counts_N)


def fitted(gpt_N: Floats, counts_N: Floats) -> float:
    """Return the weight of the counts that minimises the loss of the mixture.

    >>> round(fitted(np.array([0.5, 0.5, 3.0]), np.array([2.0, 2.0, 1.0])), 2)
    0.32
    """
    # The gain over the GPT alone, sum of log(1 + weight r), is concave: bisect on its derivative.
    r_N = np.expm1(np.minimum(gpt_N - counts_N, 500.0))
    low, high = 0.0, MOST_WEIGHT
    for _ in range(30):
        middle = (low + high) / 2
        if float((r_N / (1.0 + middle * r_N)).sum()) > 0.0:
            low = middle
        else:
            high = middle
    return low


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
