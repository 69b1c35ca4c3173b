"""A trained model beside models that only count: the ladder of baselines on any documents.

In: a model and the documents that it was trained on. Out: losses of counting models, a `Ladder`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from microgpt.counting.ladder import Ladder, enough, ladder, ngram
from microgpt.counting.ngram import NGram
from microgpt.counting.pairs import Counts
from microgpt.data.batch import Batch, as_counted, whole
from microgpt.data.measured import overlapped
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import encode_all
from microgpt.errors import UsageError
from microgpt.loss import LossSum
from microgpt.loss.error import Floats, Offsets, standard_error
from microgpt.runs.model import Model
from microgpt.wording import count

if TYPE_CHECKING:
    from microgpt.engines.contract import Predictor


@dataclass(frozen=True)
class Errors:
    """How far the losses of other documents of the same source may lie from those measured.

    Attributes:
        own: the standard error of the model's loss, nats a position.
        gain: how much lower it is than that of the n-gram; None: there is no n-gram.
        gain_error: the standard error of `gain`. Differences are taken document by document: both
            losses are high on the same documents, so that it is less than either's own.
    """

    own: float
    gain: float | None = None
    gain_error: float | None = None


class Compared(Model):
    """A trained model that knows its documents."""

    @cached_property
    @abstractmethod
    def documents(self) -> tuple[Texts, Texts]:
        """The documents trained on and those held out."""

    @cached_property
    @abstractmethod
    def held_out(self) -> Texts:
        """The documents held out."""

    @cached_property
    def ngram(self) -> NGram:
        """The n-gram model of the training documents whose n has the lowest held-out loss.

        Raises:
            RunError, DataError: the documents are missing, or have changed.
        """
        trained, held_out = self.documents
        return ngram(self._counted(trained), self.tokenizer, self._measured(held_out))

    def ladder(self, texts: Sequence[str] | None = None) -> Ladder:
        """Compare the model with baselines on documents; None: on the held-out ones.

        Raises:
            UsageError: there are none.
            RunError, DataError: the training documents are missing, or have changed.
        """
        what = "document" if texts is not None else "held-out document"
        texts = self._held_out() if texts is None else list(texts)
        if not texts:
            raise UsageError("texts must not be empty; got none.")
        model = LossSum.of(np.concatenate(self.losses(texts)))
        baselines, alone, mixes = self.baselines(texts), self.alone(texts), self.mixture is not None
        n, models = self.ngram.n, self.settings.training.models
        words = count(len(texts), what)
        return Ladder(words, baselines, model, n, alone, mixes, models=models)

    def baselines(self, texts: Sequence[str], *, seen: bool = False) -> dict[str, LossSum]:
        """Return the losses of the baselines, which have counted the training documents.

        Args:
            texts: the documents to measure.
            seen: whether they are training documents: then the n-gram and `xz`, which would have
                memorised them, are left out.

        Raises:
            RunError, DataError: the training documents are missing, or have changed.
        """
        from microgpt.counting.beside import beside
        from microgpt.counting.xz import xz

        (trained, held_out), measured = self.documents, self._measured(texts)
        read = self.tokenizer.reading
        packed = lambda: xz(read(trained), read(Texts.of(texts)), measured.n_counted)  # noqa: E731
        size = None if seen else beside(packed)
        batch = self._counted(trained)
        pairs = Counts.of(batch, self.tokenizer.vocab_size)
        batch = enough(batch)  # drops the other documents, to save memory
        if not seen and "ngram" not in vars(self):
            self.ngram = ngram(batch, self.tokenizer, self._measured(held_out))
        rungs = ladder(pairs, measured, self.tokenizer, None if seen else self.ngram)
        return {**rungs, "xz": size()} if size else rungs

    def errors(self, texts: Sequence[str], *, seen: bool = False) -> Errors:
        """Return the standard errors of the model's loss, and of its distance to the n-gram's.

        Args:
            texts: the documents to measure.
            seen: whether they are training documents: the n-gram has memorised these.

        Raises:
            UsageError: there are no texts.
            RunError, DataError: the training documents are missing, or have changed.
        """
        nats_D, positions_D = self._nats(texts, self.predictor)
        own = standard_error(nats_D, positions_D)
        if seen:
            return Errors(own)
        gain_D = self._nats(texts, self.ngram)[0] - nats_D
        gain = float(gain_D.sum()) / int(positions_D.sum())
        return Errors(own, gain, standard_error(gain_D, positions_D))

    def _nats(self, texts: Sequence[str], predictor: Predictor) -> tuple[Floats, Offsets]:
        """Return each text's sum of losses, and its positions."""
        from microgpt.scoring.price import Pricer

        if not texts:
            raise UsageError("texts must not be empty; got none.")
        pricer = Pricer(predictor, self.tokenizer, self.settings.model.block_size)
        each = [(priced.nats_D, priced.positions_D) for priced in pricer.each(texts)]
        nats, positions = zip(*each)
        return np.concatenate(nats), np.concatenate(positions)

    def _whole(self, texts: Iterable[str]) -> Batch:
        """Lay texts end to end."""
        return whole(encode_all(self.tokenizer, texts))

    def _counted(self, texts: Iterable[str]) -> Batch:
        """Lay texts out as n-grams are counted in them."""
        return as_counted(self._whole(texts), self.settings.model.block_size)

    def _measured(self, texts: Iterable[str]) -> Batch:
        """Lay texts out in windows, as the model's loss is measured."""
        return overlapped(self._whole(texts), self.settings.model.block_size)

    def _held_out(self) -> Sequence[str]:
        if not self.held_out:
            raise UsageError("texts must be given: this run held no documents out.")
        return self.held_out
