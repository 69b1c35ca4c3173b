"""By-products of a loss: what was computed on the way, of each position.

In: tensors of N positions. Out: `Statistics`.
"""

# torch's annotations are unknown in parts.
# pyright: reportUnknownMemberType=false
from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from microgpt.loss import LossSum


@dataclass(frozen=True, eq=False)
class Statistics:
    """What a loss is made of, at each position; at an ignored one all is 0. Nothing has a gradient.

    Attributes:
        nats_N: -log p[target], without smoothing, weights or penalties.
        log_sum_exp_N: the logarithm of the sum of exp(logits).
        entropy_N: of the predicted distribution, in nats: the loss that the model expects.
        hit_N: whether the target is the likeliest token; of equally likely ones the first.
        counted_N: which positions are not ignored.
    """

    nats_N: Tensor
    log_sum_exp_N: Tensor
    entropy_N: Tensor
    hit_N: Tensor
    counted_N: Tensor

    def at(self, index_M: Tensor, positions: int) -> Statistics:
        """Return these M positions at their places among others, which are ignored."""
        return Statistics(
            *(x.new_zeros(positions).index_copy_(0, index_M, x) for x in vars(self).values())
        )

    @property
    def sum(self) -> LossSum:
        """The nats of all positions that are not ignored, added up in float64."""
        return LossSum(float(self.nats_N.cpu().double().sum()), int(self.counted_N.sum()))

    @property
    def accuracy(self) -> float:
        """The share of positions whose target is the likeliest token; NaN where there are none."""
        counted = int(self.counted_N.sum())
        return int(self.hit_N.sum()) / counted if counted else float("nan")
