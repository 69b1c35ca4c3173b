"""The format of a table: its delimiter, its quoting and its headings."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, count


@dataclass(frozen=True)
class Dialect:
    """How the cells of a row are written.

    Attributes:
        delimiter: the character between cells.
        quoted: True: a cell that begins with a quote must end with one. False: a quote is a
            character like any other.
    """

    delimiter: str
    quoted: bool = True

    def cells(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Yield the cells of each row; the iterator raises csv.Error where the text is no CSV."""
        csv.field_size_limit(2**31 - 1)
        quoting = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        return csv.reader(lines, delimiter=self.delimiter, quoting=quoting, strict=True)

    def written(self, rows: Iterable[Iterable[object]]) -> list[str]:
        """Return each row as a line of the table, without its line end."""
        if not self.quoted:
            return [self.delimiter.join(map(str, row)) for row in rows]
        lines = _Lines()
        # The writer quotes cells that contain a character of its line terminator: with "\r\n",
        # both kinds of line end.
        csv.writer(lines, delimiter=self.delimiter, lineterminator="\r\n").writerows(rows)
        return [line[:-2] for line in lines]


class _Lines(list[str]):
    """A list with the `write` method that csv.writer needs."""

    def write(self, line: str) -> None:
        """Add a line."""
        self.append(line)


@dataclass(frozen=True)
class Table:
    """The format and the headings of a table, without its rows.

    Attributes:
        dialect: how its cells are written.
        head: the line of headings as written, with byte order mark and line end.
        headings: the cells of that line.
    """

    dialect: Dialect
    head: str
    headings: Sequence[str]

    @property
    def end(self) -> str:
        """The line end of its heading; a line feed if it has none."""
        return self.head[len(self.head.rstrip("\r\n")) :] or "\n"

    @property
    def names(self) -> list[str]:
        """The headings made unique: the second column with a heading NAME is called NAME_2."""
        names = list[str]()
        for heading in self.headings:
            others = (f"{heading}_{n}" for n in count(2))
            names.append(next(name for name in chain([heading], others) if name not in names))
        return names
