"""Files before they are decoded: which format a file is read as, and its bytes, unpacked.

In: a path, or "-" for standard input. Out: the format, chosen by the settings and the file's name;
an open file. A file that cannot be read raises a `DataError` that names it.
"""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Literal, cast

from microgpt.errors import DataError, MissingExtra, UsageError
from microgpt.wording import nearest

if TYPE_CHECKING:
    from microgpt.data.corpus import Source

Form = Literal["text", "csv", "lines of JSON", "JSON", "Arrow"]

# The module for zstd: Python's own from 3.14 on, or the same for an older one.
_ZSTD = ("compression.zstd", "backports.zstd")
_PACKED = (".gz", ".zst")
# The endings of files with columns, and the files that tell a folder of Hugging Face datasets.
_COLUMNS = (".parquet", ".arrow", ".feather", ".ipc")
_DATASETS = ("dataset_dict.json", "state.json")


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
    if _has_columns(file):
        for name in {*source.asked} - {"column", "encoding"}:
            raise UsageError(f"{name} must go without {file}, whose columns --column names.")
        return "Arrow"
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


def _has_columns(file: str) -> bool:
    """Return whether a file is of Parquet or Arrow, or a folder of Hugging Face datasets."""
    path = Path(file)
    if path.suffix.lower() in _COLUMNS and not path.is_dir():
        return True
    return bool(file) and any((path / name).is_file() for name in _DATASETS)


def _suffix(file: str) -> str:
    for packed in _PACKED:
        file = file.removesuffix(packed)
    return Path(file).suffix.lower()


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


def chunks(source: IO[bytes], name: str, size: int, grows: int = 1) -> Iterator[bytes]:
    """Yield the bytes of an open file in chunks.

    Args:
        source: the file.
        name: its name, for messages.
        size: the most bytes of a chunk; a pipe may yield fewer, without waiting for more. -1: all
            bytes in one chunk.
        grows: how many times as many a chunk may have after some others, each twice the last.

    Raises:
        DataError: the file cannot be read.
    """
    most = grows * size
    read = source.read if size < 0 else getattr(source, "read1", source.read)
    while True:
        with _reading(name, source):
            data = read(size)
        if not data:
            return
        yield data
        if size < most:
            size = min(2 * size, most)


def unpacked(source: BinaryIO, name: str) -> tuple[bytes, IO[bytes]]:
    """Return the first bytes of a file, and the file itself, both unpacked if it is gzip or zstd.

    The position in the file does not change: the first bytes are read again from it.
    """
    # A file in memory may lack `peek`.
    found: Any = source if hasattr(source, "peek") else io.BufferedReader(cast("Any", source))
    with _reading(name, found):
        start = found.peek()
    if start[:2] == b"\x1f\x8b":
        found = gzip.GzipFile(fileobj=found)
    elif start[:4] == b"\x28\xb5\x2f\xfd":
        found = _zstd(name).ZstdFile(found)
    else:
        return start, found
    with _reading(name, found):
        return found.peek(1), found


def _zstd(name: str) -> Any:
    """Import Python's module for zstd, or the same for an older Python."""
    for module in _ZSTD:
        with suppress(ImportError):
            return import_module(module)
    raise MissingExtra(
        f"{name}: backports.zstd must be installed to unpack it. "
        "Try: pip install 'microgpt-lm[zstd]'"
    )


def _zstd_errors() -> list[type[Exception]]:
    """Return the errors of damaged zstd data, which need not be imported."""
    modules: Iterator[Any] = filter(None, map(sys.modules.get, _ZSTD))
    return [module.ZstdError for module in modules]


@contextmanager
def _reading(name: str, source: IO[bytes]) -> Generator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error, *_zstd_errors()) as error:
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            raise _unreadable(name, error) from None
        kind = "gzip" if isinstance(source, gzip.GzipFile) else "zstd"
        raise DataError(f"{name}: damaged {kind} data ({error}).") from None


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
