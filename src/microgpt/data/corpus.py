"""The documents of a data set: read them, count them.

In: a `Source` (files, or the embedded names), or the strings of a program. Out: a `Corpus` of
documents, exactly as written. Nothing is dropped silently: blank documents, their characters, and
broken rows are counted.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from microgpt import schema
from microgpt.data.column import choose, strings
from microgpt.data.datasets import names_path
from microgpt.data.gathering import Gathering
from microgpt.data.reader.formats import name_of
from microgpt.data.reader.skipped import Skipped
from microgpt.data.reader.stream import Stream
from microgpt.data.texts import Texts
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
        column: of a table (.csv, .tsv, .parquet, .arrow), its heading or its number from 1.
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
        if self == MEMORY:
            return "documents"
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


MEMORY = Source(files=("(documents)",))
"""In place of a file: the documents came from a Python program."""


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

    def warn(self, stacklevel: int) -> None:
        """Issue the notes as warnings; the `stacklevel` is the caller's, as of `warnings.warn`."""
        for sentence in self.notes:
            warnings.warn(sentence, stacklevel=stacklevel + 1)


def read(source: Source) -> Corpus:
    """Read all documents of a source; a folder of token ids is mapped into memory.

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
    from microgpt.data import stored  # which imports this module

    if ready := stored.read(source):
        return ready
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


def from_documents(documents: Iterable[Any]) -> Corpus:
    """Make a corpus of the strings that a Python program passes; missing values are skipped.

    Args:
        documents: strings, in a list, a generator, an array, a Series or an Arrow column.

    Raises:
        UsageError: one of them is neither a string nor missing (None, NaN).
        DataError: all are blank or missing, or there are none.

    >>> from_documents(["emma", None]).notes
    ('1 of 2 documents is missing (None or NaN): skipped.',)
    """
    given = missing = 0

    def there() -> Iterator[str]:
        nonlocal given, missing
        for text in strings(choose(documents)):
            given += 1
            if text is None:
                missing += 1
            else:
                yield text

    corpus = from_texts(there())
    if not corpus.documents:
        but = f" but blank ones ({corpus.blank})" if corpus.blank or not missing else ""
        but += f" but missing ones ({missing})" if missing and not but else ""
        raise DataError(f"no documents{but}. Expected strings.")
    if missing:
        are = "is" if missing == 1 else "are"
        skipped = f"{missing:,} of {given:,} documents {are} missing (None or NaN): skipped."
        return dataclasses.replace(corpus, notes=(*corpus.notes, skipped))
    return corpus
