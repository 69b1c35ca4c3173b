"""A token id for each byte of UTF-8.

In: any text. Out: ids; nothing is unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from microgpt.data.encoded import Placed, Places
from microgpt.data.texts import Texts, begins
from microgpt.data.tokenizer.contract import BosPlace, OfAnyBytes


@dataclass(frozen=True)
class Bytes(OfAnyBytes):
    """A token id for each byte of UTF-8: any text, nothing unknown.

    >>> [values.tolist() for values in Bytes().encode("né")]
    [[110, 195, 169], [0, 1, 1]]
    >>> Bytes().decode([110, 195, 169, 256])
    'né'
    """

    bos_place: BosPlace = "last"

    @property
    def vocab_size(self) -> int:
        return 257

    @property
    def unit(self) -> str:
        return "byte"

    @property
    def asked(self) -> dict[str, Any]:
        return {"tokenizer": "bytes"}

    @cached_property
    def _pieces(self) -> tuple[bytes, ...]:
        every = tuple(bytes([byte]) for byte in range(256))
        return (b"", *every) if self.first else (*every, b"")

    @property
    def pieces(self) -> Sequence[bytes]:
        return self._pieces

    def encode_many(self, texts: Sequence[str]) -> Placed:
        some = Texts.of(texts).packed()
        offsets, buffer = some.starts, some.buffer
        stream = np.empty(len(buffer) + 1, dtype=np.uint16)
        np.add(buffer, self.first, out=stream[1:], dtype=np.uint16)
        stream[offsets] = self.bos
        number_N = np.cumsum(begins(buffer), dtype=np.int32) - 1  # each byte's character, of all
        starts_N: Places = number_N - np.repeat(number_N[offsets[:-1]], np.diff(offsets))
        return Placed(stream, offsets, starts_N)

    def to_json(self) -> dict[str, Any]:
        return {"kind": "bytes", "bos": self.bos_place}
