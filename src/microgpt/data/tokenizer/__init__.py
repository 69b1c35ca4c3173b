"""Documents to token ids and back.

In: text. Out: ids in [0, V); one of them, BOS, begins and ends each document. `Characters` has an
id for each code point of the training data, `Bytes` for each byte. Decoding inverts encoding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from microgpt import schema
from microgpt.data.tokenizer.bytes import Bytes
from microgpt.data.tokenizer.characters import Characters
from microgpt.data.tokenizer.contract import UNKNOWN, BosPlace, Tokenizer
from microgpt.data.tokenizer.known import encode_all, known_ids
from microgpt.errors import UsageError

__all__ = [
    "UNKNOWN", "BosPlace", "Bytes", "Characters", "Tokenizer", "encode_all", "from_json",
    "known_ids",
]  # fmt: skip


def from_json(data: Any) -> Tokenizer:
    """Make a tokenizer of the object that its `to_json` returned.

    Raises:
        UsageError: the object does not describe a tokenizer.

    >>> from_json(Bytes().to_json()).vocab_size
    257
    """
    written = schema.convert(_Written, data)
    if written.kind == "bytes":
        return Bytes(written.bos)
    known, counts = [*written.characters], written.counts
    counted = len(known) == len(counts) and all(0 < count < 2**63 for count in counts)
    if not known or not counted or known != sorted(set(known)):
        raise UsageError("a tokenizer must have characters in order, each once, and their counts.")
    return Characters(written.characters, counts, written.bos)


@dataclass(frozen=True)
class _Written:
    kind: Literal["characters", "bytes"]
    bos: BosPlace
    characters: str = ""
    counts: tuple[int, ...] = ()
