"""The sums of losses of many steps, as an engine's `train` returns them.

In: arrays of nats and of positions. Out: the `LossSum` of each step, or of all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from microgpt.loss.total import LossSum


@dataclass(frozen=True, eq=False)
class Sums:
    """The sums of K steps, as arrays.

    Attributes:
        nats_K: the sum of the losses of each step's batch.
        positions_K: how many positions each of these sums covers.

    >>> sums = Sums(np.array([6.0, 3.0]), np.array([2, 3]))
    >>> sums.means_K.tolist(), sums.after(LossSum(1.0, 1))
    ([3.0, 1.0], LossSum(nats=10.0, positions=6))
    """

    nats_K: NDArray[np.float64]
    positions_K: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.nats_K)

    def __iter__(self) -> Iterator[LossSum]:
        return map(LossSum, self.nats_K.tolist(), self.positions_K.tolist())

    @overload
    def __getitem__(self, at: int) -> LossSum: ...
    @overload
    def __getitem__(self, at: slice) -> Sums: ...
    def __getitem__(self, at: int | slice) -> LossSum | Sums:
        if isinstance(at, slice):
            return Sums(self.nats_K[at], self.positions_K[at])
        return LossSum(float(self.nats_K[at]), int(self.positions_K[at]))

    @property
    def means_K(self) -> NDArray[np.float64]:
        """Nats per position, of each step."""
        return self.nats_K / self.positions_K

    def after(self, before: LossSum) -> LossSum:
        """Add them to a sum, in order: any division of the steps into chunks rounds the same."""
        nats = np.cumsum([before.nats, *self.nats_K])[-1] if len(self) else before.nats
        return LossSum(float(nats), before.positions + int(self.positions_K.sum()))
