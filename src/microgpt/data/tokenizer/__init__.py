"""Documents to token ids and back.

In: text. Out: ids in [0, V); one of them, BOS, begins and ends each document. `Characters` has an
id for each code point of the training data, `Bytes` for each byte, `BPE` for each piece of text
that it has learned. Decoding inverts encoding, but
of `Masked`, which reads some spans as one symbol each, and decodes them to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from microgpt import schema
from microgpt.data.tokenizer.bpe import BPE
from microgpt.data.tokenizer.bytes import Bytes
from microgpt.data.tokenizer.characters import Characters
from microgpt.data.tokenizer.contract import UNKNOWN, BosPlace, Tokenizer
from microgpt.data.tokenizer.known import encode_all, known_ids
from microgpt.data.tokenizer.masked import Masked
from microgpt.data.tokenizer.masks import Mask, check_distinct
from microgpt.errors import UsageError

__all__ = [
    "BPE", "UNKNOWN", "BosPlace", "Bytes", "Characters", "Masked", "Tokenizer", "encode_all",
    "from_json", "known_ids",
]  # fmt: skip


def from_json(data: Any) -> Tokenizer:
    """Make a tokenizer of the object that its `to_json` returned.

    Raises:
        UsageError: the object does not describe a tokenizer.

    >>> from_json(Bytes().to_json()).vocab_size
    257
    """
    kind = cast("dict[str, Any]", data).get("kind") if isinstance(data, dict) else None
    if kind == "bpe":
        return BPE.from_json(data)
    if kind == "masked":
        return _masked(schema.convert(_WrittenMasked, data))
    return _plain(schema.convert(_Written, data))


@dataclass(frozen=True)
class _Written:
    kind: Literal["characters", "bytes"]
    bos: BosPlace
    characters: str = ""
    counts: tuple[int, ...] = ()


@dataclass(frozen=True)
class _WrittenMasked:
    masks: tuple[Mask, ...]
    characters: int
    inner: _Written


def _plain(written: _Written) -> Characters | Bytes:
    if written.kind == "bytes":
        return Bytes(written.bos)
    known, counts = [*written.characters], written.counts
    counted = len(known) == len(counts) and all(0 < count < 2**63 for count in counts)
    if not known or not counted or known != sorted(set(known)):
        raise UsageError("a tokenizer must have characters in order, each once, and their counts.")
    return Characters(written.characters, counts, written.bos)


def _masked(told: _WrittenMasked) -> Masked:
    check_distinct(told.masks)
    counts = [told.characters, *(mask.times for mask in told.masks)]
    if not told.masks or not all(0 < count < 2**63 for count in counts):
        raise UsageError("a tokenizer with masks must have some, and how often each matched.")
    return Masked(_plain(told.inner), told.masks, told.characters)
