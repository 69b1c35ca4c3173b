"""Files that were dropped on the page: on the disk until the server ends, never whole in memory.

In: the bytes of a request, and a name to show. Out: an id that is looked up in a table; the file's
documents, as the one reader makes them. Neither the name nor the id becomes a path.
"""

from __future__ import annotations

import gzip
import secrets
import zlib
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Literal

from starlette.concurrency import run_in_threadpool

from microgpt.data import corpus
from microgpt.data.corpus import Corpus, Source
from microgpt.errors import DataError, MicroGPTError, UsageError
from microgpt.studio.recent import Recent
from microgpt.wording import clipped

KEPT = 8
"""The most files kept; the one that was used least recently goes first."""

UNPACKED = 2_000_000_000
"""The most bytes of a gzip file's content."""

_SUFFIXES = (".txt", ".csv", ".tsv", ".jsonl", ".ndjson", ".json")
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Upload:
    """A file that was uploaded.

    Attributes:
        id: random.
        name: as the browser had it, to be shown.
        size: in bytes.
        path: where it is now.
    """

    id: str
    name: str
    size: int
    path: Path


@dataclass(frozen=True)
class ReadAs:
    """How to read a file; as in `data.corpus.Source`.

    Attributes:
        column: of a table.
        field: of JSON.
        delimiter: between the cells of a table.
        encoding: of the text.
        quoting: of a table's cells.
        stream: whether it is one long text.
    """

    column: str | None = None
    field: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    quoting: Literal["strict", "none"] = "strict"
    stream: bool = False

    def source(self, path: Path) -> Source:
        """Return the source that reads a file in this way."""
        return Source(files=(str(path),), **vars(self))


class Uploads:
    """The uploaded files, in a folder of their own that is removed at the end."""

    def __init__(self) -> None:
        self._folder: TemporaryDirectory[str] | None = None
        self._all = Recent[str, Upload](KEPT)
        self._lock = Lock()

    @property
    def folder(self) -> Path:
        """Where they are; it is made when it is first needed."""
        with self._lock:
            if not self._folder:
                name = "microgpt-studio-"
                self._folder = TemporaryDirectory(prefix=name, ignore_cleanup_errors=True)
            return Path(self._folder.name)

    def close(self) -> None:
        """Remove all of them."""
        if self._folder:
            self._folder.cleanup()

    async def receive(self, chunks: AsyncIterator[bytes], name: str) -> Upload:
        """Write a file as it comes; whatever ends this early leaves nothing on the disk.

        Raises:
            MicroGPTError: the disk is full.
            DataError: the file is gzip data that is damaged or too large.
        """
        key = secrets.token_hex(16)
        path = self.folder / f"{key}{suffix(name)}"
        try:
            with path.open("xb", buffering=0) as file:
                failed = await _written(chunks, file)
            if failed:
                raise MicroGPTError(
                    f"the file cannot be kept: {failed.strerror or failed}. Free some space where "
                    f"temporary files are ({self.folder.parent}), or set TMPDIR to another folder."
                )
            made = Upload(key, clipped(name) or "file", path.stat().st_size, path)
            with shown_as(made):
                await run_in_threadpool(_check_unpacked, path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        for old in self._all.put(key, made):
            old.path.unlink(missing_ok=True)
        return made

    def find(self, key: str) -> Upload:
        """Return an uploaded file.

        Raises:
            DataError: there is none with this id, or it is gone.
        """
        found = self._all.get(key)
        if not found or not found.path.exists():
            raise DataError("This file is not here any more. Drop it on the page again.")
        return found

    def path(self, key: str) -> Path:
        """Return where an uploaded file is."""
        return self.find(key).path

    def corpus(self, key: str, read_as: ReadAs = ReadAs()) -> Corpus:
        """Read all documents of an uploaded file into memory; its notes name it as it is shown.

        Raises:
            DataError: there is no such file, or it cannot be read.
        """
        found = self.find(key)
        with shown_as(found):
            read = corpus.read(read_as.source(found.path))
        notes = tuple(note.replace(str(found.path), found.name) for note in read.notes)
        return replace(read, notes=notes)


@contextmanager
def shown_as(upload: Upload) -> Generator[None]:
    """Let errors name a file as it is shown."""
    try:
        yield
    except (UsageError, MicroGPTError) as error:
        raise type(error)(str(error).replace(str(upload.path), upload.name)) from None


def suffix(name: str) -> str:
    """Return the end of a name, which says how the file is read; nothing else of it is used.

    >>> suffix("My Names.CSV.gz"), suffix("../../etc/passwd"), suffix("x.exe")
    ('.csv.gz', '.txt', '.txt')
    """
    plain = name.lower().removesuffix(".gz")
    found = PurePath(plain).suffix
    packed = ".gz" if name.lower().endswith(".gz") else ""
    return f"{found if found in _SUFFIXES else '.txt'}{packed}"


async def _written(chunks: AsyncIterator[bytes], file: FileIO) -> OSError | None:
    """Write chunks to a file; return why that failed. All chunks are taken even then.

    A browser that is answered before it has sent everything shows no answer.
    """
    failed = None
    async for chunk in chunks:
        if not failed:
            failed = await run_in_threadpool(_write, file, chunk)
            if failed:
                file.truncate(0)
    return failed


def _write(file: FileIO, chunk: bytes) -> OSError | None:
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError as error:
        return error
    return None


def _check_unpacked(path: Path) -> None:
    """Raise DataError if a file is gzip data with too much inside; damaged data is the reader's."""
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            return
    size = 0
    with gzip.open(path) as unzipped, suppress(OSError, EOFError, zlib.error):
        while part := unzipped.read(_AT_ONCE):
            size += len(part)
            if size > UNPACKED:
                raise DataError(
                    f"{path}: more than {UNPACKED:,} bytes when unpacked. In a terminal "
                    "`microgpt score` reads files of any size."
                )
