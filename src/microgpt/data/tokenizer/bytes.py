"""A token id for each byte of UTF-8.

In: any text. Out: ids; nothing is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from microgpt.data.tokenizer.contract import BosPlace, WithBOS


@dataclass(frozen=True)
class Bytes(WithBOS):
    """A token id for each byte of UTF-8: any text, nothing unknown.

    >>> Bytes().encode("né")
    [110, 195, 169]
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
    def alphabet(self) -> str:
        return "any text"

    @property
    def unknown_nats(self) -> float:
        return 0.0

    @property
    def stand_in(self) -> int:
        return self.bos

    def encode(self, text: str, subject: str = "text") -> list[int]:
        return [byte + self.first for byte in text.encode("utf-8", "surrogatepass")]

    def ids(self, text: str) -> list[list[int]]:
        return [self.encode(c) for c in text]

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; bytes that are no UTF-8 become U+FFFD, BOS nothing."""
        data = bytes(i - self.first for i in ids if i != self.bos)
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace")

    def to_json(self) -> dict[str, Any]:
        return {"kind": "bytes", "bos": self.bos_place}
