"""A block: consecutive documents of a file, each with the row that it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from microgpt.data.reader.dialect import Table

Object = dict[str, object]
Row = str | Object | None


class LeftOut(NamedTuple):
    """A row of a file that is no document.

    Attributes:
        number: of the row.
        why: it is none: "blank", or a sentence.
        row: what a blank document stood in.
        text: of a blank line of plain text, the line.
    """

    number: int
    why: str
    row: Row = None
    text: str | None = None


@dataclass(frozen=True)
class Block:
    """Consecutive documents of a file.

    Attributes:
        texts: the documents; none is blank.
        rows: for each document, the row that it comes from: a table's row as written, line end
            included; a JSON object; None for a line of text or a string. Empty for plain text read
            without a limit on a line's length.
        blank: how many documents were skipped because they are white space only.
        blank_characters: the characters in those.
        columns: a table's headings, or the fields of the first object.
        table: the table's format, with which `rows` are parsed; None: not a table.
        numbers: the number of each document's row: of the line in plain text and JSON lines, of the
            element in an array; in a table as a spreadsheet counts: the headings are row 1, a row
            of several lines is one. Empty for plain text read without a limit on a line's length.
        left_out: rows that are not documents, because they are blank or malformed, in order.
        file: the file's name, if several are read together.
    """

    texts: Sequence[str]
    rows: Sequence[Row]
    blank: int = 0
    blank_characters: int = 0
    columns: Sequence[str] = ("text",)
    table: Table | None = None
    numbers: Sequence[int] = ()
    left_out: Sequence[LeftOut] = ()
    file: str = ""

    @property
    def objects(self) -> list[Object | None]:
        """The row of each document as {column: value}; None: it is a line of text or a string."""
        if self.table is None:
            return [None if isinstance(row, str) else row for row in self.rows]
        rows = self.table.dialect.cells(row for row in self.rows if isinstance(row, str))
        return [dict(zip(self.table.names, cells)) for cells in rows]


@dataclass
class Found:
    """Collects the documents of a block one by one."""

    texts: list[str] = field(default_factory=list[str])
    rows: list[Row] = field(default_factory=list[Row])
    blank: int = 0
    blank_characters: int = 0
    numbers: list[int] = field(default_factory=list[int])
    left_out: list[LeftOut] = field(default_factory=list[LeftOut])

    def add(self, text: str, row: Row, number: int, *, is_line: bool = False) -> None:
        """Add a document and its row; only count it if it is blank.

        Args:
            text: the document.
            row: the row that it comes from.
            number: of the row.
            is_line: whether it is a line of plain text.
        """
        if text and not text.isspace():
            self.texts.append(text)
            self.rows.append(row)
            self.numbers.append(number)
        else:
            self.blank += 1
            self.blank_characters += len(text)
            self.left_out.append(LeftOut(number, "blank", row, text if is_line else None))

    def block(self, columns: Sequence[str], table: Table | None = None) -> Block:
        """Return the documents as a block."""
        numbers: Sequence[int] = self.numbers
        if numbers and numbers[-1] - numbers[0] == len(numbers) - 1:
            numbers = range(numbers[0], numbers[-1] + 1)  # which is sent to a process sooner
        blank = self.blank, self.blank_characters
        return Block(self.texts, self.rows, *blank, columns, table, numbers, self.left_out)
