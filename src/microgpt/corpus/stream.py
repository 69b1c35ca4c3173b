"""Documents as they come, from a file or a pipe without end: some at a time, none of them all.

In: a path or "-". Out: `Block`s of documents with the rows they stood in. Memory is bounded. What
is broken (bytes that are no text, a row without its column) is told of, skipped, and does not end
the stream.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import IO, Any, cast

from microgpt.corpus.formats import (
    column_index,
    delimiter_of,
    form_of,
    json_text,
    lines,
    name_of,
    opened,
)
from microgpt.errors import DataError

Row = dict[str, object] | None

BYTES = 1 << 15
"""Read at once, at most."""

LONGEST = 1 << 24
"""A line of more bytes is broken."""

_ROWS = 4096
_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class Block:
    """Some documents in the order of the file.

    Attributes:
        texts: none of them blank.
        rows: what each stood in, by column; None: nothing but itself.
        blank: documents of white space only, skipped.
        columns: of the whole file: the heading of CSV, the first object's fields.
    """

    texts: list[str]
    rows: list[Row]
    blank: int = 0
    columns: Sequence[str] = ("text",)


class Stream:
    """The documents of one file.

    Args:
        file: a path, or "-" for standard input.
        column: of a .csv or .tsv file.
        field: of a .jsonl file.
        encoding: of the text.
        broken: is told one sentence of each row that is skipped.
    """

    def __init__(
        self,
        file: str,
        column: str | None,
        field: str | None,
        encoding: str,
        broken: Callable[[str], None],
    ) -> None:
        self._name, self._broken = name_of(file), broken
        self._form = form_of(file, column, field)
        self._column, self._field, self._encoding = column, field or "text", encoding
        self._delimiter = delimiter_of(file)
        self._file = file
        self._columns: Sequence[str] = ()

    def __iter__(self) -> Iterator[Block]:
        """Yield blocks; of a pipe, what has come.

        Raises:
            DataError: it cannot be read, or its heading lacks the column.
        """
        with opened(self._file, "a file of text, one document a line") as raw:
            source = _unpacked(raw)
            if self._form == "csv":
                yield from self._tables(source)
            else:
                for number, some in _lines(source, self._encoding, self._name, self._broken):
                    yield self._objects(number, some) if self._form == "json" else _plain(some)

    def _objects(self, number: int, some: list[str | None]) -> Block:
        texts: list[str] = []
        rows: list[Row] = []
        blank = 0
        for at, line in enumerate(some, number):
            if line is None:
                continue
            if not line.strip():
                blank += 1
                continue
            try:
                record, text = json_text(line, f"{self._name}: line {at}", self._field)
            except DataError as error:
                self._broken(str(error))
                continue
            if text.strip():
                self._columns = self._columns or list(record)
                texts.append(text)
                rows.append(record)
            else:
                blank += 1
        return Block(texts, rows, blank, self._columns)

    def _tables(self, source: IO[bytes]) -> Iterator[Block]:
        csv.field_size_limit(LONGEST)
        some = _lines(source, self._encoding, self._name, self._broken)
        parsed = csv.reader(
            (f"{line}\n" for _, part in some for line in part if line is not None),
            delimiter=self._delimiter,
        )
        index, heading, block = -1, list[str](), Block([], [])
        while True:
            try:
                row = next(parsed, None)
            except csv.Error as error:
                self._broken(f"{self._name}: line {parsed.line_num}: not CSV ({error}).")
                continue
            if row is None:
                break
            if index < 0:
                heading, index = row, column_index(row, self._name, self._column)
                block = Block([], [], 0, heading)
            elif row and len(row) != len(heading):
                self._broken(
                    f"{self._name}: line {parsed.line_num}: expected {len(heading)} columns, "
                    f"as in the heading; got {len(row)}."
                )
            elif row and row[index].strip():
                block.texts.append(row[index])
                block.rows.append(dict(zip(heading, row)))
            else:
                block = replace(block, blank=block.blank + 1)
            if len(block.texts) >= _ROWS:
                yield block
                block = Block([], [], 0, heading)
        yield block


def _plain(some: list[str | None]) -> Block:
    texts = [line for line in some if line is not None]
    found = len(texts)
    # Nearly always there are none, which is seen sooner than each line is looked at.
    if "" in texts or any(map(str.isspace, texts)):
        texts = [line for line in texts if line and not line.isspace()]
    return Block(texts, [None] * len(texts), found - len(texts))


def _unpacked(raw: IO[bytes]) -> IO[bytes]:
    peek: Callable[[int], bytes] = getattr(raw, "peek", lambda _: b"")
    start = peek(2)[:2]
    if start != b"\x1f\x8b":
        return raw
    return cast("IO[bytes]", gzip.GzipFile(fileobj=cast("Any", raw)))


def _lines(
    source: IO[bytes], encoding: str, name: str, broken: Callable[[str], None]
) -> Iterator[tuple[int, list[str | None]]]:
    """Yield the number of a first line, and lines from there on; None for a broken one."""
    try:
        wide = len("\n".encode(encoding)) > 1
    except LookupError:
        raise DataError(f'encoding must be one that Python knows; got "{encoding}".') from None
    chunks = _chunks(source, name)
    if wide:  # a line's end is more than one byte: nothing can be cut before it is decoded
        chunks, encoding = _recoded(chunks, encoding, name), "utf-8"
    number, rest, too_long = 1, b"", False
    for data in chunks:
        # A return at the very end may be half of a line's end.
        cut = max(data.rfind(b"\n"), data.rfind(b"\r", 0, len(data) - 1)) + 1
        if not cut:
            rest += data
            if len(rest) > LONGEST:
                if not too_long:
                    broken(f"{name}: line {number}: longer than {LONGEST:,} bytes.")
                too_long, rest = True, b""
            continue
        start, some = 0, list[str | None]()
        if too_long:
            end = _LINE_END.search(data)
            start, rest, some = end.end() if end else cut, b"", [None]
            too_long = False
        some += _decoded(rest + data[start:cut], encoding, number + len(some), name, broken)
        rest = data[cut:]
        yield number, some
        number += len(some)
    if rest and not too_long:
        yield number, _decoded(rest, encoding, number, name, broken)


def _chunks(source: IO[bytes], name: str) -> Iterator[bytes]:
    read = getattr(source, "read1", source.read)
    try:
        while data := read(BYTES):
            yield data
    except (OSError, EOFError) as error:
        raise DataError(f"{name}: cannot be read ({error}).") from None


def _recoded(chunks: Iterator[bytes], encoding: str, name: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for data in chunks:
            yield decoder.decode(data).encode("utf-8", "surrogatepass")
        yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")
    except UnicodeError as error:
        raise DataError(f"{name}: not {encoding} ({error}).") from None


def _decoded(
    data: bytes, encoding: str, number: int, name: str, broken: Callable[[str], None]
) -> list[str | None]:
    if number == 1:
        data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return [*lines(data.decode(encoding))]
    except UnicodeDecodeError:
        pass
    found: list[str | None] = []
    # Bytes that mean nothing stand as half surrogates until their line is known.
    for line in lines(data.decode(encoding, "surrogateescape")):
        bad = next((c for c in line if "\udc80" <= c <= "\udcff"), None)
        if bad:
            where = f"{name}: line {number + len(found)}"
            broken(f"{where}: not {encoding} (0x{ord(bad) - 0xDC00:02x}).")
        found.append(None if bad else line)
    return found
