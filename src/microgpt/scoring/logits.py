"""The logits of a model at every position of a batch, many windows at a time.

In: a predictor, windows. Out: blocks of logits_NV, in the order of the positions that count.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from microgpt.data.batch import Batch
from microgpt.engines.contract import Floats, Predictor

NUMBERS = 1 << 20
"""The most logits in memory at once."""


def blocks(predictor: Predictor, batch: Batch, vocab_size: int) -> Iterator[tuple[slice, Floats]]:
    """Yield (slice of the counted positions, logits_NV there) for all windows, some at a time.

    At most NUMBERS logits, or those of one window. The next ones are computed in a thread while the
    caller works on those yielded.
    """
    pieces = batch.pieces(max(NUMBERS // vocab_size, 1))

    def computed() -> Iterator[tuple[slice, Floats]]:
        at = 0
        for _, piece in pieces:
            its = slice(at, at := at + piece.n_counted)
            yield its, piece.counted(predictor.logits(piece))

    found = computed()
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, found, None)
        while block := coming.result():
            coming = thread.submit(next, found, None)
            yield block
