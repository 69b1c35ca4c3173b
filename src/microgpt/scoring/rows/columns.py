"""Rows of text built column by column, thousands of rows at once.

In: the words and numbers of each column. Out: the rows, in UTF-8. There is no loop over rows in
Python: each piece of a row is a slice of one long text with all words, and numpy copies the slices.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from microgpt.engines.contract import Floats
from microgpt.scoring.price import Offsets
from microgpt.wording import END, figures

# Numbers below this are written by looking up their whole part and their decimals.
_WHOLE = 1000
# Larger numbers, in scientific notation, only come from a diverged model.
_ABSURD = 1e15
# Pieces copied at once: few enough for the processor's cache.
_PIECES = 4096
# If pieces are longer than this on average, slices of bytes are quicker.
_LONG = 32


@dataclass(frozen=True, eq=False)
class Words:
    """Words, laid end to end.

    Attributes:
        text: UTF-8.
        offsets: of each word, and the end of the last; one more than words.
    """

    text: bytes
    offsets: Offsets

    @classmethod
    def of(cls, words: Sequence[str]) -> Words:
        """Lay words end to end; a lone surrogate becomes an escape."""
        joined = "".join(words)
        if joined.isascii():
            text, lengths = joined.encode(), np.fromiter(map(len, words), np.int64, len(words))
        else:
            each = [word.encode("utf-8", "backslashreplace") for word in words]
            text, lengths = b"".join(each), np.fromiter(map(len, each), np.int64, len(each))
        return cls(text, np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]))


class Columns:
    """Columns of rows, added from left to right.

    Args:
        rows: how many.

    >>> columns = Columns(2)
    >>> columns.each(Words.of(["emma", "ava"]))
    >>> columns.same(",")
    >>> columns.numbers(np.array([2.5, 12.0]), 2)
    >>> columns.same(";")
    >>> columns.joined()[0]
    b'emma,2.50;ava,12.00;'
    """

    def __init__(self, rows: int) -> None:
        self._rows, self._size, self._same = rows, 0, ""
        self._sources: dict[int, tuple[Words, int]] = {}
        self._starts: list[Offsets | int] = []
        self._lengths: list[Offsets | int] = []

    def same(self, word: str) -> None:
        """Add the same word to every row."""
        self._same += word

    def each(self, words: Words) -> None:
        """Add the d-th word to row d."""
        self.cut(words, words.offsets[:-1], words.offsets[1:])

    def choose(self, words: Words, which_D: NDArray[np.integer | np.bool_]) -> None:
        """Add the word with index which_D to each row; booleans choose between two words."""
        number_D = which_D.astype(np.int64)
        self.cut(words, words.offsets[number_D], words.offsets[number_D + 1])

    def cut(self, words: Words, starts_D: Offsets, stops_D: Offsets) -> None:
        """Add the bytes from starts_D to stops_D of a text to each row."""
        self._add_same()
        self._starts.append(starts_D + self._place(words))
        self._lengths.append(stops_D - starts_D)

    def numbers(self, values_D: Floats, places: int, width: int = 0) -> None:
        """Add a number to each row.

        Args:
            values_D: numbers from 0.
            places: decimals, at least one.
            width: the least characters, padded with spaces.
        """
        if not (values_D < _WHOLE - 1).all():
            return self.each(
                Words.of(
                    [f"{figures(value, places, _ABSURD):>{width}}" for value in values_D.tolist()]
                )
            )
        units_D = np.rint(values_D * 10**places).astype(np.int64)
        whole_D = units_D // 10**places
        before, self._same = self._same, ""
        self.choose(_wholes(before, max(width - places - 1, 0)), whole_D)
        return self.choose(_fractions(places), units_D - whole_D * 10**places)

    def whole(self, numbers_D: Offsets) -> None:
        """Add a whole number to each row, from 0."""
        if len(numbers_D) == 0 or numbers_D.min() < _WHOLE:
            return self.each(Words.of([*map(str, numbers_D.tolist())]))
        # Neighbours have their thousands in common.
        thousands_D = numbers_D // _WHOLE
        found, which_D = np.unique(thousands_D, return_inverse=True)
        self.choose(Words.of([*map(str, found.tolist())]), which_D)
        return self.choose(_thousandths(), numbers_D - thousands_D * _WHOLE)

    def counts(self, counts_D: Offsets, zero: str) -> None:
        """Add a whole number to each row, as wide as what stands in place of 0."""
        if not counts_D.any():
            return self.same(zero)
        width = len(zero)
        return self.each(Words.of([f"{n:>{width}}" if n else zero for n in counts_D.tolist()]))

    def joined(self) -> tuple[bytes, Offsets]:
        """Return all rows end to end, and the offset of each and of the end of the last."""
        self._add_same()
        source = b"".join(words.text for words, _ in self._sources.values())
        shape = self._rows, len(self._starts)
        starts_DP, lengths_DP = np.empty(shape, np.int64), np.empty(shape, np.int64)
        for p, (start, length) in enumerate(zip(self._starts, self._lengths)):
            starts_DP[:, p], lengths_DP[:, p] = start, length
        starts, lengths = starts_DP.ravel(), lengths_DP.ravel()
        stops = np.cumsum(lengths)
        offsets = np.concatenate([np.zeros(1, np.int64), stops[shape[1] - 1 :: shape[1]]])
        if offsets[-1] > _LONG * len(starts):
            cuts = zip(starts.tolist(), (starts + lengths).tolist())
            return b"".join([source[start:stop] for start, stop in cuts]), offsets
        letters, joined = np.frombuffer(source, np.uint8), list[bytes]()
        # For each piece: the index in the source minus the index in the result.
        starts -= stops - lengths
        for first in range(0, len(starts), _PIECES):
            some = slice(first, first + _PIECES)
            place_N = np.repeat(starts[some], lengths[some])
            begin = int(stops[first] - lengths[first])
            place_N += np.arange(begin, begin + len(place_N))
            joined.append(letters[place_N].tobytes())
        return b"".join(joined), offsets

    def _add_same(self) -> None:
        if self._same:
            words, self._same = Words.of([self._same]), ""
            self._starts.append(self._place(words))
            self._lengths.append(len(words.text))

    def _place(self, words: Words) -> int:
        _, place = self._sources.setdefault(id(words), (words, self._size))
        if place == self._size:
            self._size += len(words.text)
        return place


class CutTexts:
    """Adds parts of texts to columns.

    Args:
        texts: from which the parts are cut.
        lengths_D: the lengths of the texts, in characters.
        quoted: quotes or escapes parts; only called if one of the texts needs it.
        special: a text with one of these characters, or an unprintable one, needs it.
        escaped: a text that is not ASCII needs it too.
    """

    def __init__(
        self,
        texts: Sequence[str],
        lengths_D: Offsets,
        quoted: Callable[[Iterable[str]], list[str]],
        special: str,
        *,
        escaped: bool = False,
    ) -> None:
        self._texts, self._lengths_D, self._quoted = texts, lengths_D, quoted
        joined = "".join(texts)
        self._plain = joined.isprintable() and not any(c in joined for c in special)
        self._plain = self._plain and (joined.isascii() or not escaped)
        # If each character is one byte, parts are cut by their offsets alone.
        self._words: Words | None = None
        if self._plain and joined.isascii():
            ends_D = np.cumsum(lengths_D)
            self._words = Words(joined.encode(), np.append(np.zeros(1, np.int64), ends_D))
        self._ends = Words.of(["", json.dumps(END)[1:-1] if escaped else END])

    def add(self, columns: Columns, starts_D: Offsets, stops_D: Offsets) -> None:
        """Add the characters from starts_D to stops_D of each text, perhaps with its end."""
        if self._words:
            begins_D = self._words.offsets[:-1]
            upto_D = np.minimum(stops_D, self._lengths_D)
            columns.cut(self._words, begins_D + np.minimum(starts_D, upto_D), begins_D + upto_D)
            ended_D = stops_D > self._lengths_D
            return columns.choose(self._ends, ended_D) if ended_D.any() else None
        cuts = zip(self._texts, starts_D.tolist(), stops_D.tolist())
        parts = [f"{text}{END}"[start:stop] for text, start, stop in cuts]
        return columns.each(Words.of(parts if self._plain else self._quoted(parts)))


@lru_cache
def _wholes(before: str, width: int) -> Words:
    return Words.of([f"{before}{whole:{width}}" for whole in range(_WHOLE)])


@lru_cache
def _thousandths() -> Words:
    return Words.of([f"{rest:03}" for rest in range(_WHOLE)])


@lru_cache
def _fractions(places: int) -> Words:
    return Words.of([f".{fraction:0{places}}" for fraction in range(10**places)])
