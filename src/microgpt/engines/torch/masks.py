"""Dropout's masks on tensors: the hash of `model.dropout`, of all positions at once.

In: which step, place and shape. Out: the activations that are set to 0.
"""

from __future__ import annotations

import torch
from torch import Tensor

from microgpt.model.dropout import Dropping, mix

_MASK = 0xFFFFFFFF


def drops(dropping: Dropping, place: int, x_ND: Tensor) -> Tensor:
    """Return which activations of a batch are set to 0, in the shape of x_ND.

    The first row is position `dropping.first` of the step's batch.

    >>> dropping = Dropping(0.25, seed=1, update=1)
    >>> found = drops(dropping, 2, torch.zeros(2, 5))
    >>> [dropping.keeps(2, t, 5) for t in (0, 1)] == (~found).tolist()
    True
    """
    N, D = x_ND.shape
    key = mix(mix(mix(dropping.seed & _MASK) ^ dropping.update & _MASK) ^ place)
    first = key + dropping.first * D
    # In 64 bits, of which 32 are used: 32 signed bits would be shifted with their sign.
    x = torch.arange(first, first + N * D, device=x_ND.device).bitwise_and_(_MASK)
    for factor, shift in ((0x7FEB352D, 16), (0x846CA68B, 15)):
        x = x.bitwise_xor_(x >> shift).mul_(factor).bitwise_and_(_MASK)
    x = x.bitwise_xor_(x >> 16)
    return ((x >> 1) < round(dropping.share * 2**31)).view(N, D)
