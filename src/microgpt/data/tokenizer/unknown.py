"""What the vocabulary lacks: read as a stand-in, and charged for. This is the one place.

In: a batch in which unknown ids are negative. Out: one that a model can read; losses with the
price.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from microgpt.data.batch import Batch
from microgpt.data.encoded import Ids
from microgpt.data.tokenizer.contract import Tokenizer

Floats = NDArray[np.float64]


def readable(batch: Batch, tokenizer: Tokenizer) -> Batch:
    """Return a batch with the stand-in in place of what is unknown."""

    def known(ids_N: Ids) -> Ids:
        return np.where(ids_N < 0, np.int32(tokenizer.stand_in), ids_N)

    return replace(batch, tokens_N=known(batch.tokens_N), targets_N=known(batch.targets_N))


def charge(losses_N: Floats, targets_N: Ids, tokenizer: Tokenizer) -> Floats:
    """Put the price of an unknown character where one came; the losses are changed, and returned.

    >>> from microgpt.data.tokenizer import Bytes
    >>> charge(np.array([1.0, 2.0]), np.array([5, -1]), Bytes()).tolist()
    [1.0, 0.0]
    """
    losses_N[targets_N < 0] = tokenizer.unknown_nats
    return losses_N


def losses(model: Callable[[Batch], Floats], batch: Batch, tokenizer: Tokenizer) -> Floats:
    """Return losses_N of a model that knows no unknown ids."""
    if batch.targets_N.dtype.kind == "u" or not (batch.targets_N < 0).any():
        return model(batch)
    return charge(model(readable(batch, tokenizer)), batch.targets_N, tokenizer)
