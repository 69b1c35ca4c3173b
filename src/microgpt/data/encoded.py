"""Texts as token ids: one array with the ids of all texts, and the offset of each text.

In: ids, or encoded blocks of texts. Out: `Encoded`, in the smallest integer type that holds the
ids.
"""

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
    """Return the smallest integer type that holds 0 to V: all ids, and V as a mark.

    >>> [smallest(n).__name__ for n in (27, 255, 256, 65_536)]
    ['uint8', 'uint8', 'uint16', 'int32']
    """
    return np.uint8 if vocab_size < 1 << 8 else np.uint16 if vocab_size < 1 << 16 else np.int32


@dataclass(frozen=True, eq=False)
class Encoded:
    """Texts as token ids.

    Attributes:
        stream: BOS, then the ids of each text followed by BOS. The ids of unknown characters are
            negative.
        offsets: text d has the positions offsets[d] to offsets[d + 1]. At position i the model
            reads stream[i] and predicts stream[i + 1].
    """

    stream: Ids
    offsets: Offsets

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @classmethod
    def of(cls, ids: Iterable[Sequence[int]], bos: int) -> Encoded:
        """Concatenate the ids of texts, with BOS around each.

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
        """Concatenate encoded blocks of texts."""
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
    """Texts as token ids, with the character at which each token begins.

    Attributes:
        starts_N: for each target, the index in its text of the character in which it begins; for
            the BOS after a text, the number of the text's characters.
    """

    starts_N: Places
