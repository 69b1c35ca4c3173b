"""The plan of a training: which documents each step trains on, a pure function of the step.

In: documents as token ids; the first step, how many steps. Out: their batches. There is no loader
with a state: a resumed training gets the same batches as an uninterrupted one.
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
        data: all training documents.
        batch_size: documents a step.
        seed: of the order.
        order: "per-epoch" draws a new permutation for every epoch, "once" repeats the first one.
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
            world: how many ranks share each batch: rank r takes the r-th part of it, which may be
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


@lru_cache(maxsize=1)
def _permutation(n: int, seed: int, epoch: int) -> Order:
    # Epoch 0 is ordered as the original does, by the generator that then draws the initial values.
    # Later epochs use numpy's RandomState, whose results are guaranteed not to change.
    if epoch == 0:
        return shuffled(n, random.Random(seed))
    words = [seed >> 32 * i & 0xFFFFFFFF for i in range(seed.bit_length() // 32 + 1)]
    # It shuffles numbers of four bytes as `permutation` does those of eight.
    order = np.arange(n, dtype=np.int32)
    np.random.RandomState([*words, epoch]).shuffle(order)
    return order
