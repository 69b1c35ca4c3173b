"""The contract of a tokenizer, and whether BOS is its first id or its last.

In: text. Out: ids in [0, V); one of them, BOS, begins and ends each document.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

from microgpt.data.encoded import Ids, Placed, Places
from microgpt.data.texts import Texts

BosPlace = Literal["first", "last"]

# The id of an unknown character: one that is not in the vocabulary.
UNKNOWN = -1


class Tokenizer(Protocol):
    """The contract of a tokenizer."""

    @property
    def vocab_size(self) -> int:
        """V: how many ids there are, BOS included."""
        ...

    @property
    def bos(self) -> int:
        """The id that begins and ends every document."""
        ...

    @property
    def unit(self) -> str:
        """What one token is called in a message: "character", "byte" or "token"."""
        ...

    @property
    def alphabet(self) -> str:
        """The known characters, in words for a message."""
        ...

    @property
    def asked(self) -> dict[str, Any]:
        """The settings of `train` that make this tokenizer, except those with default values."""
        ...

    @property
    def pieces(self) -> Sequence[bytes]:
        """The bytes of each id in UTF-8, a character's or a part of one; empty for BOS."""
        ...

    @property
    def any_bytes(self) -> bool:
        """Whether it encodes any bytes, not only UTF-8: ids may then end inside a character."""
        ...

    @property
    def symbols(self) -> Mapping[int, str]:
        """The ids of kinds of text that are one token whatever they say, and what is shown."""
        ...

    @property
    def unknown_nats(self) -> float:
        """The loss of an unknown character, in nats."""
        ...

    @property
    def stand_in(self) -> int:
        """The id that the model reads in place of an unknown character."""
        ...

    def encode(self, text: str) -> tuple[Ids, Places]:
        """Return the ids of a text, without BOS, and the index of each token's first character.

        Each unknown character has the id UNKNOWN.
        """
        ...

    def encode_many(self, texts: Sequence[str]) -> Placed:
        """Encode several texts at once, in the smallest integer type that holds V.

        If a character is unknown, the type is signed.
        """
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; BOS is left out."""
        ...

    def decode_many(self, ids_BT: Ids, lengths_B: Sequence[int]) -> list[str]:
        """Return the text of the first lengths_B ids of each row, none of which is BOS."""
        ...

    def reading(self, texts: Texts) -> Texts:
        """Return texts as they are read: two that cannot be told apart are the same."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        ...


class OneOfMany:
    """What tokenizers share: one text is one of many, and each is read as it stands."""

    @property
    def symbols(self) -> Mapping[int, str]:
        return {}

    def reading(self, texts: Texts) -> Texts:
        return texts

    def encode_many(self, texts: Sequence[str]) -> Placed:
        raise NotImplementedError

    def encode(self, text: str) -> tuple[Ids, Places]:
        one = self.encode_many([text])
        return one.stream[1:-1], one.starts_N[:-1]

    def decode(self, ids: Iterable[int]) -> str:
        raise NotImplementedError

    def decode_many(self, ids_BT: Ids, lengths_B: Sequence[int]) -> list[str]:
        return [self.decode(ids[:n]) for ids, n in zip(ids_BT.tolist(), lengths_B)]


class WithBOS(OneOfMany):
    """The part that tokenizers share: BOS is the first id or the last."""

    bos_place: BosPlace

    @property
    def vocab_size(self) -> int:
        raise NotImplementedError

    @property
    def bos(self) -> int:
        return 0 if self.bos_place == "first" else self.vocab_size - 1

    @property
    def first(self) -> int:
        """The id of the first token that is not BOS."""
        return 1 if self.bos_place == "first" else 0


class OfAnyBytes(WithBOS):
    """What tokenizers share that have an id for each byte: nothing is unknown."""

    @property
    def alphabet(self) -> str:
        return "any text"

    @property
    def frequencies(self) -> dict[str, int]:
        """None is counted: all bytes are in the vocabulary."""
        return {}

    @property
    def pieces(self) -> Sequence[bytes]:
        raise NotImplementedError

    @property
    def any_bytes(self) -> bool:
        return True

    @property
    def unknown_nats(self) -> float:
        return 0.0

    @property
    def stand_in(self) -> int:
        return self.bos

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; invalid UTF-8 becomes U+FFFD, and BOS is left out."""
        data = b"".join(map(self.pieces.__getitem__, ids))
        try:
            return data.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            return data.decode("utf-8", "replace")
