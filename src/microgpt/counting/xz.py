"""What `xz` takes for texts: a size in the unit of losses, to compare a model's with.

In: the documents trained on, those measured. Out: what the second add to a file of the first.
"""

from __future__ import annotations

import lzma
from collections.abc import Sequence

import numpy as np

from microgpt.data.texts import Texts
from microgpt.loss import LN_2, LossSum

# `xz` packs at about 1 MB a second: so many bytes trained on, and as many measured.
_PACKED = 1 << 21

# So many bytes of a file are unpacked at once, until it is known in which of them a text ends.
_COARSE = 512


def xz(trained: Sequence[str], texts: Sequence[str], positions: int) -> LossSum:
    """Return what `xz -9e` takes for texts behind those trained on: what they add to its file.

    It has seen what the model has seen, or the last 2 MB of it; of more than 2 MB of texts the
    first are packed, and the others are taken to be like them. No loss, but a size in the same
    unit.

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
    """Return how many bytes of a file of both are of the second.

    Unpacking shows it, in a tenth of the time in which a file of the first would be packed.
    By as much is the file of both larger than one of the first, give or take a few bytes.

    >>> _added(b"emma" * 9, b"emma") < _added(b"emma" * 9, b"olivia") < _added(b"", b"emma, olivia")
    True
    """
    # Tables for 64 MB, the preset's, take time and memory; where there is less, smaller ones find
    # the same.
    most = max(1 << len(before + after).bit_length(), 1 << 16)
    preset = 9 | lzma.PRESET_EXTREME
    filters = [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": most}]
    packed = lzma.compress(before + after, lzma.FORMAT_RAW, filters=filters)
    front = 0
    for step in (_COARSE, 1):  # in steps as long as nothing behind it comes out
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
        unpacked, behind = len(unpacker.decompress(packed[:front])), front
        while unpacked < len(before):
            front, behind = behind, behind + step
            unpacked += len(unpacker.decompress(packed[front:behind]))
    return max(len(packed) - behind - 1, 0)  # a byte ends the file
