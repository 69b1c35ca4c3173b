"""The documents of a run, read again from their files, or passed again by the caller.

In: a run's folder and settings. Out: a `Corpus`, exactly the documents that it was trained on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from microgpt.data import again, corpus
from microgpt.data.corpus import MEMORY, Corpus, Source
from microgpt.data.texts import Texts
from microgpt.errors import RunError
from microgpt.runs.checkpoint import HELDOUT
from microgpt.runs.files import write_atomically
from microgpt.runs.settings import Settings
from microgpt.wording import count


def keep_held_out(folder: Path, texts: Iterable[str]) -> None:
    """Write the held-out documents of a run whose documents came from a Python program."""
    lines = (json.dumps({"text": text}, ensure_ascii=True) for text in texts)
    write_atomically(folder / HELDOUT, "".join(f"{line}\n" for line in lines).encode())


def read_held_out(folder: Path) -> Texts | None:
    """Read what `keep_held_out` has written; None: there is none.

    Raises:
        DataError: it is damaged.
    """
    if not (folder / HELDOUT).exists():
        return None
    return corpus.read(Source(files=(str(folder / HELDOUT),))).documents


def read_again(
    folder: Path,
    settings: Settings,
    documents: Sequence[str] | None = None,
    *,
    piped: bool = False,
) -> Corpus:
    """Read the documents of a run again.

    Args:
        folder: the run's.
        settings: the run's.
        documents: the documents, if they did not come from a file.
        piped: whether documents that came through a pipe can be read from standard input now.

    Raises:
        RunError: they are missing, or not those that the run was trained on.
    """
    source = settings.source
    if documents is not None:
        read = corpus.from_documents(documents)
    elif source == MEMORY:
        raise RunError(f"{folder}: its documents came from a Python program; give them again.")
    elif "-" in source.files and not piped:
        raise RunError(f"{folder}: its documents came through a pipe, and are not kept.")
    else:
        found = again.read(source, settings.fingerprint, folder, settings.paths)
        if not found:
            raise RunError(
                f"{folder}: what it was trained on must be there to be read again; there is no "
                f"{' '.join(settings.paths or source.files)}. Bring it back, or name another file "
                "where one can be given. score, sample and compress do without."
            )
        read = found
    if read.fingerprint != settings.fingerprint:
        where = ", ".join(source.files) or "the embedded names"
        raise RunError(
            f"{folder}: {where} must be what it was trained on "
            f"({count(settings.documents, 'document')}); got other text "
            f"({count(len(read.documents), 'document')}). Bring it back, or train anew."
        )
    return read
