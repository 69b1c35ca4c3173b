"""The documents of a run, read again, also after its folder or the working directory has moved.

In: a source, the run's folder, the fingerprint of the documents. Out: the documents, if the files
are found.
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
    """Return the absolute paths of a source's files; "-" as it is."""
    return tuple(file if file == "-" else str(Path(file).absolute()) for file in source.files)


def read(
    source: Source, fingerprint: str, folder: Path, paths: Sequence[str] = ()
) -> Corpus | None:
    """Return the documents of a source; None: its files are not found.

    The files are looked for at the source's paths from the working directory; at their absolute
    paths; and at the source's paths from each folder above `folder`, with which they may have
    moved.

    Args:
        source: the files, as they were named for the training.
        fingerprint: of the documents. If none of these places has it, the first files found are
            returned: the caller compares.
        folder: the run's folder.
        paths: the files' absolute paths at the training, if known.

    Raises:
        DataError: files were found, but none can be read.
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
