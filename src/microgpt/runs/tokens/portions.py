"""The documents of files of any size, cut into portions: each becomes a shard.

In: a source. Out: `Portion`s, the same however the files are read. A portion ends with the document
that fills it; memory holds a portion, and the longest document.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from microgpt.data.corpus import Source
from microgpt.data.datasets import names_path
from microgpt.data.gathering import Gathering
from microgpt.data.reader.skipped import Skipped
from microgpt.data.reader.stream import Stream
from microgpt.data.texts import Texts

SIZE = 1 << 23
"""The bytes of text that fill a portion, a line feed behind each document."""


class Portion(NamedTuple):
    """Consecutive documents, and a hash of all documents up to their end."""

    texts: Texts
    fingerprint: str


def files_of(source: Source) -> tuple[str, ...]:
    """Return the files to read: those of the source, or the embedded names."""
    return source.files or (str(names_path()),)


class Portions:
    """The portions of a source's documents.

    Args:
        source: its files, and how to read them.
        say: receives sentences on the files and on broken rows.

    Attributes:
        blank: documents left out so far because they are white space only.
        blank_characters: the characters in those.
    """

    def __init__(self, source: Source, say: Callable[[str], None] = lambda _: None) -> None:
        self._source, self._skipped = source, Skipped(say)
        self.blank = self.blank_characters = 0

    @property
    def broken(self) -> int:
        """Rows left out so far because they could not be read."""
        return self._skipped.broken

    def __iter__(self) -> Iterator[Portion]:
        """Read the files and yield the portions.

        Raises:
            DataError: a file cannot be read, lacks the column, or has too many broken rows.
        """
        digest = hashlib.blake2b(digest_size=16)
        waiting, size = Gathering(), 0
        for texts in self._texts():
            waiting.add(texts)
            size += int(texts.starts[-1])
            while size >= SIZE:
                found = waiting.done()
                n = int(np.searchsorted(found.starts[1:], SIZE)) + 1
                digest.update(found[:n].data)
                yield Portion(found[:n].packed(), digest.hexdigest())
                waiting = Gathering()
                waiting.add(found[n:])
                size -= int(found.starts[n])
        if size:
            found = waiting.done()
            digest.update(found.data)
            yield Portion(found, digest.hexdigest())

    def _texts(self) -> Iterator[Texts]:
        for file in files_of(self._source):
            for block in Stream(file, self._source, self._skipped, bounded=False):
                self.blank += block.blank
                self.blank_characters += block.blank_characters
                if block.texts:
                    yield Texts.of(block.texts).packed()
