"""A mixture: a predictor made of a GPT and counts, with a cache of long texts.

The GPT is trained without the counts. What a mixture has of its own is fitted on documents that
neither has seen. How probabilities are mixed is said by the two kinds, `linear` and
`loglinear_mixture`; in long texts, where windows have a history, the result is then mixed with a
`TextCache` of the text itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from copy import copy

import numpy as np

from microgpt.counting.cache import TextCache
from microgpt.counting.count import Ints
from microgpt.counting.fitted import Fitted
from microgpt.counting.named import counts_of
from microgpt.counting.ngram import NGram, NGramDecoder
from microgpt.data.batch import Batch
from microgpt.engines.contract import Decoder, Floats, Predictor, Tokens


class Mixture(ABC):
    """A predictor whose probabilities are those of a GPT and of counts, mixed.

    Args:
        gpt: the GPT.
        ngram: the counts.
        cache: of the text that is read; None: there is none.
    """

    def __init__(self, gpt: Predictor, ngram: NGram, cache: TextCache | None = None) -> None:
        self.gpt, self.ngram, self.cache = gpt, ngram, cache

    @property
    @abstractmethod
    def fitted(self) -> Fitted:
        """All that is fitted in it."""

    @abstractmethod
    def take(self, fitted: Fitted) -> None:
        """Take what was fitted in a mixture of the same kind."""

    @abstractmethod
    def mix(self, logits_BV: Floats, last: Ints) -> Floats:
        """Return the logarithms of the mixture's p_BV, without the cache.

        Args:
            logits_BV: of the GPT.
            last: (B, n - 1), the last tokens of each row, the newest last; BOS before a document.
        """

    @abstractmethod
    def _losses(self, batch: Batch) -> Floats:
        """Return losses_N without the cache."""

    @abstractmethod
    def _fit(self, batch: Batch) -> tuple[Floats, Floats]:
        """Set the weights of the counts; return losses of the counted positions, and the GPT's."""

    def with_gpt(self, gpt: Predictor) -> Mixture:
        """Return the same mixture, of another predictor; both share the counts."""
        other = copy(self)
        other.gpt = gpt
        return other

    def losses(self, batch: Batch) -> Floats:
        """Return losses_N, nats."""
        losses_N = self._losses(batch)
        return self.cache.losses(losses_N, batch) if self.cache else losses_N

    def logits(self, batch: Batch) -> Floats:
        """Return the logarithms of p_NV, which are valid logits."""
        logits_NV = self.mix(self.gpt.logits(batch), self.ngram.contexts(batch))
        return self.cache.logits(logits_NV, batch) if self.cache else logits_NV

    def decoder(self, rows: int) -> MixedDecoder:
        """Return a decoder of both, without the cache: no text before its window is known."""
        return MixedDecoder(self.gpt.decoder(rows), self.ngram.decoder(rows), self.mix)

    def fit(self, batch: Batch) -> tuple[Floats, Floats]:
        """Set the weights with the lowest loss on a batch's counted positions, the cache's last.

        Returns:
            losses_N of the counted positions, and the GPT's.
        """
        losses_N, gpt_N = self._fit(batch)
        self.cache, losses_N = TextCache.fit(losses_N, batch)
        return losses_N, gpt_N

    def record(self, gpt: float) -> dict[str, float | bool | str]:
        """Return what stands beside its loss in JSON: the GPT's own, the weight, the cache."""
        weight = self.fitted.weight
        weighed = {"mixture": "log-linear"} if weight is None else {"weight": weight}
        return {"gpt": gpt, **weighed, **({"cache": True} if self.cache else {})}

    def named(self, unit: str, *, is_fitted: bool = True) -> str:
        """Name the counts that the GPT is mixed with, and the cache.

        Args:
            unit: the name of a token.
            is_fitted: whether to say the weight.
        """
        weight, cached = self.fitted.weight, self.cache is not None
        shown = weight if is_fitted else None
        return counts_of(self.ngram.n, unit, shown, several=weight is None, cached=cached)


class MixedDecoder:
    """Sequences decoded side by side, by a GPT and by counts.

    Args:
        gpt, counts: the decoders.
        mix: as `Mixture.mix`.
    """

    def __init__(
        self, gpt: Decoder, counts: NGramDecoder, mix: Callable[[Floats, Ints], Floats]
    ) -> None:
        self._gpt, self._counts, self._mix = gpt, counts, mix

    def push(self, tokens_B: Tokens) -> Floats:
        """Read one token a row; return the logarithms of p_BV, which are valid logits."""
        logits_BV, last = self._gpt.push(tokens_B), self._counts.read(tokens_B)
        read = np.asarray(tokens_B) >= 0
        logits_BV[read] = self._mix(logits_BV[read], last)
        return logits_BV
