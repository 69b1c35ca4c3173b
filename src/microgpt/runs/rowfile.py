"""A file of rows that a person asked for: .csv, .jsonl, .parquet or .xlsx, whole or not at all.

In: rows, as bytes of CSV or lines of JSON. Out: the file. It is replaced when all rows have come:
an interruption, an error or a full disk leaves what was there before.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Literal

from microgpt.errors import MissingExtra, UsageError
from microgpt.runs.files import check_target, replacing

Write = Callable[[Iterable[bytes]], None]

# The module that makes a file of lines of JSON, and the library that it needs.
_MADE_BY = {".parquet": ("parquet", "pyarrow"), ".xlsx": ("workbook", "xlsxwriter")}
_ENDINGS = (".csv", ".jsonl", *_MADE_BY)


class RowFile:
    """A file to write rows to.

    Args:
        path: it; its ending says what it is.
        inputs: files that it must not be.
        bom: whether a byte order mark is to stand first, which has Excel read CSV as UTF-8.

    Attributes:
        path: the file.
        form: of the rows that it takes.

    Raises:
        UsageError: its ending is none of these, it is an input, or there is no such folder.
        MissingExtra: the library that writes it is not installed.
    """

    def __init__(self, path: Path, inputs: Iterable[str | Path] = (), *, bom: bool = False) -> None:
        ending = path.suffix.lower()
        if ending not in _ENDINGS:
            raise UsageError(f"out must end in .csv, .jsonl, .parquet or .xlsx; got {path}.")
        if bom and ending != ".csv":
            raise UsageError(f"bom must go with a file of CSV; got {path}.")
        check_target("out", path)
        for file in inputs:
            if file != "-" and _is_same(path, Path(file)):
                raise UsageError(f"out must not be the file that is read; got {path}.")
        if path.exists() and not path.is_file():
            raise UsageError(f"out must be a file; {path} is a pipe or a device.")
        self.path, self._bom = path, bom
        self.form: Literal["csv", "jsonl"] = "csv" if ending == ".csv" else "jsonl"
        self._convert = _converter(*_MADE_BY[ending]) if ending in _MADE_BY else None

    @contextmanager
    def opened(self) -> Generator[Write]:
        """Open it; it takes rows until the end, and is in its place then."""
        # A link is not replaced, but the file that it leads to.
        path = self.path.resolve()
        if self._convert is None:
            with replacing(path) as file:
                yield _marked(file) if self._bom else file.writelines
        else:
            with TemporaryFile() as lines, replacing(path) as file:
                yield lines.writelines
                lines.flush()
                self._convert(lines, file)


def _converter(module: str, library: str) -> Callable[[BinaryIO, BinaryIO], None]:
    try:
        import_module(library)
    except ImportError:
        raise MissingExtra(
            f"out needs {library} for such a file, which is not installed. "
            "Try: pip install 'microgpt-lm[tables]'"
        ) from None
    return import_module(f"microgpt.runs.{module}").write


def _marked(file: BinaryIO) -> Write:
    """Return what writes rows behind a byte order mark, which they may have themselves."""
    is_first = True

    def write(rows: Iterable[bytes]) -> None:
        nonlocal is_first
        for row in rows:
            if is_first and not row.startswith(codecs.BOM_UTF8):
                file.write(codecs.BOM_UTF8)
            is_first = False
            file.write(row)

    return write


def _is_same(path: Path, other: Path) -> bool:
    with suppress(OSError):
        return path.samefile(other)
    return False
