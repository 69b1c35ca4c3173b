"""A sum of losses, from which mean, bits and perplexity follow.

In: nats and positions. Out: their sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LN_2 = math.log(2.0)


@dataclass(frozen=True)
class LossSum:
    """A sum of losses and how many positions it covers.

    All parts of the package exchange sums, never means: sums can be added over batches, ranks and
    shards. 6 nats over 2 positions and 3 over 3 have a mean of 1.8, not 2.0.

    >>> (LossSum(6.0, 2) + LossSum(3.0, 3)).mean
    1.8
    """

    nats: float = 0.0
    positions: int = 0

    def __add__(self, other: LossSum) -> LossSum:
        return LossSum(self.nats + other.nats, self.positions + other.positions)

    @property
    def mean(self) -> float:
        """Nats per position: the loss. NaN where there are no positions."""
        return self.nats / self.positions if self.positions else math.nan

    @property
    def bits(self) -> float:
        """Bits per position: the mean over ln 2."""
        return self.mean / LN_2

    @property
    def perplexity(self) -> float:
        """exp(mean): as many equally likely tokens would have the same loss."""
        try:
            return math.exp(self.mean)
        except OverflowError:
            return math.inf

    @classmethod
    def of(cls, losses_N: Sequence[float] | NDArray[np.floating[Any]]) -> LossSum:
        """Sum losses exactly (one rounding), so that their order does not matter."""
        try:
            # The buffer of an array yields Python floats one by one, without a list of all.
            return cls(math.fsum(getattr(losses_N, "data", losses_N)), len(losses_N))
        except OverflowError:  # the sum of finite losses exceeds the largest float
            return cls(math.inf, len(losses_N))
