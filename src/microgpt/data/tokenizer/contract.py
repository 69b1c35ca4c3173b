"""The contract of a tokenizer, and the place of BOS among its ids.

In: text. Out: ids in [0, V), one of which, BOS, begins and ends each document.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol

from microgpt.data.encoded import Ids, Placed, Places

BosPlace = Literal["first", "last"]

# The id of a character the vocabulary lacks.
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
        """The settings by which `train` makes it, but those that are so by themselves."""
        ...

    @property
    def pieces(self) -> Sequence[bytes]:
        """The bytes of UTF-8 that each id stands for, of a character or of a part; BOS has none."""
        ...

    @property
    def any_bytes(self) -> bool:
        """Whether it encodes what is no UTF-8, too: ids may end inside a character."""
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
        """Return the ids of a text, without BOS, and the character that each token begins in.

        What it lacks has the id UNKNOWN, one for each character.
        """
        ...

    def encode_many(self, texts: Sequence[str]) -> Placed:
        """Return the same of some texts at once, in the smallest integers that hold V.

        Where something is unknown they are signed.
        """
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; BOS is nothing."""
        ...

    def decode_many(self, ids_BT: Ids, lengths_B: Sequence[int]) -> list[str]:
        """Return the text of each row's first ids, none of them BOS."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        ...


class WithBOS:
    """What tokenizers share: BOS stands before all other ids or behind them; one text of many."""

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

    def encode_many(self, texts: Sequence[str]) -> Placed:
        raise NotImplementedError

    def encode(self, text: str) -> tuple[Ids, Places]:
        one = self.encode_many([text])
        return one.stream[1:-1], one.starts_N[:-1]

    def decode(self, ids: Iterable[int]) -> str:
        raise NotImplementedError

    def decode_many(self, ids_BT: Ids, lengths_B: Sequence[int]) -> list[str]:
        return [self.decode(ids[:n]) for ids, n in zip(ids_BT.tolist(), lengths_B)]
