"""A folder of token ids, as `microgpt data prepare` writes it: opened and checked.

In: a folder. Out: a `Store`, whose arrays are files mapped into memory.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from microgpt import schema
from microgpt.data import tokenizer
from microgpt.data.decoded import Decoded, Hashes, Pieces
from microgpt.data.encoded import Encoded, smallest
from microgpt.data.shards import (
    FORMAT,
    INDEX,
    SPLITS,
    TOKENIZER,
    Segment,
    Split,
    TokenIndex,
    checksum,
    digest,
    segments,
)
from microgpt.data.tokenizer import Tokenizer
from microgpt.errors import DataError, UsageError


def is_store(file: str) -> bool:
    """Return whether a path is a folder of token ids."""
    folder = Path(file)
    return bool(file) and (folder / INDEX).is_file() and (folder / TOKENIZER).is_file()


def dtype_of(tokenizer: Tokenizer) -> np.dtype[Any]:
    """Return the type of a token id in a file: the smallest that holds all, little-endian."""
    kind = smallest(tokenizer.vocab_size)
    return np.dtype({np.uint8: "<u1", np.uint16: "<u2", np.int32: "<i4"}[kind])


class Store:
    """A folder of token ids, its files mapped into memory.

    Args:
        folder: as `microgpt data prepare` has made it.

    Raises:
        DataError: it is of another version, damaged, or incomplete.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.index = self._read_index()
        self.tokenizer = self._read_tokenizer()
        self._map()

    @classmethod
    def of(cls, folder: Path, index: TokenIndex, tokenizer: Tokenizer) -> Store:
        """Open a folder that has no index yet."""
        self = cls.__new__(cls)
        self.folder, self.index, self.tokenizer = folder, index, tokenizer
        self._map()
        return self

    def _map(self) -> None:
        train, heldout = (self._mapped(split) for split in SPLITS)
        self.train, self.heldout = train[0], heldout[0]
        self.hashes: dict[str, Hashes] = {"train": train[1], "heldout": heldout[1]}

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all documents in the order of the sources, as that of a corpus of text."""
        return self.index.shards[-1].fingerprint

    def documents(self, split: Split) -> Decoded:
        """Return the documents of a split."""
        encoded = self.train if split == "train" else self.heldout
        return Decoded([encoded], self.tokenizer, [self.hashes[split]], self._pieces)

    @cached_property
    def _pieces(self) -> Pieces:
        return Pieces(self.tokenizer)

    def verify(self) -> None:
        """Compare every shard with its checksum: about a second a gigabyte.

        Raises:
            DataError: one is damaged.
        """
        from concurrent.futures import ThreadPoolExecutor  # only for data that are prepared

        with ThreadPoolExecutor() as threads:
            for segment, is_whole in threads.map(self._checked, segments(self.index.shards)):
                if not is_whole:
                    raise DataError(
                        f"{self.folder}: damaged: shard {segment.number} of "
                        f"{len(self.index.shards)} has not the checksum that it was written with, "
                        f"in {segment.split}. Prepare it again, into another --out."
                    )

    def _checked(self, segment: Segment) -> tuple[Segment, bool]:
        encoded: Encoded = self.train if segment.split == "train" else self.heldout
        d, n, extent = segment.document, segment.position, segment.extent
        found = checksum(
            encoded.stream[1 + n : 1 + n + extent.positions],
            encoded.offsets[1 + d : 1 + d + extent.documents],
            self.hashes[segment.split][d : d + extent.documents],
        )
        return segment, found == extent.checksum

    def _read_index(self) -> TokenIndex:
        path = self.folder / INDEX
        try:
            data = schema.convert(dict[str, Any], schema.parse(path.read_bytes()))
            if data.get("format") != FORMAT:
                raise UsageError(f"format must be {FORMAT}; got {data.get('format')!r:.40}.")
            if data.pop("checksum", None) != schema.fingerprint(data):
                raise schema.Foreign("its checksum is not that of what it says")
            return schema.convert(TokenIndex, data)
        except schema.Foreign as error:
            raise DataError(f"{path}: damaged or foreign ({error}).") from None
        except UsageError as error:
            raise DataError(f"{path}: {error}") from None
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from None

    def _read_tokenizer(self) -> Tokenizer:
        path = self.folder / TOKENIZER
        try:
            data = path.read_bytes()
            if digest(data) != self.index.tokenizer:
                raise schema.Foreign("it is not the one that the shards were made with")
            return tokenizer.from_json(schema.parse(data))
        except UsageError as error:
            raise DataError(f"{path}: damaged or foreign ({error}).") from None
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from None

    def _mapped(self, split: Split) -> tuple[Encoded, Hashes]:
        documents, positions = self.index.total(split)
        kind = dtype_of(self.tokenizer)
        tokens = self._array(f"{split}.tokens", kind, positions + 1)
        offsets = self._array(f"{split}.documents", np.dtype("<i8"), documents + 1)
        if (int(offsets[0]), int(offsets[-1])) != (0, positions):
            raise DataError(f"{self.folder / f'{split}.documents'}: damaged. Prepare it again.")
        return Encoded(tokens, offsets), self._array(f"{split}.hashes", np.dtype("<u8"), documents)

    def _array(self, name: str, kind: np.dtype[Any], length: int) -> Any:
        """Map a file into memory, after its size was compared."""
        path = self.folder / name
        try:
            size = path.stat().st_size
            if size != length * kind.itemsize:
                raise DataError(
                    f"{path}: damaged: must have {length * kind.itemsize:,} bytes; got {size:,}. "
                    "Prepare it again, into another --out."
                )
            if not length:
                return np.zeros(0, kind)
            return np.asarray(np.memmap(path, kind, "r", shape=(length,)))
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}).") from None
