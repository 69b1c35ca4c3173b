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
from collections.abc import Iterator
from pathlib import Path
from typing import cast

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
    if column is not None and field is not None:
        raise UsageError(
            "column or field must be given, not both: one is of CSV, one of JSON lines."
        )
    name = name_of(file)
    text = _decode(_bytes(file, name), name, encoding)
    suffix = Path(file.removesuffix(".gz")).suffix.lower()
    if stream:
        if column is not None or field is not None:
            raise UsageError("stream must go with plain text; got a column or a field.")
        yield _LINE_END.sub("\n", text)
    elif field is not None or suffix in (".jsonl", ".ndjson"):
        yield from _json_lines(text, name, field or "text")
    elif column is not None or suffix in (".csv", ".tsv"):
        yield from _table(text, name, column, "\t" if suffix == ".tsv" else ",")
    else:
        yield from lines(text)


def name_of(file: str) -> str:
    """Return what a message calls a file."""
    return "standard input" if file == "-" else file


def lines(text: str) -> list[str]:
    r"""Split at LF, CRLF and CR only; a line end at the very end starts no further line.

    >>> lines("a\u2028b\r\nc\rd\n")
    ['a\u2028b', 'c', 'd']
    """
    parts = _LINE_END.split(text)
    return parts[:-1] if parts[-1] == "" else parts


def raw(file: str, expected: str = "a file") -> bytes:
    """Return a file's bytes as they are.

    Args:
        file: a path, or "-".
        expected: what a message says if it is a folder.

    Raises:
        DataError: it cannot be read.
    """
    if not file:
        raise UsageError("a file must have a name; got an empty one.")
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
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
        index = _column_index(header, name, column)
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


def _column_index(header: list[str], name: str, column: str | None) -> int:
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
        where = f"{name}: line {number}"
        try:
            record = cast("object", json.loads(line))
        except ValueError as error:
            raise DataError(f"{where}: not JSON ({error}).") from None
        except RecursionError:
            raise DataError(f"{where}: not JSON that can be read (nested too deep).") from None
        if not isinstance(record, dict):
            raise DataError(
                f"{where}: expected an object with the field {field!r}; got {line[:40]}"
            )
        record = cast("dict[str, object]", record)
        if field not in record:
            fields = ", ".join(map(str, record)) or "no fields"
            raise DataError(
                f'{where}: no field "{field}" but {fields}. Say which with --field NAME.'
            )
        value = record[field]
        if not isinstance(value, str):
            raise DataError(
                f'{where}: field "{field}" must be a string; got {json.dumps(value)[:40]}.'
            )
        if re.search("[\ud800-\udfff]", value):
            raise DataError(
                f'{where}: field "{field}" holds half a surrogate pair, which is no text.'
            )
        yield value
