"""A tokenizer that reads what masks match as one symbol each, and all else as another one does.

In: text. Out: ids; those of the symbols follow those of the characters, and each begins where its
text does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from microgpt.data.encoded import Ids, Placed, Places, smallest
from microgpt.data.gathering import Gathering
from microgpt.data.texts import Texts
from microgpt.data.tokenizer.bytes import Bytes
from microgpt.data.tokenizer.characters import Characters
from microgpt.data.tokenizer.contract import OneOfMany
from microgpt.data.tokenizer.masks import Mask
from microgpt.data.tokenizer.spans import Finder
from microgpt.errors import DataError

Inner = TypeVar("Inner", Characters, Bytes, Characters | Bytes)

# Stands for a span while the other tokenizer reads the text: it is one token to any.
_PLACE = "\0"


@dataclass(frozen=True)
class Masked(OneOfMany):
    """A token id for each span that a mask matches, and another tokenizer's for the rest.

    Args:
        inner: reads the rest.
        masks: those of which the data has some, in the order of their precedence.
        characters: how many of the data are outside of all spans.

    >>> from microgpt.data.tokenizer.masks import parse
    >>> tokenizer = Masked.of(["took 18ms", "took 7ms"], parse("digits"), Characters.counted)
    >>> ids, starts = tokenizer.encode("took 1234 ms")
    >>> tokenizer.decode(ids), starts.tolist()
    ('took <digits> ms', [0, 1, 2, 3, 4, 5, 9, 10, 11])
    """

    inner: Characters | Bytes
    masks: tuple[Mask, ...]
    characters: int

    @classmethod
    def of(
        cls,
        documents: Iterable[str],
        masks: Sequence[Mask],
        make: Callable[[Iterator[Texts]], Inner],
    ) -> Masked | Inner:
        """Take the vocabulary from documents; the other tokenizer itself, if no mask matches.

        Args:
            documents: all of them.
            masks: in the order of their precedence. One that never matches is left out: what is
                not in the data must not be hidden later on.
            make: makes the other tokenizer of what stands outside the spans, in blocks of texts.

        Raises:
            DataError: nothing stands outside.
        """
        finder, nothing = Finder(masks), [""] * len(masks)
        times, characters = np.zeros(len(masks), dtype=np.int64), 0

        def outside() -> Iterator[Texts]:
            nonlocal times, characters
            for block in Texts.of(documents).blocks():
                spans = finder.find(block)
                times += np.bincount(spans.masks_S, minlength=len(masks))
                rest = spans.replaced(nothing)
                characters += rest.characters
                yield rest

        remaining = outside()
        inner = make(remaining)
        for _ in remaining:  # a tokenizer may take its vocabulary from nothing
            pass
        if not characters:
            raise DataError("the masks must leave a character of the text; they match all of it.")
        own = tuple(replace(mask, times=n) for mask, n in zip(masks, times.tolist()) if n)
        return cls(inner, own, characters) if own else inner

    @property
    def bos(self) -> int:
        return 0 if self.inner.first else self.vocab_size - 1

    @cached_property
    def _finder(self) -> Finder:
        return Finder(self.masks)

    @cached_property
    def _symbols(self) -> dict[int, str]:
        first = self.inner.first + self.inner.vocab_size - 1  # behind the other's, BOS apart
        return {first + i: mask.symbol for i, mask in enumerate(self.masks)}

    @property
    def symbols(self) -> Mapping[int, str]:
        return self._symbols

    @property
    def vocab_size(self) -> int:
        return self.inner.vocab_size + len(self.masks)

    @property
    def unit(self) -> str:
        return "token"

    @property
    def alphabet(self) -> str:
        return ", ".join([self.inner.alphabet, *self.symbols.values()])

    @property
    def frequencies(self) -> dict[str, int]:
        """How often each character stands in the data, outside of all spans, and each symbol."""
        return {**self.inner.frequencies, **{mask.symbol: mask.times for mask in self.masks}}

    @property
    def asked(self) -> dict[str, Any]:
        own = [str(mask) for mask in self.masks if mask.is_own]
        kinds = ",".join(str(mask) for mask in self.masks if not mask.is_own)
        return {**self.inner.asked, "mask": (*own, *filter(None, [kinds]))}

    @property
    def pieces(self) -> Sequence[bytes]:
        *pieces, last = self.inner.pieces
        symbols = [symbol.encode() for symbol in self.symbols.values()]
        return [*pieces, last, *symbols] if self.inner.first else [*pieces, *symbols, last]

    @property
    def any_bytes(self) -> bool:
        return self.inner.any_bytes

    @property
    def unknown_nats(self) -> float:
        """The loss of an unknown character: of its being no mask's symbol, and then as without."""
        if self.any_bytes:
            return self.inner.unknown_nats
        symbols = sum(mask.times for mask in self.masks)
        return self.inner.unknown_nats + math.log1p(symbols / self.characters)

    @property
    def stand_in(self) -> int:
        return self.inner.stand_in

    def encode_many(self, texts: Sequence[str]) -> Placed:
        spans = self._finder.find(Texts.of(texts))
        places = [_PLACE] * len(self.masks)
        rest = self.inner.encode_many(spans.replaced(places))
        offsets, starts_N = rest.offsets, rest.starts_N
        tokens_D = np.diff(offsets)
        chars_D = np.concatenate([np.zeros(1, np.int64), np.cumsum(starts_N[offsets[1:] - 1] + 1)])
        # The number of the character, among all, that each token begins in.
        char_N = starts_N + np.repeat(chars_D[:-1], tokens_D)
        at_S = np.searchsorted(char_N, spans.places(places))
        stream: Ids = rest.stream.astype(np.int32)
        stream[offsets] = self.bos
        stream[at_S + 1] = np.array([*self.symbols])[spans.masks_S]
        if stream.min() >= 0:
            stream = stream.astype(smallest(self.vocab_size))
        # What follows a span begins as many characters later as the span has more than one.
        later_N = np.zeros(len(starts_N), dtype=np.int32)
        later_N[at_S + 1] = spans.stops_S - spans.firsts_S - 1
        later_N = np.cumsum(later_N, dtype=np.int32)
        moved_N: Places = starts_N + later_N - np.repeat(later_N[offsets[:-1]], tokens_D)
        return Placed(stream, offsets, moved_N)

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of ids; of a mask the symbol, for they do not say what stood there."""
        pieces, some = list[str](), list[int]()
        for i in ids:
            if symbol := self.symbols.get(i):
                pieces += [self.inner.decode(some), symbol]
                some = []
            elif i != self.bos:
                some.append(i)
        return "".join([*pieces, self.inner.decode(some)])

    def reading(self, texts: Texts) -> Texts:
        found = Gathering()
        for block in texts.blocks():
            found.add(self._finder.find(block).replaced([*self.symbols.values()]))
        return found.done()

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": "masked",
            "masks": [asdict(mask) for mask in self.masks],
            "characters": self.characters,
            "inner": self.inner.to_json(),
        }
