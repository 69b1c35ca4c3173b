"""The logits of a model at every position of a batch, many windows at a time.

In: a predictor, windows. Out: blocks of logits_NV, in the order of the positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from microgpt.data.batch import Batch
from microgpt.engines.contract import Floats, Predictor

NUMBERS = 1 << 20
"""How many logits are held at once: memory is to stay small."""


def blocks(predictor: Predictor, batch: Batch, vocab_size: int) -> Iterator[tuple[slice, Floats]]:
    """Yield where some windows stand among the positions, and logits_NV there, until all have come.

    So many come at once that their logits are NUMBERS at most, or one window's. The next ones are
    computed while a caller works on those that it has.
    """
    pieces = batch.pieces(max(NUMBERS // vocab_size, 1))
    found = ((its, predictor.logits(piece)) for its, piece in pieces)
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, found, None)
        while block := coming.result():
            coming = thread.submit(next, found, None)
            yield block
