"""The held-out documents, and evaluations of a model on some of them.

In: documents, an engine, a number of positions. Out: a `HeldOut`. During training the first
documents are measured, in an order that is the same for all trainings on them; at the end all of
them are, so that runs can be compared.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from microgpt.config import TrainConfig
from microgpt.counting.mixture import Mixture
from microgpt.data.batch import Batch, Offsets, whole
from microgpt.data.measured import with_context
from microgpt.data.shuffle import shuffled
from microgpt.data.tokenizer import Tokenizer, encode_all
from microgpt.data.tokenizer.sizes import ByteCounter
from microgpt.data.windows import overlapping
from microgpt.engines.contract import Floats, Predictor
from microgpt.loss import LossSum
from microgpt.loss.error import standard_error


@dataclass(frozen=True)
class HeldOut:
    """An evaluation on held-out documents, after a step.

    Attributes:
        step: after which it was measured.
        sum: the sum of the model's losses.
        gpt: the sum of the GPT's own losses, if the model is mixed with counts.
        n_bytes: what was measured in bytes of UTF-8, each end as one; None: one a position, or it
            is not known.
        documents: how many were measured, the last one perhaps in part.
        error: the standard error of the mean; NaN if there are too few documents.
        kept: the step of the state measured, if the best state is an earlier one than the last.
    """

    step: int
    sum: LossSum
    documents: int
    error: float = math.nan
    kept: int | None = None
    gpt: LossSum | None = None
    n_bytes: int | None = None

    @classmethod
    def of(cls, line: Mapping[str, Any], documents: int = 0) -> HeldOut:
        """Return the evaluation that a line of the log records, but for the number of documents.

        >>> HeldOut.of({"step": 5, "heldout": {"loss": 2.0, "positions": 3}}).sum
        LossSum(nats=6.0, positions=3)
        """
        logged, n = line["heldout"], line["heldout"]["positions"]
        gpt = LossSum(logged["gpt"] * n, n) if "gpt" in logged else None
        total, error = LossSum(logged["loss"] * n, n), logged.get("standard_error", math.nan)
        kept, n_bytes = logged.get("kept"), logged.get("bytes")
        return cls(line["step"], total, documents, error, kept, gpt, n_bytes)

    @property
    def own(self) -> LossSum:
        """The GPT's own losses, which compare with those of training."""
        return self.gpt or self.sum


class HeldOutDocuments:
    """Documents laid out in an order that is the same for all trainings on them.

    Args:
        documents: the held-out documents.
        tokenizer: encodes them.
        block_size: longer documents are read in windows.
        seed: of the order.
    """

    def __init__(
        self, documents: Iterable[str], tokenizer: Tokenizer, block_size: int, seed: int = 0
    ) -> None:
        self._texts, self._block_size = whole(encode_all(tokenizer, documents)), block_size
        offsets, context_W = overlapping(self._texts.documents, block_size)
        document_W = np.searchsorted(self._texts.documents, offsets[:-1], side="right") - 1
        order = shuffled(len(context_W), random.Random(seed))
        self._starts_W, self._ends_W = offsets[:-1][order], np.cumsum(np.diff(offsets)[order])
        self._context_W = context_W[order].astype(np.int32)
        self._document_W = document_W[order].astype(np.int32)
        self._head = lru_cache(2)(self._first)
        self._bytes = ByteCounter(tokenizer)

    def __len__(self) -> int:
        return len(self._starts_W)

    @property
    def positions(self) -> int:
        """How many positions all of them have."""
        return self._texts.positions

    def head(self, positions: int) -> Batch:
        """Return the first documents whose counted positions fit in a number, at least one."""
        return self._head(positions)

    def _first(self, positions: int) -> Batch:
        # Only those that are asked for are copied: all of them may be more than memory holds.
        fit = max(int(np.searchsorted(self._ends_W, positions, side="right")), 1)
        lengths_W = np.diff(self._ends_W[:fit], prepend=0)
        context_W = self._context_W[:fit].astype(np.int64)
        its = (self._starts_W[:fit], lengths_W, context_W)
        return with_context(self._texts, *its, self._block_size)

    def measure(
        self,
        gpt: Predictor,
        mixture: Mixture | None,
        step: int,
        positions: int,
        kept: int | None = None,
    ) -> HeldOut:
        """Measure the loss on the first documents; the weights of a mixture are fitted on them."""
        batch = self.head(positions)
        # A few numbers hardly overfit so many positions: docs/race.md says how little it flatters.
        own = None
        if mixture:
            losses_N, gpt_N = mixture.fit(batch)
            own = LossSum.of(gpt_N)
        else:
            losses_N = batch.counted(gpt.losses(batch))
        total = LossSum.of(losses_N)
        documents = self._documents(total.positions)
        targets_N = batch.counted(batch.targets_N)
        n_bytes = None if self._bytes.is_one_each else self._bytes.count(targets_N)
        return HeldOut(step, total, documents, self._error(batch, losses_N), kept, own, n_bytes)

    def told(self, line: Mapping[str, Any]) -> HeldOut:
        """Return the evaluation that a line of the log records."""
        return HeldOut.of(line, self._documents(line["heldout"]["positions"]))

    def _documents(self, positions: int) -> int:
        return len(np.unique(self._document_W[: len(self.head(positions))]))

    def _error(self, batch: Batch, losses_N: Floats) -> float:
        nats_W = np.add.reduceat(losses_N, batch.ends[:-1])
        positions_W = np.diff(batch.ends)
        document_W = self._document_W[: len(batch)]
        if len(np.unique(document_W)) < 2:  # one long text: its windows count as documents
            return standard_error(nats_W, positions_W)
        nats_D = np.bincount(document_W, nats_W).astype(np.float64)
        positions_D: Offsets = np.bincount(document_W, positions_W).astype(np.int64)
        measured_D = positions_D > 0
        return standard_error(nats_D[measured_D], positions_D[measured_D])


ENOUGH = 4000
"""Positions that are enough for a mean within about 0.02 nats of that over all positions."""

MOST = 1 << 18
"""The most positions of the closing evaluation."""


class Timetable:
    """The steps after which held-out documents are measured, and on how many positions.

    Args:
        training: the recipe.
        data: the documents trained on.
        documents: how many are held out.

    Attributes:
        every: steps between evaluations, if the budget is in steps alone: the clock must not decide
            anything then. None: the clock decides.
    """

    def __init__(self, training: TrainConfig, data: Batch, documents: int) -> None:
        self._training, self._data = training, data
        timed = training.steps is None or training.seconds is not None
        self.every = None if timed or not documents else max(1, (training.steps or 0) // 10)

    def positions(self, steps: int) -> int:
        """Return how many positions to measure after `steps` steps: a quarter of those trained on.

        With a budget in seconds a tenth, because measuring takes time from training; at least
        ENOUGH. Of either a quarter for a log-linear mixture, which takes several times as long.
        """
        seen = self._seen(steps)
        if self._training.ngram and self._training.mixture == "log-linear":
            seen //= 4
        return seen // 4 if self.every else max(seen // 10, ENOUGH)

    def last(self, steps: int, *, is_fast: bool) -> int:
        """Return how many positions the closing evaluation measures: all, up to `MOST`.

        Every fast engine measures the same number, so that runs can be compared. A slow engine
        measures at most half as many as it was trained on: a sixth of the training's time or less.
        """
        return MOST if is_fast else min(MOST, self._seen(steps) // 2)

    def _seen(self, steps: int) -> int:
        return steps * self._training.batch_size * self._data.positions // len(self._data)
