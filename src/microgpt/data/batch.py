"""Token ids to batches: a pure function of the step.

In: documents as token ids. Out: `Batches`, documents laid end to end with offsets. There is no
padding, so nobody computes or averages over positions that do not exist; and no loader with a
state, so that a resumed training sees what the uninterrupted one would have.

A document of n tokens has n + 1 positions: BOS and all tokens are read, all tokens and BOS are
predicted. One with more positions than the block is laid out in windows side by side, each position
once, or cut, as the original does; what is cut is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from microgpt.data.encoded import Encoded, Ids, Offsets

# So many positions are copied at once.
_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class Batch:
    """Documents, or windows of long ones, end to end.

    Attributes:
        tokens_N: what is read at each position.
        targets_N: the next token at each position.
        documents: offsets into the positions; document d is documents[d] to documents[d + 1].
    """

    tokens_N: Ids
    targets_N: Ids
    documents: Offsets

    def __len__(self) -> int:
        return len(self.documents) - 1

    @property
    def positions(self) -> int:
        """N."""
        return len(self.tokens_N)

    def document(self, d: int) -> tuple[Ids, Ids]:
        """Return tokens_T and targets_T of one document."""
        start, stop = self.documents[d : d + 2]
        return self.tokens_N[start:stop], self.targets_N[start:stop]

    def take(self, order: NDArray[np.integer]) -> Batch:
        """Return these documents, in this order."""
        starts: Offsets = self.documents[:-1][order]
        lengths: Offsets = self.documents[1:][order] - starts
        documents: Offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        if documents[-1] <= _AT_ONCE:
            from_N = _places(starts, lengths, documents)
            return Batch(self.tokens_N[from_N], self.targets_N[from_N], documents)
        tokens_N, targets_N = (
            np.empty(int(documents[-1]), dtype=ids_N.dtype)
            for ids_N in (self.tokens_N, self.targets_N)
        )
        first = 0
        while first < len(order):
            most = int(documents[first]) + _AT_ONCE
            stop = max(int(np.searchsorted(documents, most, side="right")) - 1, first + 1)
            some, its = slice(first, stop), slice(int(documents[first]), int(documents[stop]))
            from_N = _places(starts[some], lengths[some], documents[first : stop + 1] - its.start)
            tokens_N[its], targets_N[its] = self.tokens_N[from_N], self.targets_N[from_N]
            first = stop
        return Batch(tokens_N, targets_N, documents)

    def head(self, positions: int) -> Batch:
        """Return the first documents that fit in a number of positions, at least one."""
        fit = int(np.searchsorted(self.documents, positions, side="right")) - 1
        count = min(max(fit, 1), len(self))
        stop = int(self.documents[count])
        return Batch(self.tokens_N[:stop], self.targets_N[:stop], self.documents[: count + 1])

    def pieces(self, positions: int) -> Iterator[tuple[slice, Batch]]:
        """Yield where some documents stand among the positions, and these, until all have come.

        So many come at once that they have no more positions than that, or one document.
        """
        first = 0
        while first < len(self):
            start = int(self.documents[first])
            fit = int(np.searchsorted(self.documents, start + positions, side="right")) - 1
            last = max(fit, first + 1)
            its = slice(start, int(self.documents[last]))
            documents = self.documents[first : last + 1] - start
            yield its, Batch(self.tokens_N[its], self.targets_N[its], documents)
            first = last


def _places(starts: Offsets, lengths: Offsets, documents: Offsets) -> Offsets:
    """Return where the positions of documents are taken from that are laid end to end."""
    places: Offsets = np.arange(documents[-1], dtype=np.int64)
    return places + np.repeat(starts - documents[:-1], lengths)


@dataclass(frozen=True, eq=False)
class Batches(Batch):
    """The batches of K steps in one piece.

    Attributes:
        steps: offsets into the documents; step k has documents steps[k] to steps[k + 1].
    """

    steps: Offsets

    @property
    def n_steps(self) -> int:
        """K."""
        return len(self.steps) - 1

    def step(self, k: int) -> Batch:
        """Return the batch of one step."""
        documents = self.documents[self.steps[k] : self.steps[k + 1] + 1]
        start, stop = documents[0], documents[-1]
        return Batch(self.tokens_N[start:stop], self.targets_N[start:stop], documents - start)


@dataclass(frozen=True, eq=False)
class Layout:
    """Documents laid out for a block size.

    Attributes:
        batch: all of them; those longer than the block in several windows.
        windowed: documents that became more than one window.
        dropped: tokens predicted nowhere, because they were cut.
    """

    batch: Batch
    windowed: int
    dropped: int


def lay_out(
    encoded: Encoded | Iterable[Sequence[int]],
    bos: int,
    block_size: int,
    long: Literal["window", "cut"] = "window",
) -> Layout:
    """Lay documents end to end, none longer than the block.

    >>> layout = lay_out([[0, 1, 2], [1]], bos=9, block_size=3)
    >>> layout.batch.tokens_N.tolist(), layout.batch.targets_N.tolist()
    ([9, 0, 1, 2, 9, 1], [0, 1, 2, 9, 1, 9])
    >>> layout.batch.documents.tolist(), layout.windowed, layout.dropped
    ([0, 3, 4, 6], 1, 0)
    """
    if not isinstance(encoded, Encoded):
        encoded = Encoded.of(encoded, bos)
    # The token read at a position is the target of the one before; after an end it is BOS.
    tokens_N, targets_N = encoded.stream[:-1], encoded.stream[1:]
    positions_D = np.diff(encoded.offsets)
    fit = Fit.of(positions_D, block_size)
    if long == "window" or not fit.longer:
        documents = windows(encoded.offsets, block_size)
        return Layout(Batch(tokens_N, targets_N, documents), fit.longer, 0)
    kept_D = np.minimum(positions_D, block_size)
    # For each document, in turn: how many positions are kept, and how many are cut.
    parts = np.stack([kept_D, positions_D - kept_D], axis=1).ravel()
    kept_N = np.repeat(np.arange(len(parts)) % 2 == 0, parts)
    documents: Offsets = np.concatenate([[0], np.cumsum(kept_D)]).astype(np.int64)
    return Layout(Batch(tokens_N[kept_N], targets_N[kept_N], documents), 0, fit.cut)


@dataclass(frozen=True)
class Fit:
    """How documents fit a block size.

    Attributes:
        longer: those with more positions than it.
        windows: all of them become, where those are read in windows.
        cut: tokens predicted nowhere, where those are cut.
    """

    longer: int
    windows: int
    cut: int

    @classmethod
    def of(cls, positions_D: Offsets, block_size: int) -> Fit:
        """Count.

        >>> Fit.of(np.array([4, 2]), block_size=3)
        Fit(longer=1, windows=3, cut=0)
        """
        longer = int(np.count_nonzero(positions_D > block_size))
        all_windows = int((-(-positions_D // block_size)).sum())
        # The end of a document that is cut is no token.
        return cls(longer, all_windows, int(np.maximum(positions_D - 1 - block_size, 0).sum()))


def windows(texts: Offsets, block_size: int) -> Offsets:
    """Cut texts into windows side by side, none longer than the block.

    >>> windows(np.array([0, 5, 7]), block_size=2).tolist()
    [0, 2, 4, 5, 7]
    """
    counts: Offsets = -(-np.diff(texts) // block_size)
    if counts.max(initial=1) == 1:
        return texts
    before: Offsets = np.cumsum(counts) - counts
    number: Offsets = np.arange(int(counts.sum())) - np.repeat(before, counts)
    starts: Offsets = np.repeat(texts[:-1], counts) + number * block_size
    return np.concatenate([starts, texts[-1:]]).astype(np.int64)
