"""Whole texts in windows as losses are measured: of long ones they overlap, and have a history.

In: texts end to end, a block size. Out: a `Batch` whose counted positions are those of the texts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from microgpt.data.batch import Batch
from microgpt.data.encoded import Offsets
from microgpt.data.history import History
from microgpt.data.windows import Fit, overlapping


def overlapped(texts: Batch, block_size: int) -> Batch:
    """Return whole documents in windows as losses are measured: of long ones they overlap.

    The counted positions are those of the documents, in order.

    >>> from microgpt.data.batch import whole
    >>> from microgpt.data.encoded import Encoded
    >>> texts = whole(Encoded.of([list(range(9)) + [0] * 9, [4]], bos=9))  # more than 8 blocks
    >>> batch = overlapped(texts, block_size=2)
    >>> batch.tokens_N.tolist()[:8], batch.documents.tolist()[:4]
    ([9, 0, 0, 1, 1, 2, 2, 3], [0, 2, 4, 6])
    >>> batch.counted(batch.tokens_N).tolist()[:5], batch.ends.tolist()[:4]
    ([9, 0, 1, 2, 3], [0, 2, 3, 4])
    """
    if not Fit.of_many(texts.documents, block_size).longer:
        return texts
    offsets, context_W = overlapping(texts.documents, block_size)
    return with_context(texts, offsets[:-1], np.diff(offsets), context_W, block_size)


def with_context(
    texts: Batch, starts: Offsets, lengths: Offsets, context_W: Offsets, block_size: int
) -> Batch:
    """Return stretches of documents, each with the positions before it as context.

    Those of a long document know what stands before them (`Batch.history`).
    """
    begins = starts - context_W
    return replace(
        texts.copied(begins, lengths + context_W),
        context=context_W if context_W.any() else None,
        history=History.of(texts, begins, block_size),
    )
