"""Probabilities in fixed point: whole numbers, which two runs of a program agree on to the bit.

In: logits. Out: for each row the intervals of its tokens, of a total near 2^48.

    frequency = floor(p 2^48) + 1

so that none is 0, and what a token costs is its loss and next to nothing: frequency > p 2^48, and
the frequencies' total is at most 2^48 + V, whence

    log2(total / frequency) - log2(1 / p) < log2(1 + V / 2^48) < 1.45 V / 2^48

bits a token, 1.4e-12 for bytes, whatever p is. The rounding of exp and of the sum adds a few units
of 2^-53. A token that the model thinks impossible costs 48 bits.
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
        upto: (B, V + 1); token i has the numbers from upto[i] to upto[i + 1].
        losses_BV: nats, `loss.cross_entropy` of each token.
    """

    upto: NDArray[np.int64]
    losses_BV: Floats


def intervals(logits_BV: Floats) -> Intervals:
    """Return the intervals of each row.

    Raises:
        RunError: the logits are no numbers.

    >>> (intervals(np.log([[0.5, 0.25, 0.25]])).upto / 2**48).round(3).tolist()
    [[0.0, 0.5, 0.75, 1.0]]
    """
    with np.errstate(invalid="ignore"):  # the check below says it
        softmax = Softmax(logits_BV)
    sums_B1 = softmax.sums_B1
    if not np.isfinite(sums_B1).all():
        raise RunError("the model's logits must be numbers; got some that are not. Train it anew.")
    upto = np.zeros((len(logits_BV), logits_BV.shape[1] + 1), dtype=np.int64)
    np.cumsum((softmax.exps_BV * (SCALE / sums_B1)).astype(np.int64) + 1, axis=1, out=upto[:, 1:])
    return Intervals(upto, np.log(sums_B1) - softmax.shifted_BV)
