"""How wrong a model is: the mean loss of many documents, what it is made of, whether it is honest.

In: a predictor, a tokenizer, texts. Out: a `Score` for each text, or one `Evaluation` of all. Every
character is priced, the first one and the end of the document included. Texts longer than the block
are read in windows side by side, as in training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from microgpt.data.tokenizer import Tokenizer
from microgpt.data.tokenizer.unknown import charge
from microgpt.engines.contract import Predictor
from microgpt.evaluation.calibration import Calibration
from microgpt.evaluation.parts import Parts
from microgpt.evaluation.predictions import Predictions
from microgpt.evaluation.temperature import Temperature
from microgpt.loss import LN_2, LossSum
from microgpt.scoring.logits import blocks
from microgpt.scoring.price import CHARACTERS, Laid, groups
from microgpt.scoring.score import Character, Score, scores

__all__ = ["Character", "Evaluation", "Evaluator", "Score", "evaluate", "scores"]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The losses of many documents together.

    Attributes:
        sum: over all positions of all documents.
        documents: how many.
        document_loss: the mean of the documents' own means: a short one counts as much as a long.
        hits: positions where the likeliest token came.
        n_bytes: of the texts in UTF-8, one more for each end.
        unknown: characters that the vocabulary lacks.
        parts: what the sum is made of.
        calibration: of all (position, token) predictions; positions of unknown characters left out
            here and below.
        confidence: of the likeliest token's probability alone.
        brier: the mean Brier score.
        spherical: the mean spherical score.
        temperature: the one that would have been better.
    """

    sum: LossSum
    documents: int
    document_loss: float
    hits: int
    n_bytes: int
    unknown: int
    parts: Parts = field(compare=False, repr=False)
    calibration: Calibration
    confidence: Calibration
    brier: float
    spherical: float
    temperature: Temperature

    @property
    def loss(self) -> float:
        """Nats per position."""
        return self.sum.mean

    @property
    def bits(self) -> float:
        """Bits per position."""
        return self.sum.bits

    @property
    def bits_per_byte(self) -> float:
        """All bits over all bytes: what can be compared between tokenizers."""
        return self.sum.nats / LN_2 / self.n_bytes if self.n_bytes else math.nan

    @property
    def perplexity(self) -> float:
        """Between how many equally likely tokens the model was in doubt."""
        return self.sum.perplexity

    @property
    def accuracy(self) -> float:
        """The share of positions where the likeliest token came."""
        return self.hits / self.sum.positions if self.sum.positions else math.nan

    @property
    def scores(self) -> dict[str, float]:
        """What each of `rules.RULES` gives, in their order."""
        return {
            "log": self.loss,
            "brier": self.brier,
            "spherical": self.spherical,
            "accuracy": self.accuracy,
            "calibration_error": self.calibration.error,
        }

    def _repr_html_(self) -> str:
        """Show in a notebook what the loss is, and where it comes from."""
        from microgpt import html

        return html.fragment("evaluation", result=self)


class Evaluator:
    """Prices documents, sums up, and compares what was predicted with what came.

    Memory does not grow with their number.

    Args:
        predictor: the model.
        tokenizer: of its ids.
        block_size: longer documents are read in windows.
    """

    def __init__(self, predictor: Predictor, tokenizer: Tokenizer, block_size: int) -> None:
        self._predictor, self._tokenizer, self._block_size = predictor, tokenizer, block_size
        self._predictions, self._parts, self._n_bytes = Predictions(), Parts(tokenizer), 0

    def each(self, texts: Iterable[str]) -> Iterator[int]:
        """Take in documents, some at a time; yield how many have been taken in so far."""
        for group in groups(texts, CHARACTERS):
            self._add(group)
            yield self._parts.n_documents

    def _add(self, group: Sequence[str]) -> None:
        parts, laid = self._parts, Laid.of(group, self._tokenizer, self._block_size)
        batch, number_D = laid.batch, parts.n_documents + np.arange(len(group))
        number_N = np.repeat(number_D, np.diff(laid.texts))
        losses_N, likely_N = np.zeros(batch.positions), np.zeros(batch.positions, dtype=np.int64)
        for its, logits_NV in blocks(self._predictor, batch, self._tokenizer.vocab_size):
            found = self._predictions.add(logits_NV, batch.targets_N[its], number_N[its])
            losses_N[its], likely_N[its] = found
        charge(losses_N, batch.targets_N, self._tokenizer)
        parts.add(laid, losses_N, likely_N)
        self._n_bytes += int((laid.given.sizes + 1).sum())

    @property
    def evaluation(self) -> Evaluation:
        """What was found."""
        parts, predictions = self._parts, self._predictions
        return Evaluation(
            sum=parts.sum,
            documents=parts.n_documents,
            document_loss=parts.document_loss,
            hits=parts.hits,
            n_bytes=self._n_bytes,
            unknown=parts.unknown,
            parts=parts,
            calibration=predictions.every.calibration(),
            confidence=predictions.likeliest.calibration(),
            brier=predictions.marks.brier,
            spherical=predictions.marks.spherical,
            temperature=predictions.thermometer.temperature(),
        )


def evaluate(
    predictor: Predictor, tokenizer: Tokenizer, block_size: int, texts: Iterable[str]
) -> Evaluation:
    """Price documents, sum up, and compare what was predicted with what came."""
    evaluator = Evaluator(predictor, tokenizer, block_size)
    for _ in evaluator.each(texts):
        pass
    return evaluator.evaluation
