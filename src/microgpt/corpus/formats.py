"""One file into texts: plain, .csv, .tsv, .jsonl, any of them gzipped, or standard input.

In: a path or "-". Out: the texts in order, blank ones included. What cannot be read is one
`DataError` that says where.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
import re
import sys
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, cast

from microgpt.errors import DataError, UsageError

# Lines end at LF, CRLF or CR, and nowhere else: U+2028, form feeds and the like are characters of
# the text, where str.splitlines would end a line.
_LINE_END = re.compile(r"\r\n|\n|\r")


def texts(
    file: str, column: str | None, field: str | None, encoding: str, stream: bool
) -> Iterator[str]:
    """Yield the texts of one file.

    The form follows the name (.csv, .tsv, .jsonl, .ndjson, else text); `column` and `field` say it
    for other names. A file that starts as gzip does is unpacked.
    """
    form = form_of(file, column, field)
    name = name_of(file)
    text = _decode(_bytes(file, name), name, encoding)
    if stream:
        if column is not None or field is not None:
            raise UsageError("stream must go with plain text; got a column or a field.")
        yield _LINE_END.sub("\n", text)
    elif form == "json":
        yield from _json_lines(text, name, field or "text")
    elif form == "csv":
        yield from _table(text, name, column, delimiter_of(file))
    else:
        yield from lines(text)


def form_of(file: str, column: str | None, field: str | None) -> Literal["text", "csv", "json"]:
    """Say how a file is to be read: by what was asked for, or by its name."""
    if column is not None and field is not None:
        raise UsageError(
            "column or field must be given, not both: one is of CSV, one of JSON lines."
        )
    suffix = _suffix(file)
    if field is not None or suffix in (".jsonl", ".ndjson"):
        return "json"
    return "csv" if column is not None or suffix in (".csv", ".tsv") else "text"


def delimiter_of(file: str) -> str:
    """Return what stands between the cells of a table."""
    return "\t" if _suffix(file) == ".tsv" else ","


def _suffix(file: str) -> str:
    return Path(file.removesuffix(".gz")).suffix.lower()


def name_of(file: str) -> str:
    """Return what a message calls a file."""
    return "standard input" if file == "-" else file


def lines(text: str) -> list[str]:
    r"""Split at LF, CRLF and CR only; a line end at the very end starts no further line.

    >>> lines("a\u2028b\r\nc\rd\n")
    ['a\u2028b', 'c', 'd']
    """
    parts = _LINE_END.split(text) if "\r" in text else text.split("\n")
    return parts[:-1] if parts[-1] == "" else parts


def raw(file: str, expected: str = "a file") -> bytes:
    """Return a file's bytes as they are.

    Args:
        file: a path, or "-".
        expected: what a message says if it is a folder.

    Raises:
        DataError: it cannot be read.
    """
    with opened(file, expected) as found:
        return found.read()


@contextmanager
def opened(file: str, expected: str = "a file") -> Generator[BinaryIO]:
    """Open a file, or standard input, which is left open.

    Raises:
        DataError: it cannot be read.
    """
    if not file:
        raise UsageError("a file must have a name; got an empty one.")
    try:
        if file == "-":
            yield sys.stdin.buffer
        else:
            with Path(file).open("rb") as found:
                yield found
    except FileNotFoundError:
        raise DataError(f"{file}: no such file.{_did_you_mean(file)}") from None
    except IsADirectoryError:
        raise DataError(f"{file}: a folder. Expected {expected}.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{file}: cannot be read ({getattr(error, 'strerror', error)}).") from None


def _bytes(file: str, name: str) -> bytes:
    data = raw(file, "a file of text, one document a line")
    if data[:2] == b"\x1f\x8b":
        import gzip

        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{name}: damaged gzip data ({error}).") from None
    return data


def _did_you_mean(file: str) -> str:
    path = Path(file)
    try:
        neighbours = [p.name for p in path.parent.iterdir()]
    except OSError:
        return ""
    close = difflib.get_close_matches(path.name, neighbours, n=1)
    return f" Did you mean {path.with_name(close[0])}?" if close else ""


def _decode(data: bytes, name: str, encoding: str) -> str:
    try:
        text = data.decode(encoding)
    except LookupError:
        raise UsageError(f'encoding must be one that Python knows; got "{encoding}".') from None
    except UnicodeDecodeError as error:
        line = len(_LINE_END.split(data[: error.start].decode(encoding, errors="replace")))
        raise DataError(
            f"{name}: line {line}, byte {error.start}: not {encoding} "
            f"(0x{data[error.start]:02x}). Try --encoding latin-1, or the one it was written in."
        ) from None
    except UnicodeError as error:
        raise DataError(f"{name}: not {encoding} ({error}).") from None
    return text.removeprefix("\ufeff")


def _table(text: str, name: str, column: str | None, delimiter: str) -> Iterator[str]:
    csv.field_size_limit(2**31 - 1)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = next(rows, None)
        if header is None:
            return
        index = column_index(header, name, column)
        for row in rows:
            if not row:
                yield ""
            elif index >= len(row):
                raise DataError(
                    f"{name}: line {rows.line_num}: expected {len(header)} columns, "
                    f"as in the heading; got {len(row)}."
                )
            else:
                yield row[index]
    except csv.Error as error:
        raise DataError(f"{name}: line {rows.line_num}: not CSV ({error}).") from None


def column_index(header: list[str], name: str, column: str | None) -> int:
    """Return which of the columns is meant: by its heading, or its number from 1."""
    if column is None:
        if len(header) == 1:
            return 0
        raise DataError(f"{name}: has columns {', '.join(header)}. Say which with --column NAME.")
    if column in header:
        return header.index(column)
    if column.isdecimal() and 1 <= int(column) <= len(header):
        return int(column) - 1
    raise DataError(f'{name}: no column "{column}". It has {", ".join(header)}.')


def _json_lines(text: str, name: str, field: str) -> Iterator[str]:
    for number, line in enumerate(lines(text), start=1):
        if not line.strip():
            yield ""
            continue
        yield json_text(line, f"{name}: line {number}", field)[1]


def json_text(line: str, where: str, field: str) -> tuple[dict[str, object], str]:
    """Return the object of a line, and its text.

    Raises:
        DataError: it is no object, or has no such text.
    """
    try:
        record = cast("object", json.loads(line))
    except ValueError as error:
        raise DataError(f"{where}: not JSON ({error}).") from None
    except RecursionError:
        raise DataError(f"{where}: not JSON that can be read (nested too deep).") from None
    if not isinstance(record, dict):
        raise DataError(f"{where}: expected an object with the field {field!r}; got {line[:40]}")
    record = cast("dict[str, object]", record)
    if field not in record:
        fields = ", ".join(map(str, record)) or "no fields"
        raise DataError(f'{where}: no field "{field}" but {fields}. Say which with --field NAME.')
    value = record[field]
    if not isinstance(value, str):
        raise DataError(f'{where}: field "{field}" must be a string; got {json.dumps(value)[:40]}.')
    if re.search("[\ud800-\udfff]", value):
        raise DataError(f'{where}: field "{field}" holds half a surrogate pair, which is no text.')
    return record, value
