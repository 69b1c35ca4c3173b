"""A block: consecutive documents of a file, each with the row that it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from microgpt.data.reader.dialect import Table

Object = dict[str, object]
Row = str | Object | None


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
    """

    texts: Sequence[str]
    rows: Sequence[Row]
    blank: int = 0
    blank_characters: int = 0
    columns: Sequence[str] = ("text",)
    table: Table | None = None

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

    def add(self, text: str, row: Row) -> None:
        """Add a document and its row; only count it if it is blank."""
        if text and not text.isspace():
            self.texts.append(text)
            self.rows.append(row)
        else:
            self.blank += 1
            self.blank_characters += len(text)

    def block(self, columns: Sequence[str], table: Table | None = None) -> Block:
        """Return the documents as a block."""
        return Block(self.texts, self.rows, self.blank, self.blank_characters, columns, table)
