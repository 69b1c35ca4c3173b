"""Texts as token ids, end to end, in the smallest integers that hold them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.integer]
Offsets = NDArray[np.int64]
Places = NDArray[np.int32]


def smallest(vocab_size: int) -> type[np.uint8] | type[np.uint16] | type[np.int32]:
    """Return the smallest integer type that holds all ids below V, and V.

    >>> [smallest(n).__name__ for n in (27, 255, 256, 65_536)]
    ['uint8', 'uint8', 'uint16', 'int32']
    """
    return np.uint8 if vocab_size < 1 << 8 else np.uint16 if vocab_size < 1 << 16 else np.int32


@dataclass(frozen=True, eq=False)
class Encoded:
    """Texts as token ids.

    Attributes:
        stream: BOS; then the ids of all texts, each text closed by BOS. Unknown ones are negative.
        offsets: text d has the positions offsets[d] to offsets[d + 1]: what is read there begins in
            `stream` at offsets[d], what is predicted one further.
    """

    stream: Ids
    offsets: Offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, ids: Iterable[Sequence[int]], bos: int) -> Encoded:
        """Lay the ids of texts end to end.

        >>> Encoded.of([[0, 1], [2]], bos=9).stream.tolist()
        [9, 0, 1, 9, 2, 9]
        """
        each = [*ids]
        lengths = np.fromiter(map(len, each), np.int64, len(each))
        offsets: Offsets = np.concatenate([[0], np.cumsum(lengths + 1)]).astype(np.int64)
        stream = np.full(int(offsets[-1]) + 1, bos, dtype=np.int32)
        inside = np.ones(len(stream), dtype=bool)
        inside[offsets] = False
        stream[inside] = np.fromiter(chain.from_iterable(each), np.int32, int(lengths.sum()))
        return cls(stream, offsets)

    @classmethod
    def joined(cls, parts: Iterable[Encoded], bos: int) -> Encoded:
        """Concatenate them."""
        streams, offsets = list[Ids](), [np.zeros(1, np.int64)]
        before = 0
        for part in parts:
            streams.append(part.stream[1:])
            offsets.append(part.offsets[1:] + before)
            before += int(part.offsets[-1])
        first = np.array([bos], dtype=streams[0].dtype if streams else np.int32)
        return cls(np.concatenate([first, *streams]), np.concatenate(offsets))


@dataclass(frozen=True, eq=False)
class Placed(Encoded):
    """Texts as token ids, and where in its text each token begins.

    Attributes:
        starts_N: of each token the number of the character it begins in; of the end of a text the
            number of its characters.
    """

    starts_N: Places
