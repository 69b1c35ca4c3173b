"""Checks of a batch before it reaches a device, where a wrong index would end in no sentence.

In: a batch, a config. Out: nothing, or a UsageError in the words of the native engine.
"""

from __future__ import annotations

import numpy as np

from microgpt.config import GPTConfig
from microgpt.data.batch import Batch
from microgpt.data.encoded import Ids
from microgpt.errors import UsageError


def check(batch: Batch, config: GPTConfig, *, targets: bool = True, empty: bool = False) -> None:
    """Raise UsageError unless documents lie end to end over all tokens, none longer than the
    block, and all ids are in the vocabulary. `empty`: there may be no document.

    >>> check(Batch(np.array([0, 9]), np.array([0, 0]), np.array([0, 2])), GPTConfig(vocab_size=3))
    Traceback (most recent call last):
    microgpt.errors.UsageError: token at position 1 must be in [0, 3); got 9.
    """
    documents, N = np.asarray(batch.documents), len(batch.tokens_N)
    if empty and len(documents) == 1 and not N:
        return
    if len(documents) < 2:
        raise UsageError("a batch must have a document; got none.")
    if documents[0] or documents[-1] != N:
        raise UsageError(
            f"documents must run from position 0 to the last; got {documents[0]} to "
            f"{documents[-1]} of {N} tokens."
        )
    lengths_D = np.diff(documents)
    is_wrong_D = (lengths_D < 1) | (lengths_D > config.block_size) | (documents[1:] > N)
    wrong = np.flatnonzero(is_wrong_D)
    if len(wrong):
        raise UsageError(
            f"a document must have 1 to block_size={config.block_size} positions; "
            f"got {lengths_D[wrong[0]]} in document {wrong[0]}."
        )
    _check_ids("token", batch.tokens_N, batch, config)
    if targets:
        if len(batch.targets_N) != N:
            raise UsageError(f"targets must be as many as tokens, {N}; got {len(batch.targets_N)}.")
        _check_ids("target", batch.targets_N, batch, config)


def _check_ids(what: str, ids_N: Ids, batch: Batch, config: GPTConfig) -> None:
    if int(ids_N.min()) >= 0 and int(ids_N.max()) < config.vocab_size:
        return
    n = int(np.flatnonzero((ids_N < 0) | (ids_N >= config.vocab_size))[0])
    d = int(np.searchsorted(batch.documents, n, side="right")) - 1
    raise UsageError(
        f"{what} at position {n - batch.documents[d]} must be in [0, {config.vocab_size}); "
        f"got {ids_N[n]}."
    )
