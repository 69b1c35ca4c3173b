"""The files of a folder of token ids while it is prepared: they grow by a shard at a time.

In: the arrays of shards. Out: files; and a journal with a line a shard, written once its bytes are
on the disk. After a crash the files are cut to the shards of the journal that are whole.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from microgpt import schema
from microgpt.data.shards import (
    JOURNAL,
    SPLITS,
    Extent,
    Shard,
    SourceFile,
    Split,
    checksum,
    segments,
)
from microgpt.errors import DataError
from microgpt.runs.files import write_atomically
from microgpt.runs.tokens.work import Made

KINDS = ("tokens", "documents", "hashes")


@dataclass(frozen=True)
class Beginning:
    """What a preparation was begun with: the first line of the journal.

    Attributes:
        format: the version of the files.
        asked: the settings.
        sources: the files.
        changed: when each was changed, in nanoseconds.
    """

    format: int
    asked: dict[str, Any]
    sources: tuple[SourceFile, ...]
    changed: tuple[int, ...]


class ShardFiles:
    """The files of a folder, opened to go on behind their whole shards.

    Args:
        folder: locked by this process.
        begun: what the preparation is begun with, or was.
        bos: the id of BOS.
        dtype: of an id.

    Attributes:
        shards: those that are written.
        kept: how many of these an earlier process has written.

    Raises:
        DataError: the folder's preparation was begun with other settings or files.
    """

    def __init__(self, folder: Path, begun: Beginning, bos: int, dtype: np.dtype[Any]) -> None:
        self.folder, self._dtype = folder, dtype
        self._first = np.array([bos], dtype).tobytes()
        self.shards = [*self._whole(read_journal(folder, begun))]
        self.kept = len(self.shards)
        lines = [schema.encode(begun), *map(schema.encode, self.shards), b""]
        write_atomically(folder / JOURNAL, b"\n".join(lines))
        self._stack = ExitStack()
        self._files = {
            (split, kind): self._opened(f"{split}.{kind}", size)
            for split in SPLITS
            for kind, size in zip(KINDS, self._sizes(split))
        }
        self._journal = self._stack.enter_context((folder / JOURNAL).open("ab"))
        for split in SPLITS:
            if not self.shards:
                self._write(split, "tokens", self._first)
                self._write(split, "documents", np.zeros(1, "<i8").tobytes())

    def __enter__(self) -> ShardFiles:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def add(self, made: Made, fingerprint: str) -> None:
        """Write a shard, and a line of the journal."""
        extents = dict[Split, Extent]()
        for split, its in made.splits.items():
            _, positions = self._ends(split)
            arrays = its.tokens, (its.offsets + positions).astype("<i8"), its.hashes.astype("<u8")
            for kind, array in zip(KINDS, arrays):
                self._write(split, kind, array.data)
            n = int(its.offsets[-1]) if len(its.offsets) else 0
            extents[split] = Extent(len(its.offsets), n, checksum(*arrays))
        shard = Shard(fingerprint, made.characters, made.bytes, extents["train"],
                      extents["heldout"])  # fmt: skip
        for file in self._files.values():
            _flush(file)
        self._journal.write(schema.encode(shard) + b"\n")
        _flush(self._journal)
        self.shards.append(shard)

    def hashes(self, split: Split) -> Any:
        """Return the hashes of the documents of a split, mapped into memory."""
        path = self.folder / f"{split}.hashes"
        return np.memmap(path, "<u8", "r") if path.stat().st_size else np.zeros(0, "<u8")

    def _ends(self, split: Split) -> tuple[int, int]:
        extents = [shard.of(split) for shard in self.shards]
        return sum(each.documents for each in extents), sum(each.positions for each in extents)

    def _sizes(self, split: Split) -> tuple[int, int, int]:
        """Return the bytes of a split's files that belong to whole shards."""
        if not self.shards:
            return 0, 0, 0
        documents, positions = self._ends(split)
        return (positions + 1) * self._dtype.itemsize, (documents + 1) * 8, documents * 8

    def _whole(self, shards: Sequence[Shard]) -> Sequence[Shard]:
        """Return the shards, up to the first whose bytes are not as they were written."""
        whole = len(shards)
        for segment in segments(shards):
            d, n, extent = segment.document, segment.position, segment.extent
            arrays = [
                self._part(segment.split, "tokens", self._dtype, n + 1, extent.positions),
                self._part(segment.split, "documents", np.dtype("<i8"), d + 1, extent.documents),
                self._part(segment.split, "hashes", np.dtype("<u8"), d, extent.documents),
            ]
            if checksum(*arrays) != extent.checksum:
                whole = min(whole, segment.number - 1)
        return shards[:whole]

    def _part(self, split: Split, kind: str, dtype: np.dtype[Any], first: int, n: int) -> Any:
        path = self.folder / f"{split}.{kind}"
        if not path.exists():
            return np.zeros(0, dtype)
        return np.fromfile(path, dtype, n, offset=first * dtype.itemsize)

    def _opened(self, name: str, size: int) -> BinaryIO:
        path = self.folder / name
        file = self._stack.enter_context(path.open("ab"))
        file.truncate(size)
        return file

    def _write(self, split: Split, kind: str, data: Any) -> None:
        try:
            self._files[split, kind].write(data)
        except OSError as error:
            error.filename = str(self.folder / f"{split}.{kind}")  # the system does not say it
            raise


def _flush(file: BinaryIO) -> None:
    try:
        file.flush()
        os.fsync(file.fileno())
    except OSError as error:
        error.filename = file.name
        raise


def read_journal(folder: Path, begun: Beginning) -> list[Shard]:
    """Return the shards that the journal of a folder names; none if there is none.

    Raises:
        DataError: the preparation was begun with other settings or files.
    """
    path = folder / JOURNAL
    if not path.exists():
        return []
    first, *lines = path.read_bytes().split(b"\n")
    try:
        before = schema.convert(Beginning, schema.parse(first))
    except schema.Foreign as error:
        raise DataError(f"{path}: damaged ({error}). Remove it to begin anew.") from None
    if before != begun:
        names = ("asked", "sources", "changed", "format")
        what = next(name for name in names if getattr(before, name) != getattr(begun, name))
        raise DataError(
            f"{folder}: its preparation was begun with other {_WORDS[what]}. Give the same, remove "
            "the folder, or choose another --out."
        )
    shards = list[Shard]()
    for line in lines:
        try:
            shards.append(schema.convert(Shard, schema.parse(line)))
        except schema.Foreign:
            break  # a process was killed while it wrote this line
    return shards


_WORDS = {
    "asked": "settings", "sources": "files", "changed": "files: they were changed since",
    "format": "files: by another version of microgpt",
}  # fmt: skip
