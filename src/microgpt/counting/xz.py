"""The baseline `xz`: how far a general compressor shrinks the measured documents.

In: the training documents, the measured ones. Out: by how much the second enlarge a compressed file
of the first, as a `LossSum`.
"""

from __future__ import annotations

import lzma
from collections.abc import Sequence

import numpy as np

from microgpt.data.texts import Texts
from microgpt.loss import LN_2, LossSum

# `xz` compresses about 1 MB a second: the most bytes of training documents, and of measured ones.
_PACKED = 1 << 21

# Training text of fewer bytes is also compressed by itself, which takes a tenth of a second.
_LARGE = 1 << 18

# Bytes unpacked at once, until the block is found in which the training documents end.
_COARSE = 512


def xz(trained: Sequence[str], texts: Sequence[str], positions: int) -> LossSum:
    """Return the size that texts add to a file of the training documents under `xz -9e`, in nats.

    Like the model, `xz` has read the training documents: the last 2 MB of them. Of more than 2 MB
    of texts the first 2 MB are compressed, and the rest is assumed to shrink as much. It is a file
    size, not a loss, but in the same unit.

    Args:
        trained: the training documents.
        texts: the measured documents.
        positions: how many positions `texts` have.

    >>> xz(["emma"] * 9, ["emma", "ava"], positions=9).nats > 0
    True
    """
    seen, given = Texts.of(trained)[-_PACKED:], Texts.of(texts)
    total = int((given.sizes + 1).sum())
    enough = int(np.searchsorted(np.cumsum(seen.sizes[::-1] + 1), _PACKED)) + 1
    before = bytes(seen[-enough:].data)[-_PACKED:]
    enough = int(np.searchsorted(np.cumsum(given[:_PACKED].sizes + 1), _PACKED)) + 1
    after = bytes(given[:enough].data)[:_PACKED]
    return LossSum(_added(before, after) * 8 * LN_2 * (total / max(len(after), 1)), positions)


def _added(before: bytes, after: bytes) -> int:
    """Return how many bytes longer a compressed file of both texts is than one of the first.

    A long first text is not compressed a second time by itself: unpacking the file of both shows
    where it ends, to within a few bytes, in a tenth of the time.

    >>> _added(b"emma" * 9, b"emma") < _added(b"emma" * 9, b"olivia") < _added(b"", b"emma, olivia")
    True
    """
    filters = _filters(len(before) + len(after))
    packed = lzma.compress(before + after, lzma.FORMAT_RAW, filters=filters)
    if len(before) < _LARGE:
        alone = len(lzma.compress(before, lzma.FORMAT_RAW, filters=_filters(len(before))))
    else:
        alone = _front(packed, len(before), filters) + 1  # which ends the file
    # A file may be a byte shorter for having more in it.
    return max(len(packed) - alone, 0)


def _filters(size: int) -> list[dict[str, int]]:
    # The preset's dictionary of 64 MB takes time and memory; for less data a smaller one finds the
    # same matches.
    most = max(1 << size.bit_length(), 1 << 16)
    return [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": most}]


def _front(packed: bytes, size: int, filters: list[dict[str, int]]) -> int:
    """Return how many bytes of a file must be unpacked for the first `size` bytes of its text."""
    front = behind = 0
    for step in (_COARSE, 1):
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
        unpacked, behind = len(unpacker.decompress(packed[:front])), front
        while unpacked < size:
            front, behind = behind, behind + step
            unpacked += len(unpacker.decompress(packed[front:behind]))
    return behind
