"""Files before they are decoded: which format a file is read as, and its bytes, unzipped.

In: a path, or "-" for standard input. Out: the format, chosen by the settings and the file's name;
an open file. A file that cannot be read raises a `DataError` that names it.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Literal, cast

from microgpt.errors import DataError, UsageError
from microgpt.wording import nearest

if TYPE_CHECKING:
    from microgpt.data.corpus import Source

Form = Literal["text", "csv", "lines of JSON", "JSON"]


def form_of(file: str, source: Source) -> Form:
    """Return which format to read a file as: by the settings of `source`, or else by its name.

    Raises:
        UsageError: a setting is invalid, or two of them exclude each other.
    """
    suffix = _suffix(file)
    is_table = source.column is not None or source.delimiter is not None
    if is_table and source.field is not None:
        raise UsageError(
            "column or field must be given, not both: one is of CSV, one of JSON lines."
            if source.column is not None
            else "delimiter or field must be given, not both: one is of CSV, one of JSON lines."
        )
    if source.delimiter is not None and (
        len(source.delimiter) != 1 or source.delimiter in '"\r\n\x00'
    ):
        raise UsageError(
            f'delimiter must be one character, and no quote or line end; got "{source.delimiter}".'
        )
    if source.quoting not in ("strict", "none"):
        raise UsageError(f'quoting must be one of strict, none; got "{source.quoting}".')
    if source.stream and (is_table or source.field is not None):
        raise UsageError("stream must go with plain text; got a column or a field.")
    if source.stream:
        return "text"
    if suffix in (".jsonl", ".ndjson"):
        return "lines of JSON"
    if source.field is not None or (suffix == ".json" and not is_table):
        return "JSON"
    return "csv" if is_table or suffix in (".csv", ".tsv") else "text"


def delimiter_of(file: str) -> str:
    r"""Return the delimiter that a table's file name implies: a tab for .tsv, else a comma.

    >>> delimiter_of("names.tsv.gz"), delimiter_of("names.csv")
    ('\t', ',')
    """
    return "\t" if _suffix(file) == ".tsv" else ","


def _suffix(file: str) -> str:
    return Path(file.removesuffix(".gz")).suffix.lower()


def name_of(file: str) -> str:
    """Return the name of a file for messages.

    >>> name_of("-"), name_of("names.txt")
    ('standard input', 'names.txt')
    """
    return "standard input" if file == "-" else file


def raw(file: str, expected: str = "a file") -> bytes:
    """Return all bytes of a file, without unzipping.

    Args:
        file: a path, or "-" for standard input.
        expected: what the error message says was expected, if `file` is a folder.

    Raises:
        DataError: the file cannot be read.
    """
    with opened(file, expected) as found:
        return b"".join(chunks(found, name_of(file), -1))


@contextmanager
def opened(file: str, expected: str = "a file") -> Generator[BinaryIO]:
    """Open a file and close it at the end; standard input stays open.

    Raises:
        DataError: the file cannot be opened.
        UsageError: its name is empty.
    """
    if not file:
        raise UsageError("a file must have a name; got an empty one.")
    with ExitStack() as stack:
        try:
            found = _standard_input() if file == "-" else stack.enter_context(Path(file).open("rb"))
        except FileNotFoundError:
            raise DataError(f"{file}: no such file.{did_you_mean(file)}") from None
        except IsADirectoryError:
            raise DataError(f"{file}: a folder. Expected {expected}.") from None
        except (OSError, ValueError) as error:
            raise _unreadable(file, error) from None
        yield found


def chunks(source: IO[bytes], name: str, size: int) -> Iterator[bytes]:
    """Yield the bytes of an open file in chunks.

    Args:
        source: the file.
        name: its name, for messages.
        size: the most bytes of a chunk; a pipe may yield fewer, without waiting for more. -1: all
            bytes in one chunk.

    Raises:
        DataError: the file cannot be read.
    """
    read = source.read if size < 0 else getattr(source, "read1", source.read)
    while True:
        with _reading(name):
            data = read(size)
        if not data:
            return
        yield data


def unpacked(source: BinaryIO, name: str) -> tuple[bytes, IO[bytes]]:
    """Return the first bytes of a file, and the file itself, both unzipped if it is gzip data.

    The position in the file does not change: the first bytes are read again from it.
    """
    # A file in memory may lack `peek`.
    found: Any = source if hasattr(source, "peek") else io.BufferedReader(cast("Any", source))
    with _reading(name):
        start = found.peek()
        if start[:2] == b"\x1f\x8b":
            found = gzip.GzipFile(fileobj=found)
            start = found.peek(1)
    return start, found


@contextmanager
def _reading(name: str) -> Generator[None]:
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{name}: damaged gzip data ({error}).") from None
    except OSError as error:
        raise _unreadable(name, error) from None


def _standard_input() -> BinaryIO:
    # sys.stdin is None where the parent process closed standard input.
    found: BinaryIO | None = getattr(sys.stdin, "buffer", None)
    if found is None:
        raise DataError("standard input: closed. Expected text, a document a line.")
    return found


def _unreadable(name: str, error: Exception) -> DataError:
    return DataError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error}).")


def did_you_mean(file: str) -> str:
    """Return " Did you mean FILE?" with the most similar name in its folder; "" if none is."""
    path = Path(file)
    try:
        neighbours = [p.name for p in path.parent.iterdir()]
    except OSError:
        return ""
    meant = nearest(path.name, neighbours)
    return f" Did you mean {path.with_name(meant)}?" if meant else ""
