"""The GPT and a model that counts, mixed: what one is sure of, the other need not have learnt.

In: an engine, an `NGram`, a weight. Out: an engine whose probabilities are::

    p = (1 - weight) p_GPT + weight p_counts

Training, parameters and gradients are the GPT's alone. The weight is fitted on documents that
neither has seen; it is one number, so that it cannot learn them.

Source: Jelinek and Mercer, "Interpolated estimation of Markov source parameters from sparse data"
(1980).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from microgpt.counting.ngram import NGram
from microgpt.data.batch import Batch, Batches
from microgpt.engines.contract import Decoder, Engine, Floats, State, Tensors, Tokens
from microgpt.loss import LossSum

DEFAULT_WEIGHT = 0.2
"""Where there are no documents to fit it on."""

MOST_WEIGHT = 0.999
"""What the counts never saw must not cost everything."""


class Mixture:
    """An engine whose losses and decoders are mixed with counts; all else is the engine's.

    Args:
        engine: the GPT's.
        ngram: the counts.
        weight: theirs, in [0, 1).
    """

    def __init__(self, engine: Engine, ngram: NGram, weight: float = DEFAULT_WEIGHT) -> None:
        self.engine, self.ngram, self.weight = engine, ngram, weight
        self._fitted_on: Batch | None = None
        self._counts_N: Floats = np.zeros(0)

    @property
    def name(self) -> str:
        """The engine's."""
        return self.engine.name

    @property
    def threads(self) -> int:
        """The engine's."""
        return self.engine.threads

    def load(self, state: State) -> None:
        """Take over a state."""
        self.engine.load(state)

    def state(self) -> State:
        """Return a copy of all that training changes."""
        return self.engine.state()

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats."""
        return mixed(self.engine.losses(batch), self.ngram.losses(batch), self.weight)

    def gradients(self, batch: Batch) -> Tensors:
        """Return the GPT's."""
        return self.engine.gradients(batch)

    def train(self, batches: Batches, lr_K: Floats) -> list[LossSum]:
        """Train the GPT."""
        return self.engine.train(batches, lr_K)

    def decoder(self, rows: int) -> MixedDecoder:
        """Return a decoder of both."""
        return MixedDecoder(self.engine.decoder(rows), self.ngram, self.weight, rows)

    def fit(self, batch: Batch) -> tuple[Floats, Floats]:
        """Choose the weight under which documents cost least; return losses_N, and the GPT's."""
        if batch is not self._fitted_on:  # training measures on the same ones again and again
            self._fitted_on, self._counts_N = batch, self.ngram.losses(batch)
        gpt_N = self.engine.losses(batch)
        self.weight = fitted(gpt_N, self._counts_N)
        return mixed(gpt_N, self._counts_N, self.weight), gpt_N


def mixed(gpt_N: Floats, counts_N: Floats, weight: float) -> Floats:
    """Return the losses of the mixture of two.

    >>> mixed(np.array([np.log(2.0)]), np.array([np.log(4.0)]), weight=0.5).round(4)
    array([0.9808])
    """
    # A GPT that has run away has losses that are no numbers; so are those of the mixture then.
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.logaddexp(np.log1p(-weight) - gpt_N, np.log(weight) - counts_N)


def fitted(gpt_N: Floats, counts_N: Floats) -> float:
    """Return the weight of the second under which the mixture costs least.

    >>> round(fitted(np.array([0.5, 0.5, 3.0]), np.array([2.0, 2.0, 1.0])), 2)
    0.32
    """
    # The gain over the GPT alone is the sum of log(1 + weight r): concave, its slope falls.
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
    """Rows that advance together, and the last tokens of each."""

    def __init__(self, decoder: Decoder, ngram: NGram, weight: float, rows: int) -> None:
        self._decoder, self._ngram, self._weight = decoder, ngram, weight
        self._contexts: NDArray[np.int64] = np.full((rows, ngram.n - 1), ngram.bos, dtype=np.int64)

    def push(self, tokens_B: Tokens) -> Floats:
        """Read one token a row; return the logarithms of p_BV, which are logits too."""
        tokens_B = np.asarray(tokens_B, dtype=np.int64)
        logits_BV = self._decoder.push(tokens_B)
        read = tokens_B >= 0
        if self._contexts.shape[1]:
            self._contexts[read, :-1] = self._contexts[read, 1:]
            self._contexts[read, -1] = tokens_B[read]
        p_BV = self._ngram.probabilities(self._contexts[read])
        shifted = logits_BV[read] - logits_BV[read].max(axis=1, keepdims=True)
        e_BV = np.exp(shifted)
        sums_B1 = e_BV.sum(axis=1, keepdims=True)
        e_BV /= sums_B1
        p_BV = (1.0 - self._weight) * e_BV + self._weight * p_BV
        if not p_BV.all():
            # What the GPT holds for all but impossible, where the counts weigh nothing.
            p_BV = np.maximum(p_BV, np.finfo(np.float64).tiny)
            gpt_BV = shifted - np.log(sums_B1)
            logits_BV[read] = np.where(e_BV > 0.0, np.log(p_BV), gpt_BV)
            return logits_BV
        logits_BV[read] = np.log(p_BV)
        return logits_BV
