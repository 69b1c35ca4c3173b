"""Unknown characters: the one place that replaces them for the model and sets their loss.

In: a batch in which unknown ids are negative. Out: a batch that a model can read; losses that
include those of unknown characters.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from microgpt.data.batch import Batch
from microgpt.data.encoded import Ids
from microgpt.data.tokenizer.contract import Tokenizer

Floats = NDArray[np.float64]


def readable(batch: Batch, tokenizer: Tokenizer) -> Batch:
    """Return a batch with the tokenizer's replacement id in place of unknown ids."""
    if not any(
        ids.dtype.kind == "i" and (ids < 0).any() for ids in (batch.tokens_N, batch.targets_N)
    ):
        return batch

    def known(ids_N: Ids) -> Ids:
        return np.where(ids_N < 0, np.int32(tokenizer.stand_in), ids_N)

    return replace(batch, tokens_N=known(batch.tokens_N), targets_N=known(batch.targets_N))


def charge(losses_N: Floats, targets_N: Ids, tokenizer: Tokenizer) -> Floats:
    """Set the loss at each unknown target to the tokenizer's, in place, and return the losses.

    >>> from microgpt.data.tokenizer import Bytes
    >>> charge(np.array([1.0, 2.0]), np.array([5, -1]), Bytes()).tolist()
    [1.0, 0.0]
    """
    if targets_N.dtype.kind == "i":  # otherwise all are known
        losses_N[targets_N < 0] = tokenizer.unknown_nats
    return losses_N
