"""Probabilities in fixed point: integers, on which encoder and decoder agree exactly.

In: logits. Out: for each row the intervals of its tokens, out of a total near 2^48::

    frequency = floor(p 2^48) + 1

No frequency is 0, and a token costs hardly more than its loss: because frequency > p 2^48, and the
total is at most 2^48 + V,

    log2(total / frequency) - log2(1 / p) < log2(1 + V / 2^48) < 1.45 V / 2^48

bits a token: 1.4e-12 for bytes, for any p. The rounding of exp and of the sum adds a few units of
2^-53. A token whose probability is 0 costs 48 bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats
from microgpt.errors import RunError
from microgpt.loss.many import Softmax

SCALE = 2**48


class Intervals(NamedTuple):
    """The intervals of B rows, and the losses of their tokens.

    Attributes:
        upto: (B, V + 1); the interval of token i goes from upto[i] to upto[i + 1].
        losses_BV: nats, `loss.cross_entropy` of each token.
    """

    upto: NDArray[np.int64]
    losses_BV: Floats


def intervals(logits_BV: Floats) -> Intervals:
    """Return the intervals of each row's tokens.

    Raises:
        RunError: a logit is NaN or infinite.

    >>> (intervals(np.log([[0.5, 0.25, 0.25]])).upto / 2**48).round(3).tolist()
    [[0.0, 0.5, 0.75, 1.0]]
    """
    with np.errstate(invalid="ignore"):  # checked below
        softmax = Softmax(logits_BV)
    sums_B1 = softmax.sums_B1
    if not np.isfinite(sums_B1).all():
        raise RunError("the model's logits must be numbers; got some that are not. Train it anew.")
    upto = np.zeros((len(logits_BV), logits_BV.shape[1] + 1), dtype=np.int64)
    np.cumsum((softmax.exps_BV * (SCALE / sums_B1)).astype(np.int64) + 1, axis=1, out=upto[:, 1:])
    return Intervals(upto, np.log(sums_B1) - softmax.shifted_BV)
