"""The documents of a data set: read them, count them, split them.

In: a `Source` (files, or the embedded names). Out: a `Corpus` of documents, exactly as written, and
its split into training and held-out documents. Nothing is dropped silently: blank documents, their
characters, and broken rows are counted.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from microgpt import schema
from microgpt.data.datasets import names_path
from microgpt.data.reader.formats import name_of
from microgpt.data.reader.skipped import Skipped
from microgpt.data.reader.stream import Stream
from microgpt.data.texts import Gathering, Texts
from microgpt.errors import DataError, UsageError

EMBEDDED = "names"

# A line of more characters, if it is most of a file, is probably one long text.
_LONG = 20_000
# With this many documents none can be most of the text.
_MANY = 10_000
_AT_ONCE = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where documents come from, and how to read them.

    Args:
        files: paths, "-" for standard input; empty: the embedded names.
        column: of a .csv or .tsv file, its heading or its number from 1.
        field: of a .jsonl or .json file; "a.b" is the field b of the object in field a.
        encoding: of the text; a byte order mark is skipped.
        stream: whether each file is one long text; otherwise each line is a document.
        delimiter: the character between the cells of a table; None: implied by the file's name, or
            detected from its first lines.
        quoting: "strict": a cell that begins with a quote must end with one. "none": a quote is a
            character like any other.
    """

    files: tuple[str, ...] = ()
    column: str | None = None
    field: str | None = None
    encoding: str = "utf-8"
    stream: bool = False
    delimiter: str | None = None
    quoting: Literal["strict", "none"] = "strict"

    @property
    def name(self) -> str:
        """A short name for a run on this data."""
        if not self.files:
            return EMBEDDED
        return "stdin" if self.files[0] == "-" else Path(self.files[0]).name.split(".")[0] or "data"

    @property
    def asked(self) -> dict[str, Any]:
        """The settings that differ from their defaults, without `files`."""
        usual = vars(Source(files=self.files))
        return {name: value for name, value in vars(self).items() if value != usual[name]}

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` takes."""
        return {**dataclasses.asdict(self), "files": list(self.files)}

    @classmethod
    def from_json(cls, data: Any, name: str = "data") -> Source:
        """Make a source of a JSON object, ignoring other keys; messages call the object `name`.

        >>> Source.from_json(Source(files=("a.txt",)).to_json(), "data").files
        ('a.txt',)
        """
        return schema.convert(cls, data, name)


@dataclass(frozen=True)
class Corpus:
    """The documents of a data set, and what was skipped.

    Attributes:
        documents: in the order of the files; none is blank.
        blank: how many documents were skipped because they are white space only.
        blank_characters: the characters in those.
        stream: whether each document is one long text.
        broken: how many rows were skipped because they could not be read.
        notes: sentences for the user about the files and the first broken rows.
    """

    documents: Texts
    blank: int = 0
    blank_characters: int = 0
    stream: bool = False
    broken: int = 0
    notes: tuple[str, ...] = ()

    @property
    def characters(self) -> int:
        """Characters of all documents, without line ends."""
        return self.documents.characters

    @property
    def fingerprint(self) -> str:
        """A hash of all documents in order, by which the same data is recognised."""
        digest = hashlib.blake2b(digest_size=16)
        for block in self.documents.blocks():
            digest.update(block.data)
        return digest.hexdigest()


def read(source: Source) -> Corpus:
    """Read all documents of a source.

    Raises:
        DataError: a file is missing, is not text in the encoding given, lacks the column or field,
            or there is no document. The message has file, line and byte, where they are known.

    >>> len(read(Source()).documents)
    32000
    """
    files = source.files or (str(names_path()),)
    for file in files:
        if not file.isprintable() and any("\ud800" <= c <= "\udfff" for c in file):
            raise UsageError(f"a file's name must be Unicode; got {os.fsencode(file)!r}.")
    found, notes = Gathering(), list[str]()
    blank = blank_characters = 0
    skipped = Skipped(notes.append)
    for file in files:
        for block in Stream(file, source, skipped, bounded=False):
            found.add(block.texts)
            blank += block.blank
            blank_characters += block.blank_characters
    where, documents = ", ".join(map(name_of, files)), found.done()
    if not documents:
        but = f" but blank ones ({blank})" if blank else ""
        raise DataError(f"{where}: no documents{but}. Expected text, one document a line.")
    # The lengths of a million documents take as long to compute as reading them did.
    longest = int(documents.lengths.max()) if len(documents) < _MANY else 0
    if not source.stream and longest > max(_LONG, documents.characters // 2):
        notes.append(
            f"{where}: one line of {longest:,} characters is most of the text. If it is one long "
            "text, add --stream."
        )
    stream, broken = source.stream, skipped.broken
    return Corpus(documents, blank, blank_characters, stream, broken, tuple(notes))


def from_texts(all_texts: Iterable[str], *, stream: bool = False) -> Corpus:
    """Make a corpus of texts: skip and count the blank ones.

    >>> from_texts(["emma", " ", "ava"])  # doctest: +ELLIPSIS
    Corpus(documents=Texts(['emma', 'ava']), blank=1, blank_characters=1, ...)
    """
    found, remaining = Gathering(), iter(all_texts)
    blank = blank_characters = 0
    while some := list(islice(remaining, _AT_ONCE)):
        empty = [text for text in some if not text.strip()]
        blank += len(empty)
        blank_characters += sum(map(len, empty))
        found.add([text for text in some if text.strip()] if empty else some)
    return Corpus(found.done(), blank, blank_characters, stream)


def from_documents(documents: Iterable[str]) -> Corpus:
    """Make a corpus of the strings that a Python program passes.

    Raises:
        UsageError: one of them is not a string.
        DataError: all are blank, or there are none.

    >>> from_documents(["emma"]).characters
    4
    """
    corpus = from_texts(_strings(documents))
    if not corpus.documents:
        raise DataError(f"no documents but blank ones ({corpus.blank}). Expected strings.")
    return corpus


def _strings(documents: Iterable[str]) -> Iterator[str]:
    for i, document in enumerate(documents):
        if not isinstance(document, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(f"document {i} must be a string; got {document!r}.")
        yield document


def split(corpus: Corpus, holdout: float) -> tuple[Texts, Texts]:
    """Split into training documents and held-out documents: a share `holdout`, in [0, 1).

    A document is held out if a hash of its text, read as a number in [0, 1), is below `holdout`: so
    duplicates are on the same side, and a document stays on its side when lines are added or
    reordered. Of a stream, the last share of each text is held out.

    Raises:
        DataError: no document is left to train on.

    >>> split(from_texts(["emma", "zoe", "ava", "zoe"]), 0.2)
    (Texts(['emma', 'ava']), Texts(['zoe', 'zoe']))
    """
    documents = corpus.documents
    if corpus.stream:
        parts = [(text, round(len(text) * (1.0 - holdout))) for text in documents]
        train = Texts.of([text[:cut] for text, cut in parts if cut])
        held_out = Texts.of([text[cut:] for text, cut in parts if cut < len(text)])
    elif holdout == 0.0:
        train, held_out = documents, documents[:0]
    else:
        kept_D = _numbers(documents) < holdout
        train, held_out = (
            documents.take(
                np.flatnonzero(which_D).astype(np.int32 if len(kept_D) < 2**31 else np.int64)
            )
            for which_D in (~kept_D, kept_D)
        )
    if not train:
        n = len(documents)
        long = ", or, if it is one long text, --stream" if n == 1 and not corpus.stream else ""
        raise DataError(
            f"holdout={holdout:g} leaves none of {n:,} document{'s' * (n > 1)} to train on. "
            f"Try --holdout 0{long}."
        )
    return train, held_out


def _numbers(documents: Texts) -> NDArray[np.float64]:
    """Return a hash of each text, as a number in [0, 1)."""
    parts: list[NDArray[np.uint64]] = []
    for block in documents.blocks():
        data = block.data.tobytes()
        lines = data.split(b"\n")[:-1]
        if len(lines) != len(block):  # some documents contain line feeds
            starts: list[int] = block.starts.tolist()
            lines = [data[start : stop - 1] for start, stop in pairwise(starts)]
        digests = b"".join([hashlib.blake2b(line, digest_size=8).digest() for line in lines])
        parts.append(np.frombuffer(digests, dtype=">u8").astype(np.uint64))
    return np.concatenate([np.zeros(0, np.uint64), *parts]).astype(np.float64) / 2.0**64
