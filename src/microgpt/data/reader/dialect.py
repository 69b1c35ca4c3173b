"""The format of a table: its delimiter and quoting, and its line of headings."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count


@dataclass(frozen=True)
class Dialect:
    """How cells are written.

    Attributes:
        delimiter: between them.
        quoted: whether a cell that begins with a quote ends with one; else quotes are characters.
    """

    delimiter: str
    quoted: bool = True

    def cells(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Yield the cells of each row; raise csv.Error if a line is not a row."""
        csv.field_size_limit(2**31 - 1)
        quoting = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        return csv.reader(lines, delimiter=self.delimiter, quoting=quoting, strict=True)

    def written(self, rows: Iterable[Iterable[object]]) -> list[str]:
        """Write rows as they must stand, without their line ends."""
        if not self.quoted:
            return [self.delimiter.join(map(str, row)) for row in rows]
        lines = _Lines()
        # Both ends are named, so that a cell with either is quoted.
        csv.writer(lines, delimiter=self.delimiter, lineterminator="\r\n").writerows(rows)
        return [line[:-2] for line in lines]


class _Lines(list[str]):
    """Lines, in the order they were written."""

    def write(self, line: str) -> None:
        """Add a line."""
        self.append(line)


@dataclass(frozen=True)
class Table:
    """A table without its rows.

    Attributes:
        dialect: how it is written.
        head: the line of its headings as it stands, a byte order mark included.
        headings: the cells of that line.
    """

    dialect: Dialect
    head: str
    headings: Sequence[str]

    @property
    def end(self) -> str:
        """How its first line ends, or would if it did."""
        return self.head[len(self.head.rstrip("\r\n")) :] or "\n"

    @property
    def names(self) -> list[str]:
        """The headings; of equal ones the second is called NAME_2."""
        names = list[str]()
        for heading in self.headings:
            others = (f"{heading}_{n}" for n in count(2))
            names.append(next(name for name in chain([heading], others) if name not in names))
        return names
