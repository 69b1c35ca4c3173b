"""The log-linear mixture: the product of powers of the probabilities of a GPT and of counts.

In: a GPT, an `NGram` of n tokens, weights. Out: a predictor whose probabilities are those of a GPT
and of n-gram models of 2, 3, ... n tokens, as `loglinear` defines it. A loss needs the
probabilities of all tokens here, so it is for small vocabularies.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microgpt.counting.cache import TextCache
from microgpt.counting.count import Ints
from microgpt.counting.fitted import Fitted
from microgpt.counting.loglinear import LogLinear
from microgpt.counting.mixture import Mixture
from microgpt.counting.ngram import NGram
from microgpt.counting.ngrams import NGrams
from microgpt.data.batch import Batch
from microgpt.engines.contract import Floats, Predictor
from microgpt.errors import UsageError
from microgpt.loss.many import Softmax

# Numbers in memory at once: logarithms of probabilities to fit the weights on; those of one
# predictor while losses are computed. And the fewest positions to fit on.
_FITTED, _AT_ONCE, _FEW = 1 << 21, 1 << 17, 256


class LogLinearMixture(Mixture):
    """A predictor whose probabilities are products of powers of a GPT's and of several counts'.

    Args:
        gpt: the GPT.
        ngram: the counts of the longest n-grams, and of all shorter ones.
        weights: of the GPT and each count; None: none is fitted yet.
        cache: of the text that is read; None: there is none.

    Raises:
        UsageError: the weights are of another number of predictors.
    """

    def __init__(
        self,
        gpt: Predictor,
        ngram: NGram,
        weights: LogLinear | None = None,
        cache: TextCache | None = None,
    ) -> None:
        super().__init__(gpt, ngram, cache)
        self._counts = NGrams(ngram)
        self.weights = LogLinear.usual(len(self._counts))
        self.take(Fitted(log_linear=weights, cache=cache))
        self._fitted_on: Batch | None = None
        self._logs_NKV: Floats = np.zeros((0, 0, 0))
        self._came_N: Floats = np.zeros(0)

    @property
    def fitted(self) -> Fitted:
        """All that is fitted in it."""
        return Fitted(log_linear=self.weights, cache=self.cache)

    def take(self, fitted: Fitted) -> None:
        """Take what was fitted in a mixture of the same kind.

        Raises:
            UsageError: the weights are of another number of predictors.
        """
        weights = fitted.log_linear or LogLinear.usual(len(self._counts))
        if len(weights.weights) != 1 + len(self._counts):
            raise UsageError(
                f"log_linear must have weights of {1 + len(self._counts)} predictors, as many as "
                f"the GPT and counts of {self.ngram.n} tokens; got {len(weights.weights)}."
            )
        self.weights, self.cache = weights, fitted.cache

    def mix(self, logits_BV: Floats, last: Ints) -> Floats:
        """Return the logarithms of the mixture's p_BV, without the cache."""
        return self._softmax(Softmax(logits_BV), last).log_p_BV

    def _softmax(self, gpt: Softmax, last: Ints) -> Softmax:
        # Contexts repeat: what the counts contribute is computed once for each, and added up count
        # by count: in a product of matrices, a row's numbers could depend on the others.
        *_, contexts_B = self.ngram.numbers(last)
        _, firsts_U, which_B = np.unique(contexts_B, return_index=True, return_inverse=True)
        last = last[firsts_U]
        gpt_U, *weights_U = np.transpose(self.weights.at(self._counts.came(last)))
        log_UV = np.zeros((len(last), self.ngram.vocab_size))
        for weight_U, counts_UV in zip(weights_U, self._counts.each(last)):
            counts_UV *= weight_U[:, None]
            log_UV += counts_UV
        log_BV = gpt.log_p_BV
        log_BV *= gpt_U[which_B][:, None]
        log_BV += log_UV[which_B]
        return Softmax(log_BV)

    def _losses(self, batch: Batch) -> Floats:
        # Of all positions, context too: the caller takes those that it counts.
        return self._both(replace(batch, context=None))[0]

    def _both(self, batch: Batch) -> tuple[Floats, Floats]:
        """Return losses of the counted positions, and the GPT's."""
        losses_N, gpt_N = [np.zeros(0)], [np.zeros(0)]  # of no documents, no losses
        for _, piece in batch.pieces(max(1, _AT_ONCE // self.ngram.vocab_size)):
            softmax = Softmax(piece.counted(self.gpt.logits(piece)))
            targets_N = piece.counted(piece.targets_N)
            mixed = self._softmax(softmax, piece.counted(self.ngram.contexts(piece)))
            gpt_N.append(softmax.losses(targets_N))
            losses_N.append(mixed.losses(targets_N))
        return np.concatenate(losses_N), np.concatenate(gpt_N)

    def _fit(self, batch: Batch) -> tuple[Floats, Floats]:
        """Set the weights on some documents, evenly spread; measure all.

        That few bound time and memory, and the most of what is measured was not fitted on.
        """
        numbers = (1 + len(self._counts)) * self.ngram.vocab_size
        step = -(-batch.n_counted // max(_FEW, _FITTED // numbers))
        some = batch.take(np.arange(0, len(batch), step)) if step > 1 else batch
        if batch is not self._fitted_on:  # a training evaluates the same batch many times
            last = some.counted(self.ngram.contexts(some))
            self._logs_NKV = np.empty((len(last), 1 + len(self._counts), self.ngram.vocab_size))
            for k, log_p_NV in enumerate(self._counts.each(last)):
                self._logs_NKV[:, 1 + k] = log_p_NV
            self._fitted_on, self._came_N = batch, self._counts.came(last)
        gpt = Softmax(some.counted(self.gpt.logits(some)))
        self._logs_NKV[:, 0] = gpt.log_p_BV
        known = self._logs_NKV, self._came_N, some.counted(some.targets_N).astype(np.int64)
        self.weights = self.weights.fit(*known)
        if some is batch:
            return self.weights.losses(*known), gpt.losses(known[2])
        return self._both(batch)
