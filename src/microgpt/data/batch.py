"""Batches: documents as token ids, end to end, with the offset of each.

In: documents as token ids. Out: `Batch`, and `Batches` of several steps. There is no padding: an
average over N positions has N real positions.

A document of n tokens has n + 1 positions: the model reads BOS and all tokens, and predicts all
tokens and BOS. For training a document with more positions than the block is split into windows
side by side, or it is cut, as the original does; the tokens cut off are counted. For measuring,
`data.measured` makes windows that begin with context. Either way each position counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from microgpt.data.encoded import Encoded, Ids, Offsets
from microgpt.data.history import History
from microgpt.data.windows import Fit, counted, windows

T = TypeVar("T", bound=np.generic)

# Positions copied at once.
_AT_ONCE = 1 << 20


@dataclass(frozen=True, eq=False)
class Batch:
    """Documents, or windows of long ones, end to end.

    Attributes:
        tokens_N: the token read at each position.
        targets_N: the token to predict at each position: the next one.
        documents: document d has the positions documents[d] to documents[d + 1].
        context: of each document how many of its first positions are context: they are read, and
            counted in another window. None: there is no context.
        history: the long texts that windows are of, for a predictor that looks further back than a
            window; an engine does not read it. None: there are none.
    """

    tokens_N: Ids
    targets_N: Ids
    documents: Offsets
    context: Offsets | None = field(default=None, kw_only=True)
    history: History | None = field(default=None, kw_only=True)

    def __len__(self) -> int:
        return len(self.documents) - 1

    @property
    def positions(self) -> int:
        """N, the number of positions."""
        return len(self.tokens_N)

    @cached_property
    def is_counted_N(self) -> NDArray[np.bool_] | None:
        """Which positions are no context; None: all."""
        if self.context is None:
            return None
        lengths, starts = np.diff(self.documents), self.documents[:-1] + self.context
        return np.arange(self.positions) >= np.repeat(starts, lengths)

    def counted(self, values_N: NDArray[T]) -> NDArray[T]:
        """Return those of the values that belong to counted positions."""
        return values_N if self.is_counted_N is None else values_N[self.is_counted_N]

    @property
    def n_counted(self) -> int:
        """How many positions are no context."""
        return self.positions - (0 if self.context is None else int(self.context.sum()))

    @property
    def ends(self) -> Offsets:
        """Document d counts the positions ends[d] to ends[d + 1] of those that are counted."""
        if self.context is None:
            return self.documents
        return self.documents - np.concatenate([[0], np.cumsum(self.context)])

    def document(self, d: int) -> tuple[Ids, Ids]:
        """Return tokens_T and targets_T of one document."""
        start, stop = self.documents[d : d + 2]
        return self.tokens_N[start:stop], self.targets_N[start:stop]

    def take(self, order: NDArray[np.integer]) -> Batch:
        """Return the documents with these indices, in this order."""
        starts: Offsets = self.documents[:-1][order]
        taken = self.copied(starts, self.documents[1:][order] - starts)
        return self._beside(taken, order)

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
        return self._part(slice(0, count), slice(0, stop))

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
            yield its, self._part(slice(first, last), its)
            first = last

    def _part(self, some: slice, its: slice) -> Batch:
        """Return some documents, and their positions."""
        documents = self.documents[some.start : some.stop + 1] - its.start
        return self._beside(Batch(self.tokens_N[its], self.targets_N[its], documents), some)

    def _beside(self, part: Batch, some: slice | NDArray[np.integer]) -> Batch:
        """Return some documents with their context and history."""
        if self.context is None and self.history is None:
            return part
        context = None if self.context is None else self.context[some]
        history = None if self.history is None else self.history.take(some)
        return replace(part, context=context, history=history)


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
        texts: the same positions for counting n-grams: long documents whole (`as_counted`).
        windowed: how many documents became several windows.
        dropped: how many tokens are never predicted, because they were cut off.
    """

    batch: Batch
    texts: Batch
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
    batch = whole(encoded)
    fit = Fit.of_many(encoded.offsets, block_size)
    if not fit.longer:
        return Layout(batch, batch, 0, 0)
    if long == "window":
        split = replace(batch, documents=windows(encoded.offsets, block_size))
        return Layout(split, as_counted(batch, block_size), fit.longer, 0)
    kept_D = np.minimum(np.diff(encoded.offsets), block_size)
    cut = batch.copied(encoded.offsets[:-1], kept_D)
    return Layout(cut, cut, 0, fit.cut)


def whole(encoded: Encoded) -> Batch:
    """Return documents end to end, however long."""
    # One array serves both: the token read at a position is the target of the one before it.
    return Batch(encoded.stream[:-1], encoded.stream[1:], encoded.offsets)


def as_counted(texts: Batch, block_size: int) -> Batch:
    """Return whole documents as n-grams are counted in them, and read when they are measured."""
    return replace(texts, documents=counted(texts.documents, block_size))
