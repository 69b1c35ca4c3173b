"""The index of a folder of token ids: what its files hold, shard by shard.

In: the JSON of `index.json`. Out: a `TokenIndex`. For each split, "train" and "heldout", there are
three files, little-endian, in which the shards lie end to end, so that each is one array:

    SPLIT.tokens     BOS, then the ids of each document followed by BOS
    SPLIT.documents  int64: the position at which each document begins, and the end of the last
    SPLIT.hashes     uint64: the hash of each document (`split.hashes`)
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

from microgpt.config.bounds import SHARE
from microgpt.errors import UsageError

FORMAT = 1
INDEX, TOKENIZER, JOURNAL = "index.json", "tokenizer.json", "preparing.jsonl"
Split = Literal["train", "heldout"]
SPLITS: tuple[Split, ...] = ("train", "heldout")


@dataclass(frozen=True)
class Extent:
    """A shard's documents in one split.

    Attributes:
        documents: how many.
        positions: how many; each document has one more than it has tokens.
        checksum: of its bytes in the three files.
    """

    documents: int
    positions: int
    checksum: str


@dataclass(frozen=True)
class Shard:
    """Consecutive documents of the sources.

    Attributes:
        fingerprint: of all documents of the sources up to its end.
        characters: of its documents.
        bytes: of them, in UTF-8.
        train: those to train on.
        heldout: those held out.
    """

    fingerprint: str
    characters: int
    bytes: int
    train: Extent
    heldout: Extent

    def of(self, split: Split) -> Extent:
        """Return its documents in a split."""
        return self.train if split == "train" else self.heldout


@dataclass(frozen=True)
class SourceFile:
    """A file that documents were read from, and its bytes."""

    path: str
    bytes: int


@dataclass(frozen=True)
class Common:
    """The document that repeats most, shortened, and how often it stands there."""

    text: str
    times: int


@dataclass(frozen=True, kw_only=True)
class TokenIndex:
    """The content of `index.json`.

    Attributes:
        format: the version of the folder's files.
        dtype: the type of an id.
        tokenizer: a hash of `tokenizer.json`.
        holdout: the share of documents held out.
        sources: the files.
        reading: how they were read, where not by default.
        blank: documents left out because they are white space only.
        blank_characters: the characters in those.
        broken: rows left out because they could not be read.
        duplicates: documents whose hash an earlier one has.
        most_common: the document that repeats most; None: none does.
        shards: in the order of the sources.
    """

    format: int
    dtype: str
    tokenizer: str
    holdout: float
    sources: tuple[SourceFile, ...]
    reading: dict[str, Any]
    blank: int
    blank_characters: int
    broken: int
    duplicates: int
    most_common: Common | None
    shards: tuple[Shard, ...]

    def __post_init__(self) -> None:
        SHARE.check("holdout", self.holdout)
        if not self.shards:
            raise UsageError("shards must be at least one; got none.")

    def total(self, split: Split) -> tuple[int, int]:
        """Return the documents and the positions of a split."""
        parts = [shard.of(split) for shard in self.shards]
        return sum(part.documents for part in parts), sum(part.positions for part in parts)


class Segment(NamedTuple):
    """Where a shard lies in the arrays of a split."""

    split: Split
    number: int
    extent: Extent
    document: int
    position: int


def segments(shards: Sequence[Shard]) -> Iterator[Segment]:
    """Yield where each shard lies."""
    for split in SPLITS:
        document = position = 0
        for number, shard in enumerate(shards, 1):
            extent = shard.of(split)
            yield Segment(split, number, extent, document, position)
            document, position = document + extent.documents, position + extent.positions


def checksum(tokens: NDArray[Any], offsets: NDArray[Any], hashes: NDArray[Any]) -> str:
    """Return the checksum of a shard in a split."""
    digest = hashlib.blake2b(digest_size=16)
    for array in (tokens, offsets, hashes):
        digest.update(array.data)
    return digest.hexdigest()


def digest(data: bytes) -> str:
    """Return the hash of a file's content."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()
