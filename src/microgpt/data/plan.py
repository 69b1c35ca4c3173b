"""Which documents each step sees: a pure function of the step.

In: documents laid out, the number of a step. Out: its batch. There is no loader with a state, so
that a resumed training sees what the uninterrupted one would have.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from microgpt.data.batch import Batch, Batches
from microgpt.data.shuffle import Order, shuffled


@dataclass(frozen=True, eq=False)
class Plan:
    """The documents of each step.

    Args:
        data: all documents to train on.
        batch_size: documents a step.
        seed: of the order.
        order: "per-epoch" draws a new permutation for every pass, "once" repeats the first.
    """

    data: Batch
    batch_size: int = 1
    seed: int = 42
    order: Literal["per-epoch", "once"] = "per-epoch"

    def batches(self, first: int, steps: int, rank: int = 0, world: int = 1) -> Batches:
        """Return the batches of `steps` steps, or one rank's share of each.

        Args:
            first: the first step, counted from 0.
            steps: how many.
            rank: whose share, in [0, world).
            world: among how many ranks each batch is shared out, in their order; a share may be
                empty.

        >>> from microgpt.data.batch import lay_out
        >>> data = lay_out([[0], [1], [2]], bos=9, block_size=4).batch
        >>> Plan(data, batch_size=2).batches(first=0, steps=3).steps.tolist()
        [0, 2, 4, 6]
        >>> Plan(data, batch_size=3).batches(first=0, steps=2, rank=1, world=2).steps.tolist()
        [0, 2, 4]
        """
        n, start, stop = len(self.data), first * self.batch_size, (first + steps) * self.batch_size
        parts: list[Order] = []
        while start < stop:
            epoch, at = divmod(start, n)
            order = _permutation(n, self.seed, epoch if self.order == "per-epoch" else 0)
            parts.append(order[at : at + stop - start])
            start += len(parts[-1])
        low, high = (self.batch_size * r // world for r in (rank, rank + 1))
        order: Order = np.reshape(np.concatenate(parts), (steps, self.batch_size))
        taken = self.data.take(order[:, low:high].ravel())
        offsets = np.arange(0, steps + 1, dtype=np.int64) * (high - low)
        return Batches(taken.tokens_N, taken.targets_N, taken.documents, offsets)


@lru_cache(maxsize=2)
def _permutation(n: int, seed: int, epoch: int) -> Order:
    # Epoch 0 is the original's: the generator that goes on to draw the initial numbers. For the
    # others numpy's old one, which is frozen.
    if epoch == 0:
        return shuffled(n, random.Random(seed))
    words = [seed >> 32 * i & 0xFFFFFFFF for i in range(seed.bit_length() // 32 + 1)]
    return np.random.RandomState([*words, epoch]).permutation(n).astype(np.int32)
