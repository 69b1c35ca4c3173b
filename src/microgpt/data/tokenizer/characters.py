"""A token id for each code point of the training data.

In: text. Out: ids; an unknown character has the id UNKNOWN, and a fixed loss.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from microgpt.data.encoded import Ids, Offsets, Placed, Places, smallest
from microgpt.data.texts import Texts
from microgpt.data.tokenizer.contract import UNKNOWN, BosPlace, WithBOS
from microgpt.wording import ranges

# `Texts` puts a line feed after each text.
_END = ord("\n")

# Code points that text can have: all 1,114,112 but the 2,048 surrogates.
_CODE_POINTS = 0x110000 - 2048


@dataclass(frozen=True)
class Characters(WithBOS):
    """A token id for each Unicode code point of the training data, sorted.

    Args:
        characters: the vocabulary in order of code points.
        counts: how often each occurs in the data.
        bos_place: whether BOS is the "last" id or the "first".

    >>> tokenizer = Characters.of(["emma", "ava"])
    >>> tokenizer.encode("mave")[0].tolist(), tokenizer.bos
    ([2, 0, 3, 1], 4)
    >>> tokenizer.decode([2, 0, 3, 1, 4])
    'mave'
    """

    characters: str
    counts: tuple[int, ...]
    bos_place: BosPlace = "last"

    @classmethod
    def of(cls, documents: Iterable[str], bos_place: BosPlace = "last") -> Characters:
        """Make the tokenizer of the characters in documents."""
        return cls.counted(Texts.of(documents).blocks(), bos_place)

    @classmethod
    def counted(cls, blocks: Iterable[Texts], bos_place: BosPlace = "last") -> Characters:
        """Make it of the characters in blocks of a few documents each."""
        counts = np.zeros(1, dtype=np.int64)
        for block in blocks:
            found = np.bincount(block.code_points()[0], minlength=len(counts))
            found[: len(counts)] += counts
            counts = found
            counts[_END] -= len(block)
        codes = np.flatnonzero(counts)
        characters = "".join(map(chr, codes.tolist()))
        return cls(characters, tuple(counts[codes].tolist()), bos_place)

    @cached_property
    def _ids(self) -> Ids:
        """The id of each code point; V for an unknown one.

        The array ends with an unknown code point above all known ones: larger code points are
        clipped to it.
        """
        codes = [*map(ord, self.characters)]
        ids = np.full(max(255, *codes) + 2, self.vocab_size, dtype=smallest(self.vocab_size))
        ids[codes] = np.arange(len(codes)) + self.first
        return ids

    @cached_property
    def _texts(self) -> tuple[str, ...]:
        return ("", *self.characters) if self.first else (*self.characters, "")

    @property
    def vocab_size(self) -> int:
        return len(self.characters) + 1

    @property
    def unit(self) -> str:
        return "character"

    @property
    def alphabet(self) -> str:
        """The known characters, with runs as ranges.

        >>> Characters.of(["abcxyz 1"]).alphabet
        "' ', 1, a-c, x-z"
        """
        return ranges(self.characters)

    @property
    def asked(self) -> dict[str, Any]:
        return {}

    @property
    def pieces(self) -> Sequence[bytes]:
        return [text.encode("utf-8", "surrogatepass") for text in self._texts]

    @property
    def any_bytes(self) -> bool:
        return False

    @property
    def frequencies(self) -> dict[str, int]:
        """How often each character stands in the data."""
        return dict(zip(self.characters, self.counts))

    @property
    def p_unseen(self) -> float:
        """The estimated probability that the next character is unknown.

        The Good-Turing estimate: the share of characters seen exactly once, N1 / N. If none was
        seen once, N1 is taken as 1, so that the loss of an unknown character is finite.
        """
        return max(1, self.counts.count(1)) / (sum(self.counts) + 1)

    @property
    def unknown_nats(self) -> float:
        """The loss of an unknown character, in nats: that it is unknown, and which one it is.

        ``-log p_unseen + log(code points not in the vocabulary)``. Known characters are not charged
        ``-log(1 - p_unseen)``, so that the loss of known text is the model's own.

        Source: Good, "The population frequencies of species", Biometrika 40 (1953).
        """
        return math.log(_CODE_POINTS - len(self.characters)) - math.log(self.p_unseen)

    @property
    def stand_in(self) -> int:
        """The id that the model reads for an unknown character: the most frequent character's."""
        return self.first + max(range(len(self.counts)), key=self.counts.__getitem__)

    def encode_many(self, texts: Sequence[str]) -> Placed:
        codes, offsets = Texts.of(texts).code_points()
        if codes.dtype != np.uint8:
            codes = np.minimum(codes, len(self._ids) - 1)
        stream: Ids = np.empty(len(codes) + 1, dtype=self._ids.dtype)
        np.take(self._ids, codes, out=stream[1:], mode="clip")
        stream[offsets] = self.bos
        unknown = stream == self.vocab_size
        if unknown.any():
            stream = stream.astype(np.int32)
            stream[unknown] = UNKNOWN
        return Placed(stream, offsets, _inside(offsets))

    def decode(self, ids: Iterable[int]) -> str:
        return "".join(map(self._texts.__getitem__, ids))

    def decode_many(self, ids_BT: Ids, lengths_B: Sequence[int]) -> list[str]:
        codes_V = np.array([ord(text or "\0") for text in self._texts], dtype="<u4")
        text = codes_V[ids_BT].tobytes().decode("utf-32-le", "surrogatepass")
        starts = range(0, ids_BT.size, ids_BT.shape[1])
        return [text[start : start + length] for start, length in zip(starts, lengths_B)]

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "characters",
            "characters": self.characters,
            "counts": list(self.counts),
            "bos": self.bos_place,
        }


def _inside(offsets: Offsets) -> Places:
    """Return each position's index in its own text, from 0.

    >>> _inside(np.array([0, 3, 4])).tolist()
    [0, 1, 2, 0]
    """
    places: Places = np.arange(offsets[-1], dtype=np.int32)
    return places - np.repeat(offsets[:-1].astype(np.int32), np.diff(offsets))
