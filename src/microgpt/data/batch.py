"""Token ids to batches: a pure function of the step.

In: documents as token ids. Out: `Batches`, documents laid end to end with offsets. There is no
padding, so nobody computes or averages over positions that do not exist; and no loader with a
state, so that a resumed training sees what the uninterrupted one would have.

A document of n tokens has n + 1 positions: BOS and all tokens are read, all tokens and BOS are
predicted. One with more positions than the block is laid out in windows side by side, each position
once, or cut, as the original does; what is cut is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int32]
Offsets = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Batch:
    """Documents, or windows of long ones, end to end.

    Attributes:
        tokens_N: what is read at each position.
        targets_N: what comes next there.
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

    def take(self, order: Offsets) -> Batch:
        """Return these documents, in this order."""
        starts, lengths = self.documents[order], np.diff(self.documents)[order]
        documents: Offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        positions: Offsets = np.arange(documents[-1], dtype=np.int64) + np.repeat(
            starts - documents[:-1], lengths
        )
        return Batch(self.tokens_N[positions], self.targets_N[positions], documents)

    def head(self, positions: int) -> Batch:
        """Return the first documents, as many as fit in so many positions, at least one."""
        fit = int(np.searchsorted(self.documents, positions, side="right")) - 1
        count = min(max(fit, 1), len(self))
        stop = int(self.documents[count])
        return Batch(self.tokens_N[:stop], self.targets_N[:stop], self.documents[: count + 1])


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
    encoded: Iterable[Sequence[int]],
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
    tokens: list[int] = []
    targets: list[int] = []
    documents = [0]
    windowed = dropped = 0
    for ids in encoded:
        positions = len(ids) + 1
        if positions > block_size and long == "cut":
            dropped += len(ids) - block_size
            ids, positions = ids[:block_size], block_size
            targets.extend(ids)
        else:
            windowed += positions > block_size
            targets.extend(ids)
            targets.append(bos)
        tokens.append(bos)
        tokens.extend(ids[: positions - 1])
        start = documents[-1]
        documents.extend(range(start + block_size, start + positions, block_size))
        documents.append(start + positions)
    return Layout(
        Batch(
            np.array(tokens, dtype=np.int32),
            np.array(targets, dtype=np.int32),
            np.array(documents, dtype=np.int64),
        ),
        windowed,
        dropped,
    )
