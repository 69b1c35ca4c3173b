"""Where documents longer than the block are split into windows.

In: the offsets of documents that lie end to end, a block size. Out: the offsets of windows. In
training they lie side by side. When a loss is measured, those of a long document overlap: a later
window begins with half a block of context, which the window before has counted.

Source of windows that overlap: the strided evaluation of perplexity, as in Baevski and Auli,
"Adaptive input representations for neural language modeling" (2019), section 5.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from microgpt.data.encoded import Offsets

APART = 8
"""Of a document of at most so many blocks, windows lie side by side when it is measured, too."""

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
    size_D = np.full(len(texts) - 1, block_size)
    return _split(texts, size_D, size_D)


def is_long(lengths_D: Offsets, block_size: int) -> NDArray[np.bool_]:
    """Return which texts have more than APART blocks."""
    return lengths_D > APART * block_size


def counted(texts: Offsets, block_size: int) -> Offsets:
    """Return the offsets of what n-grams are counted in: what is before a window in a measurement.

    That is nothing in a text of at most APART blocks, and the text itself in a longer one.

    >>> counted(np.array([0, 5, 30]), block_size=3).tolist()
    [0, 3, 5, 30]
    """
    lengths_D = np.diff(texts)
    first_D = np.where(is_long(lengths_D, block_size), lengths_D, block_size)
    return _split(texts, first_D, np.full(len(texts) - 1, block_size))


def overlapping(texts: Offsets, block_size: int) -> tuple[Offsets, Offsets]:
    """Split texts for measuring: windows of a text of more than APART blocks overlap.

    Its first window is a block; each later one reads half a block of context, and then the
    positions that it counts. More context costs more and gains nothing:
    benchmarks/records/streams.json. A shorter text is read as in training: where texts are of one
    form, as lines of a log are, a model has learnt what stands where in each of their windows.

    Returns:
        The offsets of what each window counts, and how many positions of context precede it.

    >>> offsets, context_W = overlapping(np.array([0, 18, 21]), block_size=2)
    >>> offsets.tolist()[:5], context_W.tolist()[:5]  # 0-2, 1-3, 2-4, ...
    ([0, 2, 3, 4, 5], [0, 1, 1, 1, 1])
    >>> offsets.tolist()[-3:], context_W.tolist()[-2:]  # 18-20 and 20-21
    ([18, 20, 21], [0, 0])
    """
    context = block_size // 2
    context_D = np.where(is_long(np.diff(texts), block_size), context, 0)
    offsets = _split(texts, np.full(len(context_D), block_size), block_size - context_D)
    document_W = np.searchsorted(texts, offsets[:-1], side="right") - 1
    context_W: Offsets = context_D[document_W]
    context_W[np.searchsorted(offsets, texts[:-1])] = 0
    return offsets, context_W


def _split(texts: Offsets, first_D: Offsets, then_D: Offsets) -> Offsets:
    """Split each text after its first positions, and then at every `then_D` positions."""
    parts = [slice(at, at + _AT_ONCE) for at in range(0, len(then_D), _AT_ONCE)]

    def counts(part: slice) -> Offsets:
        lengths_D = np.diff(texts[part.start : part.stop + 1])
        return 1 + np.maximum(-(-(lengths_D - first_D[part]) // then_D[part]), 0)

    found: Offsets = np.empty(1 + sum(int(counts(part).sum()) for part in parts), dtype=np.int64)
    at = 0
    for part in parts:
        counts_D = counts(part)
        before: Offsets = np.cumsum(counts_D) - counts_D
        number: Offsets = np.arange(int(counts_D.sum())) - np.repeat(before, counts_D)
        then: Offsets = np.repeat(then_D[part], counts_D)
        starts: Offsets = np.repeat(texts[:-1][part], counts_D) + number * then
        starts += np.where(number > 0, np.repeat(first_D[part], counts_D) - then, 0)
        found[at : at + len(number)] = starts
        at += len(number)
    found[at] = texts[-1]
    return found
