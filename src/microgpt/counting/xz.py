"""What `xz` takes for texts: a size in the unit of losses, to compare a model's with.

In: the documents trained on, those measured. Out: what the second add to a file of the first.
"""

from __future__ import annotations

import lzma
from collections.abc import Sequence

import numpy as np

from microgpt.counting.beside import beside
from microgpt.data.texts import Texts
from microgpt.loss import LN_2, LossSum

# `xz` packs at about 1 MB a second: so many bytes trained on, and as many measured.
_PACKED = 1 << 21


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
    old = beside(lambda: _xz_size(before))
    # A file may be a byte shorter for having more in it.
    added = max(_xz_size(before + after) - old(), 0)
    return LossSum(added * 8 * LN_2 * (total / max(len(after), 1)), positions)


def _xz_size(data: bytes) -> int:
    # Tables for 64 MB, the preset's, take time and memory; where there is less, smaller ones find
    # the same.
    most = max(1 << len(data).bit_length(), 1 << 16)
    preset = 9 | lzma.PRESET_EXTREME
    filters = [{"id": lzma.FILTER_LZMA2, "preset": preset, "dict_size": most}]
    return len(lzma.compress(data, lzma.FORMAT_RAW, filters=filters))
