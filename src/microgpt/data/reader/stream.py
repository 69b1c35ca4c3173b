"""The documents of a file in blocks: a file of any size, or a pipe that never ends.

In: a path, or "-" for standard input. Out: `Block`s of documents, with the rows that they come
from. This is the one reader: `score` handles each block as it arrives, in bounded memory, and
`data.corpus.read` collects them. Broken rows (bytes that are no text, a row without its column) are
reported and skipped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from microgpt.data.reader import plain
from microgpt.data.reader.block import Block, Found
from microgpt.data.reader.formats import chunks, form_of, name_of, opened, unpacked
from microgpt.data.reader.lines import decoded_texts, joined, pieces, whole
from microgpt.data.reader.signs import encoding_of
from microgpt.data.reader.skipped import Skipped, Tally

if TYPE_CHECKING:
    from microgpt.data.corpus import Source

BYTES = 1 << 15
"""The bytes first read at once where memory is bounded: few, so that the first rows come soon."""

# Later many times as many: more lines share their beginnings, and less is done for each block.
_GROWS = 4

LONGEST = 1 << 24
"""The most bytes of a line, and characters of a row, where memory is bounded."""

_AT_ONCE = 1 << 20


class Stream:
    """The documents of one file.

    Args:
        file: a path, or "-" for standard input.
        source: how to read the file.
        skipped: counts and reports broken rows.
        bounded: True: in bounded memory, a line over `LONGEST` is broken. False: lines and rows may
            be of any length.
    """

    def __init__(
        self, file: str, source: Source, skipped: Skipped, *, bounded: bool = True
    ) -> None:
        self._file, self._source, self._name = file, source, name_of(file)
        self._form = form_of(file, source)
        self._tally = Tally(self._name, skipped, endless=bounded and file == "-")
        self._size, self._longest = (BYTES, LONGEST) if bounded else (_AT_ONCE, math.inf)

    def __iter__(self) -> Iterator[Block]:
        """Yield blocks; from a pipe, what has arrived.

        Raises:
            DataError: the file cannot be read, lacks the column, or has too many broken rows.
        """
        for block in self._columns() if self._form == "Arrow" else self._text():
            self._tally.count(len(block.texts), block.blank)
            yield block
        self._tally.end()

    def _columns(self) -> Iterator[Block]:
        from microgpt.data.reader import arrow  # only for files of its form

        column, with_rows = self._source.column, self._longest < math.inf
        return arrow.blocks(self._file, self._name, column, with_rows=with_rows)

    def _text(self) -> Iterator[Block]:
        with opened(self._file, "a file of text, one document a line") as found:
            start, file = unpacked(found, self._name)
            encoding = encoding_of(start, self._name, self._source.encoding, self._tally.note)
            grows = 1 if self._longest == math.inf else _GROWS
            read = chunks(file, self._name, self._size, grows)
            yield from self._blocks(start, read, encoding)

    def _blocks(self, start: bytes, read: Iterator[bytes], encoding: str) -> Iterator[Block]:
        source, name, longest = self._source, self._name, self._longest
        if source.stream:
            found = Found()
            found.add(joined(whole(b"".join(read), name, encoding)), None, 1)
            yield found.block(("text",))
        elif self._form == "text":
            yield from plain.blocks(read, name, encoding, self._tally, longest)
        elif self._form == "csv":
            from microgpt.data.reader.tables import table  # only for files of its form

            some = pieces(read, name, encoding, longest=longest, as_they_stand=True)
            yield from table(some, self._tally, longest, self._file, source)
        else:
            from microgpt.data.reader.objects import Objects, is_array

            objects = Objects(source.field or "text", self._tally, longest)
            if self._form == "JSON" and is_array(start.decode(encoding, "ignore")):
                yield from objects.of_array(decoded_texts(read, name, encoding))
            else:
                yield from map(objects.of_lines, pieces(read, name, encoding, longest=longest))
