"""What the rest of the package asks of a tokenizer, and where BOS stands among its ids.

In: text. Out: ids in [0, V), one of which, BOS, begins and ends each document.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, Protocol

BosPlace = Literal["first", "last"]

# The id of a character the vocabulary lacks, where `ids` is asked to go on.
UNKNOWN = -1


class Tokenizer(Protocol):
    """What the rest of the package asks of a tokenizer."""

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
        """What one token is called in a message: "character" or "byte"."""
        ...

    @property
    def alphabet(self) -> str:
        """What it knows, in words for a message."""
        ...

    @property
    def unknown_nats(self) -> float:
        """What a character it lacks costs."""
        ...

    @property
    def stand_in(self) -> int:
        """The id that the model reads in place of an unknown character."""
        ...

    def encode(self, text: str, subject: str = "text") -> list[int]:
        """Return the ids of a text, without BOS. An unknown character is a UsageError."""
        ...

    def ids(self, text: str) -> list[list[int]]:
        """Return the ids of each character; UNKNOWN for one it lacks."""
        ...

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; BOS is nothing."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        ...


class WithBOS:
    """Where BOS stands among the ids: before all others, or behind them."""

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
