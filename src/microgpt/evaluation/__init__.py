"""Evaluation: the mean loss of many documents, its parts, and the calibration of the predictions.

In: a predictor, a tokenizer, texts. Out: an `Evaluation` of all texts; or a `Score` for each. Every
character has a loss, the first one and the end of the document included. Texts longer than the
block are read in windows.
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
        document_loss: the mean of the documents' losses: each document counts the same.
        hits: positions where the target was the likeliest token.
        n_bytes: of the texts in UTF-8, and one for the end of each.
        unknown: unknown characters.
        parts: sums of the losses by position, character, length and document.
        calibration: of all (position, token) predictions; it and all that follow leave out unknown
            characters.
        confidence: calibration of the likeliest tokens alone.
        brier: the mean Brier score.
        spherical: the mean spherical score.
        temperature: the temperature with the lowest loss.
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
        """The sum of bits over the number of bytes: comparable between tokenizers."""
        return self.sum.nats / LN_2 / self.n_bytes if self.n_bytes else math.nan

    @property
    def perplexity(self) -> float:
        """exp(loss): as many equally likely tokens would have the same loss."""
        return self.sum.perplexity

    @property
    def accuracy(self) -> float:
        """The share of positions where the target was the likeliest token."""
        return self.hits / self.sum.positions if self.sum.positions else math.nan

    @property
    def scores(self) -> dict[str, float]:
        """The value of each of `rules.RULES`, in their order."""
        return {
            "log": self.loss,
            "brier": self.brier,
            "spherical": self.spherical,
            "accuracy": self.accuracy,
            "calibration_error": self.calibration.error,
        }

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: the loss and its parts."""
        from microgpt import html

        return html.fragment("evaluation", result=self)


class Evaluator:
    """Measures the losses of documents, sums them up, and compares predictions with targets.

    Memory does not grow with the number of documents.

    Args:
        predictor: the model.
        tokenizer: encodes the documents.
        block_size: longer documents are read in windows.
    """

    def __init__(self, predictor: Predictor, tokenizer: Tokenizer, block_size: int) -> None:
        self._predictor, self._tokenizer, self._block_size = predictor, tokenizer, block_size
        self._predictions, self._parts, self._n_bytes = Predictions(), Parts(tokenizer), 0

    def each(self, texts: Iterable[str]) -> Iterator[int]:
        """Measure documents, some at a time; yield how many have been measured so far."""
        for group in groups(texts, CHARACTERS):
            self._add(group)
            yield self._parts.n_documents

    def _add(self, group: Sequence[str]) -> None:
        parts, laid = self._parts, Laid.of(group, self._tokenizer, self._block_size)
        batch, number_D = laid.batch, parts.n_documents + np.arange(len(group))
        number_N = np.repeat(number_D, np.diff(laid.texts))
        losses_N, likely_N = np.zeros(batch.positions), np.zeros(batch.positions, dtype=np.int64)
        windows, V = laid.windows(self._tokenizer), self._tokenizer.vocab_size
        for its, logits_NV in blocks(self._predictor, windows, V):
            found = self._predictions.add(logits_NV, batch.targets_N[its], number_N[its])
            losses_N[its], likely_N[its] = found
        charge(losses_N, batch.targets_N, self._tokenizer)
        parts.add(laid, losses_N, likely_N)
        self._n_bytes += int((laid.given.sizes + 1).sum())

    @property
    def evaluation(self) -> Evaluation:
        """The evaluation of all documents so far."""
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
    """Measure the losses of documents, sum them up, and compare predictions with targets."""
    evaluator = Evaluator(predictor, tokenizer, block_size)
    for _ in evaluator.each(texts):
        pass
    return evaluator.evaluation
