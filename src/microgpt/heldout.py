"""The documents kept away from training, and what the model costs on some of them.

In: documents, an engine, how many positions to spend. Out: a `HeldOut`. All of them would take
longer than the training itself on a slow engine; the first so many, in an order drawn by the seed,
are the same ones every time.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from microgpt.batch import Batch, lay_out, shuffled
from microgpt.engines.contract import Engine
from microgpt.evaluate import mean_loss
from microgpt.loss import LossSum
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

    def __len__(self) -> int:
        return len(self._batch)

    def head(self, positions: int) -> Batch:
        """Return the first ones, as many as fit in so many positions, at least one."""
        return self._batch.head(positions)

    def measure(self, engine: Engine, step: int, positions: int) -> HeldOut:
        """Measure an engine's loss on the first ones."""
        return self.told(step, mean_loss(engine, self.head(positions)))

    def told(self, step: int, total: LossSum) -> HeldOut:
        """Return the evaluation that came to this sum."""
        # Of a document's windows only the first begins with BOS.
        documents = int((self.head(total.positions).tokens_N == self._bos).sum())
        return HeldOut(step, total, documents)
