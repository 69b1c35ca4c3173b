"""Batches: documents as token ids, end to end, with the offset of each.

In: documents as token ids. Out: `Batch`, and `Batches` of several steps. There is no padding: an
average over N positions has N real positions.

A document of n tokens has n + 1 positions: the model reads BOS and all tokens, and predicts all
tokens and BOS. A document with more positions than the block is split into windows side by side,
each position once, or it is cut, as the original does; the tokens cut off are counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from microgpt.data.encoded import Encoded, Ids, Offsets

# Positions copied at once.
_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class Batch:
    """Documents, or windows of long ones, end to end.

    Attributes:
        tokens_N: the token read at each position.
        targets_N: the token to predict at each position: the next one.
        documents: document d has the positions documents[d] to documents[d + 1].
    """

    tokens_N: Ids
    targets_N: Ids
    documents: Offsets

    def __len__(self) -> int:
        return len(self.documents) - 1

    @property
    def positions(self) -> int:
        """N, the number of positions."""
        return len(self.tokens_N)

    def document(self, d: int) -> tuple[Ids, Ids]:
        """Return tokens_T and targets_T of one document."""
        start, stop = self.documents[d : d + 2]
        return self.tokens_N[start:stop], self.targets_N[start:stop]

    def take(self, order: NDArray[np.integer]) -> Batch:
        """Return the documents with these indices, in this order."""
        starts: Offsets = self.documents[:-1][order]
        return self.copied(starts, self.documents[1:][order] - starts)

    def copied(self, starts: Offsets, lengths: Offsets) -> Batch:
        """Return a copy of some stretches of positions, each as a document."""
        documents: Offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        if documents[-1] <= _AT_ONCE:
            from_N = _places(starts, lengths, documents)
            return Batch(self.tokens_N[from_N], self.targets_N[from_N], documents)
        tokens_N, targets_N = (
            np.empty(int(documents[-1]), dtype=ids_N.dtype)
            for ids_N in (self.tokens_N, self.targets_N)
        )
        first = 0
        while first < len(starts):
            most = int(documents[first]) + _AT_ONCE
            stop = max(int(np.searchsorted(documents, most, side="right")) - 1, first + 1)
            some, its = slice(first, stop), slice(int(documents[first]), int(documents[stop]))
            from_N = _places(starts[some], lengths[some], documents[first : stop + 1] - its.start)
            tokens_N[its], targets_N[its] = self.tokens_N[from_N], self.targets_N[from_N]
            first = stop
        return Batch(tokens_N, targets_N, documents)

    def head(self, positions: int) -> Batch:
        """Return the first documents that fit in `positions` positions, at least one."""
        fit = int(np.searchsorted(self.documents, positions, side="right")) - 1
        count = min(max(fit, 1), len(self))
        stop = int(self.documents[count])
        return Batch(self.tokens_N[:stop], self.targets_N[:stop], self.documents[: count + 1])

    def pieces(self, positions: int) -> Iterator[tuple[slice, Batch]]:
        """Yield the batch in pieces of whole documents: (their slice of the positions, the piece).

        A piece has at most `positions` positions, unless it is a single longer document.
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
    """Return the source index of each position, for documents copied from `starts` end to end."""
    places: Offsets = np.arange(documents[-1], dtype=np.int64)
    return places + np.repeat(starts - documents[:-1], lengths)


@dataclass(frozen=True, eq=False)
class Batches(Batch):
    """The batches of K steps in the same arrays.

    Attributes:
        steps: step k has the documents steps[k] to steps[k + 1].
    """

    steps: Offsets

    @property
    def n_steps(self) -> int:
        """K, the number of steps."""
        return len(self.steps) - 1

    def step(self, k: int) -> Batch:
        """Return the batch of one step."""
        documents = self.documents[self.steps[k] : self.steps[k + 1] + 1]
        start, stop = documents[0], documents[-1]
        return Batch(self.tokens_N[start:stop], self.targets_N[start:stop], documents - start)


@dataclass(frozen=True, eq=False)
class Layout:
    """Documents fitted to a block size.

    Attributes:
        batch: all documents; one longer than the block as several windows, or cut.
        windowed: how many documents became several windows.
        dropped: how many tokens are never predicted, because they were cut off.
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
    """Fit documents to a block size and lay them end to end.

    Args:
        encoded: the documents.
        bos: the id that begins and ends each document; used only if `encoded` is lists of ids.
        block_size: the most positions of a window.
        long: what happens to a document with more positions: "window" splits it, "cut" cuts it.

    >>> layout = lay_out([[0, 1, 2], [1]], bos=9, block_size=3)
    >>> layout.batch.tokens_N.tolist(), layout.batch.targets_N.tolist()
    ([9, 0, 1, 2, 9, 1], [0, 1, 2, 9, 1, 9])
    >>> layout.batch.documents.tolist(), layout.windowed, layout.dropped
    ([0, 3, 4, 6], 1, 0)
    """
    if not isinstance(encoded, Encoded):
        encoded = Encoded.of(encoded, bos)
    # One array serves both: the token read at a position is the target of the one before it.
    batch = Batch(encoded.stream[:-1], encoded.stream[1:], encoded.offsets)
    fit = Fit.of_many(encoded.offsets, block_size)
    if not fit.longer:
        return Layout(batch, 0, 0)
    if long == "window":
        documents = windows(encoded.offsets, block_size)
        return Layout(replace(batch, documents=documents), fit.longer, 0)
    kept_D = np.minimum(np.diff(encoded.offsets), block_size)
    return Layout(batch.copied(encoded.offsets[:-1], kept_D), 0, fit.cut)


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
    found: Offsets = np.empty(Fit.of_many(texts, block_size).windows + 1, dtype=np.int64)
    at = 0
    for first in range(0, len(texts) - 1, _AT_ONCE):
        some = texts[first : first + _AT_ONCE + 1]
        counts: Offsets = -(-np.diff(some) // block_size)
        before: Offsets = np.cumsum(counts) - counts
        number: Offsets = np.arange(int(counts.sum())) - np.repeat(before, counts)
        found[at : at + len(number)] = np.repeat(some[:-1], counts) + number * block_size
        at += len(number)
    found[at] = texts[-1]
    return found
