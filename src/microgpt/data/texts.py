"""Many texts in little memory: their bytes end to end, and the offset of each.

In: strings, or the bytes of a file. Out: `Texts`, a sequence that makes a string when it is
indexed, and gives arrays to code that works on all texts. There is no Python object for each text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, cast, overload

import numpy as np
from numpy.typing import NDArray

Buffer = NDArray[np.uint8]
Offsets = NDArray[np.int64]

# The most bytes, and the most texts, of a block: its arrays then fit in a processor's cache.
_BYTES = 1 << 20
_TEXTS = 1 << 16
_SHOWN = 3
_END = b"\n"


class Texts(Sequence[str]):
    r"""A sequence of strings, each made when it is indexed.

    Args:
        buffer: the texts in UTF-8 (a lone surrogate takes three bytes), a line feed after each.
        starts: the offset of each text in `buffer`, and the end of the last line feed.
        at: the indices of the texts that belong to the sequence, in its order; None: all.

    >>> texts = Texts.of(["emma", "zoë"])
    >>> texts[1], list(texts[:1]), len(texts), texts.lengths.tolist()
    ('zoë', ['emma'], 2, [4, 3])
    >>> bytes(texts.data)
    b'emma\nzo\xc3\xab\n'
    """

    def __init__(
        self, buffer: Buffer, starts: Offsets, at: NDArray[np.integer] | None = None
    ) -> None:
        self._buffer, self._starts, self._at = buffer, starts, at

    @classmethod
    def of(cls, texts: Iterable[str]) -> Texts:
        """Make a sequence of strings; `Texts` are returned unchanged."""
        if isinstance(texts, Texts):
            return texts
        some = texts if isinstance(texts, list) else list(texts)
        lengths = np.fromiter(map(len, some), np.int64, len(some))
        starts: Offsets = np.concatenate([[0], np.cumsum(lengths + 1)]).astype(np.int64)
        return cls.ended("\n".join([*some, ""]), starts)

    @classmethod
    def ended(cls, text: str, starts: Offsets) -> Texts:
        r"""Take over strings that stand in one, a line feed behind each.

        Args:
            text: the one.
            starts: the number of the character that each begins with; one more than there are.

        >>> Texts.ended("zoë\nada\n", np.array([0, 4, 8]))
        Texts(['zoë', 'ada'])
        """
        buffer = np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)
        if len(buffer) != len(text):
            starts = np.append(np.flatnonzero(begins(buffer)), len(buffer))[starts]
        return cls(buffer, starts)

    def __len__(self) -> int:
        return len(self._starts) - 1 if self._at is None else len(self._at)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Texts: ...
    def __getitem__(self, index: int | slice) -> str | Texts:
        if isinstance(index, slice):
            first, stop, step = index.indices(len(self))
            if self._at is not None:
                return Texts(self._buffer, self._starts, self._at[index])
            if step == 1:
                return Texts(self._buffer, self._starts[first : max(first, stop) + 1])
            return self.take(np.arange(first, stop, step))
        place = range(len(self))[index]  # resolves a negative index, raises IndexError
        place = place if self._at is None else int(self._at[place])
        start, stop = self._starts[place : place + 2].tolist()
        return _text(self._buffer[start : stop - 1].tobytes())

    def __iter__(self) -> Iterator[str]:
        for block in self.blocks():
            yield from block.strings()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        others = cast("Sequence[Any]", other)
        return len(self) == len(others) and all(a == b for a, b in zip(self, others))

    __hash__ = None  # type: ignore[assignment]  # it equals a list, which has no hash either

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, islice(self, _SHOWN)))
        more = f", and {len(self) - _SHOWN:,} more" if len(self) > _SHOWN else ""
        return f"Texts([{shown}]{more})"

    @property
    def is_packed(self) -> bool:
        """Whether the buffer holds exactly these texts, in this order."""
        return (
            self._at is None and int(self._starts[0]) == 0 and self._starts[-1] == len(self._buffer)
        )

    @property
    def data(self) -> memoryview:
        """The bytes of all texts, a line feed after each."""
        return self.packed()._buffer.data

    @property
    def buffer(self) -> Buffer:
        """The bytes of all texts, a line feed after each, as an array."""
        return self.packed()._buffer

    @property
    def text(self) -> str:
        """All of them in one string, each closed by a line feed."""
        return _text(self.data.tobytes())

    @property
    def starts(self) -> Offsets:
        """The offset of each text in `data`, and the end of the last; one more than texts."""
        return self.packed()._starts

    @property
    def sizes(self) -> Offsets:
        """Bytes of each text, without its line feed."""
        if self._at is None:
            return np.diff(self._starts) - 1
        return self._starts[self._at + 1] - self._starts[self._at] - 1

    @property
    def lengths(self) -> Offsets:
        """Characters of each text."""
        parts = [block._lengths() for block in self.blocks()]
        return np.concatenate([np.zeros(0, np.int64), *parts])

    @property
    def characters(self) -> int:
        """Characters of all texts together."""
        return sum(int(np.count_nonzero(begins(b._buffer))) - len(b) for b in self.blocks())

    def take(self, at: NDArray[np.integer]) -> Texts:
        """Return the texts at these indices, in this order, without copying their bytes."""
        return Texts(self._buffer, self._starts, at if self._at is None else self._at[at])

    def packed(self) -> Texts:
        """Return these texts with a buffer that holds nothing else; copy only if necessary."""
        if self.is_packed:
            return self
        if self._at is None:
            first, stop = self._starts[[0, -1]].tolist()
            return Texts(self._buffer[first:stop], self._starts - first)
        firsts, sizes = self._starts[self._at], self.sizes + 1
        starts: Offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        places = np.arange(int(starts[-1])) + np.repeat(firsts - starts[:-1], sizes)
        return Texts(self._buffer[places], starts)

    def blocks(self) -> Iterator[Texts]:
        """Yield the texts in packed blocks of about a megabyte."""
        first = 0
        while first < len(self):
            some = self[first : first + _TEXTS]
            n = int(np.searchsorted(np.cumsum(some.sizes + 1), _BYTES, side="right"))
            yield some[: max(n, 1)].packed()
            first += max(n, 1)

    def groups(self, characters: int) -> Iterator[Texts]:
        """Yield groups of at most `characters` characters, line feeds included, or of one text.

        >>> [list(group) for group in Texts.of(["ada", "bo", "eva", "christina"]).groups(7)]
        [['ada', 'bo'], ['eva'], ['christina']]
        """
        first = 0
        while first < len(self):
            some = self[first : first + characters]
            # A character has at most four bytes, which bounds the number of texts in the group.
            most = int(np.searchsorted(np.cumsum(some.sizes + 1), 4 * characters, side="right"))
            some = some[: max(most, 1)]
            n = int(np.searchsorted(np.cumsum(some.lengths + 1), characters, side="right"))
            yield some[: max(n, 1)]
            first += max(n, 1)

    def strings(self) -> list[str]:
        """Return all texts as a list of strings."""
        data = self.data.tobytes()
        text = _text(data)
        if data.count(_END) == len(self):
            return text.split("\n")[:-1]
        stops: Offsets = np.cumsum(self._lengths() + 1)
        return [text[start : stop - 1] for start, stop in zip([0, *stops.tolist()], stops.tolist())]

    def _lengths(self) -> Offsets:
        """Return the characters of each text of one packed block."""
        starts = self._starts
        if self.data.tobytes().isascii():
            return np.diff(starts) - 1
        return np.add.reduceat(begins(self._buffer), starts[:-1], dtype=np.int64) - 1

    def code_points(self) -> tuple[NDArray[np.integer], Offsets]:
        """Return the code points of all texts, a line feed after each, and the offset of each text.

        For one block: it takes four bytes a character, or one where all are ASCII.
        """
        some = self.packed()
        data = some.data.tobytes()
        if data.isascii():
            return some._buffer, some._starts
        codes = np.frombuffer(_text(data).encode("utf-32-le", "surrogatepass"), dtype="<u4")
        offsets = np.concatenate([[0], np.cumsum(some._lengths() + 1)])
        return codes, offsets.astype(np.int64)


def begins(buffer: Buffer) -> NDArray[np.bool_]:
    """Return for each byte of UTF-8 whether a character begins with it."""
    return (buffer & 0xC0) != 0x80


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
