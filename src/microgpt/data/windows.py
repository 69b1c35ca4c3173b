"""Where documents longer than the block are split into windows.

In: the offsets of documents that lie end to end, a block size. Out: the offsets of windows. In
training they lie side by side. When a loss is measured they overlap: a later window begins with
half a block of context, which the window before has counted.

Source of windows that overlap: the strided evaluation of perplexity, as in Baevski and Auli,
"Adaptive input representations for neural language modeling" (2019), section 5.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from microgpt.data.encoded import Offsets

# Documents whose windows are computed at once.
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Fit:
    """How documents fit a block size.

    Attributes:
        longer: documents with more positions than the block.
        windows: windows of all documents, if long ones are split.
        cut: tokens never predicted, if long ones are cut.
    """

    longer: int
    windows: int
    cut: int

    @classmethod
    def of(cls, positions_D: Offsets, block_size: int) -> Fit:
        """Count for documents with positions_D positions each.

        >>> Fit.of(np.array([4, 2]), block_size=3)
        Fit(longer=1, windows=3, cut=0)
        """
        longer = int(np.count_nonzero(positions_D > block_size))
        if not longer:  # the usual case, without its divisions
            return cls(0, int(np.count_nonzero(positions_D)), 0)
        all_windows = int((-(-positions_D // block_size)).sum())
        # Of a document that is cut, the final BOS is not counted: it is no token of the text.
        return cls(longer, all_windows, int(np.maximum(positions_D - 1 - block_size, 0).sum()))

    @classmethod
    def of_many(cls, offsets: Offsets, block_size: int) -> Fit:
        """Count for documents given by their offsets, a million at a time.

        >>> Fit.of_many(np.array([0, 4, 6]), block_size=3)
        Fit(longer=1, windows=3, cut=0)
        """
        parts = [
            cls.of(np.diff(offsets[first : first + _AT_ONCE + 1]), block_size)
            for first in range(0, len(offsets) - 1, _AT_ONCE)
        ]
        return cls(*(sum(getattr(part, its.name) for part in parts) for its in fields(cls)))


def windows(texts: Offsets, block_size: int) -> Offsets:
    """Return the offsets of windows: texts, given by offsets, split at every `block_size`
    positions.

    >>> windows(np.array([0, 5, 7]), block_size=2).tolist()
    [0, 2, 4, 5, 7]
    """
    return _split(texts, block_size, block_size)


def overlapping(texts: Offsets, block_size: int) -> tuple[Offsets, Offsets]:
    """Split texts for windows that overlap, so that each position but a text's first has context.

    A text's first window is a block; each later one reads half a block of context, and then the
    positions that it counts. More context costs more and gains nothing:
    benchmarks/records/streams.json.

    Returns:
        The offsets of what each window counts, and how many positions of context precede it.

    >>> offsets, context_W = overlapping(np.array([0, 9, 12]), block_size=4)
    >>> offsets.tolist(), context_W.tolist()  # 0-4, 2-6, 4-8, 6-9 and 9-12
    ([0, 4, 6, 8, 9, 12], [0, 2, 2, 2, 0])
    """
    context = block_size // 2
    offsets = _split(texts, block_size, block_size - context)
    context_W: Offsets = np.full(len(offsets) - 1, context, dtype=np.int64)
    context_W[np.searchsorted(offsets, texts[:-1])] = 0
    return offsets, context_W


def _split(texts: Offsets, first: int, then: int) -> Offsets:
    """Split each text after its first positions, and then at every `then` positions."""

    def counts(some: Offsets) -> Offsets:
        return 1 + np.maximum(-(-(np.diff(some) - first) // then), 0)

    parts = [texts[at : at + _AT_ONCE + 1] for at in range(0, len(texts) - 1, _AT_ONCE)]
    found: Offsets = np.empty(1 + sum(int(counts(some).sum()) for some in parts), dtype=np.int64)
    at = 0
    for some in parts:
        counts_D = counts(some)
        before: Offsets = np.cumsum(counts_D) - counts_D
        number: Offsets = np.arange(int(counts_D.sum())) - np.repeat(before, counts_D)
        starts: Offsets = np.repeat(some[:-1], counts_D) + number * then
        starts[number > 0] += first - then
        found[at : at + len(number)] = starts
        at += len(number)
    found[at] = texts[-1]
    return found
