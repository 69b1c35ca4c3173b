"""Some documents in the order of a file, and what each stood in."""

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
    """Some documents in the order of the file.

    Attributes:
        texts: none of them blank.
        rows: what each stood in: a row of a table as it stands, line end included; an object; None:
            nothing but itself. Of plain text whose lines may be of any length there are none.
        blank: documents of white space only, skipped.
        blank_characters: the characters in those.
        columns: of the whole file: the headings of a table, the first object's fields.
        table: how such rows are written.
    """

    texts: Sequence[str]
    rows: Sequence[Row]
    blank: int = 0
    blank_characters: int = 0
    columns: Sequence[str] = ("text",)
    table: Table | None = None

    @property
    def objects(self) -> list[Object | None]:
        """What each stood in by column; None: nothing but itself."""
        if self.table is None:
            return [None if isinstance(row, str) else row for row in self.rows]
        rows = self.table.dialect.cells(row for row in self.rows if isinstance(row, str))
        return [dict(zip(self.table.names, cells)) for cells in rows]


@dataclass
class Found:
    """Documents that are being found, one after the other."""

    texts: list[str] = field(default_factory=list[str])
    rows: list[Row] = field(default_factory=list[Row])
    blank: int = 0
    blank_characters: int = 0

    def add(self, text: str, row: Row) -> None:
        """Add a document, or count it if it is blank."""
        if text and not text.isspace():
            self.texts.append(text)
            self.rows.append(row)
        else:
            self.blank += 1
            self.blank_characters += len(text)

    def block(self, columns: Sequence[str], table: Table | None = None) -> Block:
        """Return them as a block."""
        return Block(self.texts, self.rows, self.blank, self.blank_characters, columns, table)
