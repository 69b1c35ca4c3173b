"""A token id for each piece of text that byte-pair encoding has learned, and for each byte.

In: any text. Out: ids; nothing is unknown. Hugging Face's tokenizers learns and encodes; what a
token says, and where it begins, follows from its bytes, so that tokens laid end to end are the
text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from microgpt import schema
from microgpt.config import check_vocab_size
from microgpt.data.encoded import Ids, Placed, Places, smallest
from microgpt.data.texts import Texts, begins
from microgpt.data.tokenizer import huggingface
from microgpt.data.tokenizer.contract import BosPlace, OfAnyBytes, Tokenizer
from microgpt.data.tokenizer.parts import BROKEN, groups, parts, parts_of, strings
from microgpt.errors import DataError, UsageError

if TYPE_CHECKING:
    import tokenizers

VOCAB_SIZE = 1000
"""How many token ids are learned unless another number is asked for, BOS included."""

# What a file's tokenizer is tried on.
_TRIED = (
    "Tokens laid end to end\tsay  what they encode: na\u00efve, e\u0301, \U0001f600;\n\n 1,024!"
)


@dataclass(frozen=True)
class BPE(OfAnyBytes):
    """A token id for each piece of text that byte-pair encoding has learned, and for each byte.

    Args:
        content: that of a `tokenizer.json` of Hugging Face's tokenizers, byte-level.
        asked_as: "bpe" if it was learned from the data, else the file's path.
        asked_size: how many ids were asked for; None: it was not learned.
        bos_place: whether BOS is the "last" id or the "first"; the other ids keep their order.

    >>> tokenizer = BPE.of(["low lower lowest"] * 9, 260)
    >>> ids, starts = tokenizer.encode("lowest")
    >>> [tokenizer.pieces[i] for i in ids], starts.tolist(), tokenizer.decode(ids)
    ([b'low', b'e', b's', b't'], [0, 3, 4, 5], 'lowest')
    """

    content: str = field(repr=False)
    asked_as: str
    asked_size: int | None = None
    bos_place: BosPlace = "last"

    @classmethod
    def of(
        cls, documents: Iterable[str], vocab_size: int = VOCAB_SIZE, bos_place: BosPlace = "last"
    ) -> BPE:
        """Learn merges from documents; few documents give fewer ids than asked for.

        Raises:
            UsageError: fewer than 257 ids are asked for.
            MissingExtra: Hugging Face's tokenizers is not installed.
        """
        return cls.counted(Texts.of(documents).blocks(), vocab_size, bos_place)

    @classmethod
    def counted(cls, blocks: Iterable[Texts], vocab_size: int, bos_place: BosPlace) -> BPE:
        """Learn them from blocks of a few documents each."""
        check_vocab_size(vocab_size)
        texts = (
            part
            for block in blocks
            for text in strings(block)
            for whole in BROKEN.split(text)[::2]
            for part in parts(whole)
        )
        data = huggingface.learned(texts, vocab_size - 1)
        return cls(json.dumps(data), "bpe", vocab_size, bos_place)

    @classmethod
    def of_file(cls, path: str, bos_place: BosPlace = "last") -> BPE:
        """Take over a file of Hugging Face's tokenizers, or that of a run.

        Raises:
            DataError: the file cannot be read, or is of another kind.
        """
        try:
            data = schema.parse(Path(path).read_bytes())
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}.") from None
        except schema.Foreign as error:
            raise DataError(f"{path}: {error}.") from None
        if isinstance(data, dict) and "huggingface" in data:  # a run's
            data = cast("dict[str, Any]", data)["huggingface"]
        made = cls(json.dumps(data), path, None, bos_place)
        _ = made.pieces, made.encode(_TRIED)  # an unfit file is refused now
        return made

    @classmethod
    def from_json(cls, data: Any) -> BPE:
        """Make the tokenizer of what `to_json` returned.

        Raises:
            UsageError: it is something else.
        """
        its = schema.convert(_WrittenBPE, data)
        made = cls(json.dumps(its.huggingface), its.asked, its.asked_size, its.bos)
        _ = made.pieces  # damage is reported now
        return made

    @cached_property
    def _data(self) -> dict[str, Any]:
        return json.loads(self.content)

    @cached_property
    def _pieces(self) -> tuple[bytes, ...]:
        its = huggingface.pieces(self._data, self._name)
        return (b"", *its) if self.first else (*its, b"")

    @cached_property
    def _sizes_V(self) -> Places:
        """Bytes of each id in `Texts`, where the end of a text is one."""
        return np.array([len(piece) or 1 for piece in self._pieces], dtype=np.int32)

    @cached_property
    def _bytes(self) -> list[int]:
        """The id of each byte, in the file."""
        vocabulary: dict[str, int] = self._data["model"]["vocab"]
        chars = {byte: char for char, byte in huggingface.BYTE_OF.items()}
        return [vocabulary[chars[byte]] for byte in range(256)]

    @cached_property
    def _library(self) -> tokenizers.Tokenizer:
        return huggingface.opened(self._data, self._name)

    @cached_property
    def _is_plain(self) -> bool:
        return huggingface.is_plain(self._data)

    @property
    def _name(self) -> str:
        return "the tokenizer" if self.asked_size else self.asked_as

    @property
    def vocab_size(self) -> int:
        return len(self._pieces)

    @property
    def unit(self) -> str:
        return "token"

    @property
    def asked(self) -> dict[str, Any]:
        size = {"vocab_size": self.asked_size} if self.asked_size else {}
        return {"tokenizer": self.asked_as, **size}

    @property
    def pieces(self) -> Sequence[bytes]:
        return self._pieces

    def encode_many(self, texts: Sequence[str]) -> Placed:
        some = Texts.of(texts).packed()
        offsets, stream = self._ids_of(strings(some))
        # Each token begins where the one before ends; the end of a text is its line feed.
        stops_N = np.cumsum(self._sizes_V[stream[1:]], dtype=np.int64)
        if not np.array_equal(stops_N[offsets[1:] - 1], some.starts[1:]):
            raise UsageError(
                f"{self._name}: a tokenizer must leave text as it is; its tokens say something "
                "else. Try --tokenizer bpe, which learns one."
            )
        begins_N = np.concatenate([np.zeros(1, np.int64), stops_N[:-1]])
        number_N = np.cumsum(begins(some.buffer), dtype=np.int32) - 1  # each byte's character
        first_D = number_N[some.starts[:-1]]
        starts_N: Places = number_N[begins_N] - np.repeat(first_D, np.diff(offsets))
        return Placed(stream, offsets, starts_N)

    def _ids_of(self, texts: Sequence[str]) -> tuple[Any, Ids]:
        """Return the offset of each text, and all ids with BOS around each."""
        whole, owners = parts_of(texts, is_plain=self._is_plain)
        sizes, found = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
        for some in groups(whole):  # the library takes a hundred bytes a token
            each = self._encoded(some)
            sizes.append(np.fromiter(map(len, each), np.int64, len(each)))
            found.append(np.fromiter(chain.from_iterable(each), np.int32, int(sizes[-1].sum())))
        sizes_D = np.bincount(np.array(owners, np.int64), np.concatenate(sizes), len(texts))
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes_D.astype(np.int64) + 1)])
        stream = np.full(int(offsets[-1]) + 1, self.bos, dtype=smallest(self.vocab_size))
        inside = np.ones(len(stream), dtype=bool)
        inside[offsets] = False
        stream[inside] = np.concatenate(found) + self.first
        return offsets, stream

    def _encoded(self, parts: Sequence[str]) -> list[list[int]]:
        """Return the file's ids of each part."""
        encoded = self._library.encode_batch_fast(
            ["" if BROKEN.match(part) else part for part in parts], add_special_tokens=False
        )
        return [
            [self._bytes[byte] for byte in part.encode("utf-8", "surrogateescape")]
            if BROKEN.match(part)
            else one.ids
            for part, one in zip(parts, encoded)
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "bpe",
            "bos": self.bos_place,
            "asked": self.asked_as,
            "asked_size": self.asked_size,
            "huggingface": self._data,
        }


@dataclass(frozen=True)
class _WrittenBPE:
    bos: BosPlace
    asked: str
    huggingface: dict[str, Any]
    asked_size: int | None = None


def smaller(tokenizer: Tokenizer) -> list[str]:
    """Say if a text was too short to learn as many ids as were asked for."""
    if isinstance(tokenizer, BPE) and tokenizer.vocab_size < (tokenizer.asked_size or 0):
        return [
            f"no other pair of tokens occurs twice: the vocabulary has {tokenizer.vocab_size:,} "
            f"ids, not {tokenizer.asked_size:,}."
        ]
    return []
