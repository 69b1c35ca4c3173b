"""How wrong a model is: the mean loss of many documents, what it is made of, whether it is honest.

In: an engine, a tokenizer, texts. Out: a `Score` for each text, or one `Evaluation` of all. Every
character is priced, the first one and the end of the document included. Texts longer than the block
are read in windows side by side, as in training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from microgpt import html
from microgpt.data.batch import Batch
from microgpt.data.tokenizer import Tokenizer
from microgpt.data.tokenizer.unknown import charge
from microgpt.engines.contract import Predictor
from microgpt.evaluation.calibration import GROUPS, Calibration, Reliability
from microgpt.evaluation.parts import Parts
from microgpt.evaluation.rules import Marks
from microgpt.evaluation.temperature import Temperature, Thermometer
from microgpt.loss import LN_2, LossSum
from microgpt.loss.many import log_softmax
from microgpt.scoring.score import Character, Score, scores
from microgpt.scoring.walk import Layer, Offsets, columns

__all__ = ["Character", "Evaluation", "Score", "evaluate", "mean_loss", "scores"]

TEXTS = 1024
"""How many are laid out together."""


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
        return html.fragment("evaluation", result=self)


def mean_loss(engine: Predictor, batch: Batch) -> LossSum:
    """Sum the losses of a batch; the mean is read off the sum."""
    return LossSum.of(engine.losses(batch).tolist())


def evaluate(
    engine: Predictor, tokenizer: Tokenizer, block_size: int, texts: Iterable[str]
) -> Evaluation:
    """Price documents, sum up, and hold what was predicted against what came."""
    calibration, confidence, marks, meter = Reliability(), Reliability(), Marks(), Thermometer()
    kept: list[str] = []
    pieces: list[tuple[np.ndarray, ...]] = []
    layer, remaining = Layer(tokenizer, block_size), iter(texts)
    while group := list(islice(remaining, TEXTS)):
        laid = layer.lay(group)
        number_N = len(kept) + np.repeat(np.arange(len(group)), np.diff(laid.texts))
        losses_N = charge(np.zeros(laid.batch.positions), laid.batch.targets_N, tokenizer)
        likely_N = np.zeros(laid.batch.positions, dtype=np.int32)
        for at_B, logits_BV in columns(engine, laid.batch):
            likely_N[at_B] = logits_BV.argmax(axis=1)
            known = laid.batch.targets_N[at_B] >= 0
            at_B, logits_BV = at_B[known], logits_BV[known]
            targets_B, number_B = laid.batch.targets_N[at_B], number_N[at_B]
            log_p_BV = log_softmax(logits_BV)
            rows, groups_B = np.arange(len(at_B)), number_B % GROUPS
            losses_N[at_B] = -log_p_BV[rows, targets_B]
            p_BV = np.exp(log_p_BV)
            came_BV = np.zeros(p_BV.shape, dtype=bool)
            came_BV[rows, targets_B] = True
            calibration.add(p_BV.ravel(), came_BV.ravel(), np.repeat(groups_B, p_BV.shape[1]))
            confidence.add(p_BV.max(axis=1), likely_N[at_B] == targets_B, groups_B)
            marks.add(log_p_BV, targets_B)
            meter.add(logits_BV, targets_B, number_B % 2)
        kept += group
        lengths = np.diff(laid.texts)
        pieces.append(
            (lengths, losses_N, laid.batch.targets_N, likely_N, laid.chars_N, laid.places_N)
        )
    lengths, *columns_N = map(np.concatenate, zip(*pieces)) if pieces else [np.zeros(0, int)] * 6
    offsets: Offsets = np.cumsum([0, *lengths], dtype=np.int64)
    parts = Parts(kept, offsets, *columns_N, tokenizer=tokenizer)
    return Evaluation(
        sum=parts.sum,
        documents=len(kept),
        document_loss=math.fsum(parts.means_D) / len(kept) if kept else math.nan,
        hits=int(parts.hits_N.sum()),
        n_bytes=sum(len(text.encode()) + 1 for text in kept),
        unknown=int((parts.targets_N < 0).sum()),
        parts=parts,
        calibration=calibration.calibration(),
        confidence=confidence.calibration(),
        brier=marks.brier,
        spherical=marks.spherical,
        temperature=meter.temperature(),
    )
