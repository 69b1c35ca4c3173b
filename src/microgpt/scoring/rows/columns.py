"""Rows of text built column by column, thousands of rows at once.

In: the words and numbers of each column. Out: the rows, in UTF-8. The native module lays out their
bytes; where it is missing, `plain` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from microgpt.data.texts import Texts, begins
from microgpt.engines.compiled import native_rows
from microgpt.engines.contract import Floats
from microgpt.scoring.price import Offsets
from microgpt.scoring.rows.plain import PlainRows, Utf8
from microgpt.wording import END, figures

Quoting = Literal["none", "json", "csv"]
"""How a part of a text is written: as it stands, inside a JSON string, or as a cell of CSV."""

# Larger numbers, which are rare, are written one by one.
_LARGE = 999
# Much larger ones, in scientific notation, only come from a diverged model.
_ABSURD = 1e15


@dataclass(frozen=True, eq=False)
class Words:
    """Words, laid end to end.

    Attributes:
        text: UTF-8.
        offsets: of each word, and the end of the last; one more than words.
    """

    text: Utf8
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
        offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return cls(np.frombuffer(text, np.uint8), offsets)


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
        self._rows = (native_rows() or PlainRows)(rows)

    def same(self, word: str) -> None:
        """Add the same word to every row."""
        self._rows.same(word.encode("utf-8", "backslashreplace"))

    def each(self, words: Words) -> None:
        """Add the d-th word to row d."""
        self._rows.choose(words.text, words.offsets, None)

    def choose(self, words: Words, which_D: NDArray[np.integer | np.bool_]) -> None:
        """Add the word with index which_D to each row; booleans choose between two words."""
        self._rows.choose(words.text, words.offsets, which_D.astype(np.int64))

    def cut(
        self,
        text: Utf8,
        starts_D: Offsets,
        stops_D: Offsets,
        ended_D: NDArray[np.bool_] | None = None,
        *,
        quoting: Quoting = "none",
        delimiter: str = "",
    ) -> None:
        """Add the bytes from starts_D to stops_D of a text to each row.

        Args:
            text: UTF-8, in which a lone surrogate has three bytes.
            starts_D: offsets in the text.
            stops_D: offsets in the text.
            ended_D: whether END stands behind the bytes; None: nowhere.
            quoting: how they are written.
            delimiter: of CSV.
        """
        between = delimiter.encode("utf-8", "backslashreplace")
        self._rows.cut(text, starts_D, stops_D, ended_D, END.encode(), quoting, between)

    def numbers(self, values_D: Floats, places: int, width: int = 0) -> None:
        """Add a number to each row.

        Args:
            values_D: numbers from 0.
            places: decimals, at least one.
            width: the least characters, padded with spaces.
        """
        if ((values_D < _LARGE) & (values_D * 10**places >= -0.5)).all():
            return self._rows.decimal(np.maximum(values_D, 0.0), places, width)
        written = (f"{figures(value, places, _ABSURD):>{width}}" for value in values_D.tolist())
        return self.each(Words.of([*written]))

    def whole(self, numbers_D: Offsets, width: int = 0, zero: str = "") -> None:
        """Add a whole number to each row.

        Args:
            numbers_D: numbers from 0.
            width: the least characters, padded with spaces.
            zero: what stands in place of 0; "": nothing does.
        """
        self._rows.whole(numbers_D.astype(np.int64), width, zero.encode())

    def joined(self) -> tuple[bytes, Offsets]:
        """Return all rows end to end, once, and the offset of each and of the end of the last."""
        return self._rows.joined()


class CutTexts:
    """Adds parts of texts to columns.

    Args:
        texts: from which the parts are cut.
        quoting: how they are written.
        delimiter: of CSV.
        written: writes parts in another way, one by one; None: they are written as `quoting` says.
    """

    def __init__(
        self,
        texts: Texts,
        quoting: Quoting = "none",
        delimiter: str = "",
        written: Callable[[Iterable[str]], Iterable[str]] | None = None,
    ) -> None:
        self._texts, self._written = texts, written
        self._quoting: Quoting = quoting
        self._delimiter, self._buffer = delimiter, texts.buffer
        self._lengths_D, self._starts_D = texts.lengths, texts.starts[:-1]
        # Of each character its first byte; None: each has one.
        self._places: Offsets | None = None
        ends_D = np.cumsum(self._lengths_D + 1)
        if len(ends_D) and len(self._buffer) != ends_D[-1]:
            self._places = np.flatnonzero(begins(self._buffer))
            self._starts_D = ends_D - self._lengths_D - 1

    def add(self, columns: Columns, starts_D: Offsets, stops_D: Offsets) -> None:
        """Add the characters from starts_D to stops_D of each text, perhaps with its end."""
        if self._written:
            cuts = zip(self._texts, starts_D.tolist(), stops_D.tolist())
            parts = (f"{text}{END}"[start:stop] for text, start, stop in cuts)
            return columns.each(Words.of([*self._written(parts)]))
        upto_D = np.minimum(stops_D, self._lengths_D)
        begin_D = self._starts_D + np.minimum(starts_D, upto_D)
        end_D = self._starts_D + upto_D
        if self._places is not None:
            begin_D, end_D = self._places[begin_D], self._places[end_D]
        ended_D = stops_D > self._lengths_D
        return columns.cut(
            self._buffer,
            begin_D,
            end_D,
            ended_D if ended_D.any() else None,
            quoting=self._quoting,
            delimiter=self._delimiter,
        )
