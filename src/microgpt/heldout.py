"""The documents kept away from training, and what the model costs on some of them.

In: documents, an engine, how many positions to spend. Out: a `HeldOut`. All of them would take
longer than the training itself on a slow engine; the first so many, in an order drawn by the seed,
are the same ones every time.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from microgpt.batch import Batch, lay_out, shuffled
from microgpt.config import TrainConfig
from microgpt.engines.contract import Engine
from microgpt.evaluate import mean_loss
from microgpt.loss import LossSum
from microgpt.mixture import Mixture
from microgpt.tokenizer import Tokenizer


@dataclass(frozen=True)
class HeldOut:
    """An evaluation on held-out documents, after a step."""

    step: int
    sum: LossSum
    documents: int


class HeldOutDocuments:
    """Documents laid out in an order drawn by a seed.

    Args:
        documents: what was held out.
        tokenizer: makes ids of them.
        block_size: longer ones are read in windows.
        seed: of the order.
    """

    def __init__(
        self, documents: Iterable[str], tokenizer: Tokenizer, block_size: int, seed: int
    ) -> None:
        batch = lay_out(map(tokenizer.encode, documents), tokenizer.bos, block_size).batch
        self._batch = batch.take(shuffled(len(batch), random.Random(seed)))
        self._bos = tokenizer.bos
        self._head = lru_cache(2)(self._batch.head)

    def __len__(self) -> int:
        return len(self._batch)

    @property
    def positions(self) -> int:
        """How many positions they have."""
        return self._batch.positions

    def head(self, positions: int) -> Batch:
        """Return the first ones, as many as fit in so many positions, at least one."""
        return self._head(positions)

    def measure(self, engine: Engine, step: int, positions: int) -> HeldOut:
        """Measure an engine's loss on the first ones; of a mixture, fit the weight on them."""
        batch = self.head(positions)
        # One number fitted on what it is measured on: it cannot learn thousands of positions.
        total = engine.fit(batch) if isinstance(engine, Mixture) else mean_loss(engine, batch)
        return self.told(step, total)

    def told(self, step: int, total: LossSum) -> HeldOut:
        """Return the evaluation that came to this sum."""
        # Of a document's windows only the first begins with BOS.
        documents = int((self.head(total.positions).tokens_N == self._bos).sum())
        return HeldOut(step, total, documents)


ENOUGH = 4000
"""Positions whose mean is within some 0.02 nats of that of all."""


class Timetable:
    """When held-out documents are measured, and on how many positions.

    Args:
        training: the recipe.
        data: what is trained on.
        documents: how many are held out.

    Attributes:
        every: steps between evaluations, where the budget is in steps: the clock must not decide.
    """

    def __init__(self, training: TrainConfig, data: Batch, documents: int) -> None:
        self._training, self._data, self._any = training, data, documents > 0
        timed = training.steps is None or training.seconds is not None
        self.every = None if timed or not documents else max(1, (training.steps or 0) // 10)

    def is_due(self, step: int, since: float) -> bool:
        """Say whether to measure after a step, so many seconds after the last time."""
        if not self._any or step == self._training.steps:
            return False
        if self.every:
            return step % self.every == 0
        seconds = self._training.seconds or 0.0
        return since >= seconds / (10 if seconds > 5 else 4)

    def positions(self, steps: int) -> int:
        """Return how many positions so many steps are worth: a quarter of what they saw.

        Where the clock runs, a tenth, which is taken from the training; but enough to tell.
        """
        seen = steps * self._training.batch_size * self._data.positions // len(self._data)
        return seen // 4 if self.every else max(seen // 10, ENOUGH)
