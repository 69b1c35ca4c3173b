"""Documents read again: where they were, seen from here or from there, or where they moved to.

In: a source, the folder of what was made of it, a fingerprint. Out: its documents, if a file with
that text can be found.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from microgpt.data import corpus
from microgpt.data.corpus import Corpus, Source
from microgpt.errors import DataError


def absolute(source: Source) -> tuple[str, ...]:
    """Return the paths of a source's files, seen from anywhere."""
    return tuple(file if file == "-" else str(Path(file).absolute()) for file in source.files)


def read(
    source: Source, fingerprint: str, folder: Path, paths: Sequence[str] = ()
) -> Corpus | None:
    """Read the documents of a source; None: its files are nowhere.

    They are looked for as the source names them, from the working directory; at their absolute
    paths; and from each folder above the one that was made of them, which may have moved with it.

    Args:
        source: where they were.
        fingerprint: theirs. If no file has it, the first that is found is returned.
        folder: made of them.
        paths: absolute ones of the files, if they are known.

    Raises:
        DataError: files were found, and cannot be read.
    """
    other: Corpus | None = None
    failed: DataError | None = None
    for files in _places(source, folder, paths):
        if not all(file == "-" or os.path.exists(file) for file in files):  # noqa: PTH110
            continue
        try:
            found = corpus.read(replace(source, files=files))
        except DataError as error:
            failed = failed or error
            continue
        if found.fingerprint == fingerprint:
            return found
        other = other or found
    if failed and not other:
        raise failed
    return other


def _places(source: Source, folder: Path, paths: Sequence[str]) -> Iterator[tuple[str, ...]]:
    yield source.files
    if not source.files or "-" in source.files:
        return
    if paths:
        yield tuple(paths)
    if not any(map(os.path.isabs, source.files)):
        for above in folder.absolute().parents:
            yield tuple(str(above / file) for file in source.files)
