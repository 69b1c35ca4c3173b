"""The split of documents into training and held-out documents.

In: a corpus, a share. Out: both parts; other lines of the file do not change where one belongs.
"""

from __future__ import annotations

import hashlib
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from microgpt.data.corpus import Corpus
from microgpt.data.stored import TokenCorpus
from microgpt.data.texts import Texts
from microgpt.errors import DataError


def split(corpus: Corpus, holdout: float) -> tuple[Texts, Texts]:
    """Split into training documents and held-out documents: a share `holdout`, in [0, 1).

    A document is held out if a hash of its text, read as a number in [0, 1), is below `holdout`: so
    duplicates are on the same side, and a document stays on its side when lines are added or
    reordered. Of a stream, the last share of each text is held out.

    Raises:
        DataError: no document is left to train on.

    >>> from microgpt.data.corpus import from_texts
    >>> split(from_texts(["emma", "zoe", "ava", "zoe"]), 0.2)
    (Texts(['emma', 'ava']), Texts(['zoe', 'zoe']))
    """
    documents = corpus.documents
    if isinstance(corpus, TokenCorpus):
        return corpus.split(holdout)
    if corpus.stream:
        parts = [(text, round(len(text) * (1.0 - holdout))) for text in documents]
        train = Texts.of([text[:cut] for text, cut in parts if cut])
        held_out = Texts.of([text[cut:] for text, cut in parts if cut < len(text)])
    elif holdout == 0.0:
        train, held_out = documents, documents[:0]
    else:
        kept_D = numbers(documents) < holdout
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


def numbers(documents: Texts, salt: bytes = b"") -> NDArray[np.float64]:
    """Return a hash of each text, as a number in [0, 1); another salt makes other numbers."""
    return hashes(documents, salt).astype(np.float64) / 2.0**64


def hashes(documents: Texts, salt: bytes = b"") -> NDArray[np.uint64]:
    """Return a hash of each text: the 8 bytes of its BLAKE2b as a number, the first highest."""
    salted = hashlib.blake2b(digest_size=8, person=salt)
    parts: list[NDArray[np.uint64]] = [np.zeros(0, np.uint64)]
    for block in documents.blocks():
        data = block.data.tobytes()
        lines = data.split(b"\n")[:-1]
        if len(lines) != len(block):  # some documents contain line feeds
            starts: list[int] = block.starts.tolist()
            lines = [data[start : stop - 1] for start, stop in pairwise(starts)]
        digests = bytearray()
        for line in lines:
            own = salted.copy()  # quicker than a new one, whose parameters are checked
            own.update(line)
            digests += own.digest()
        parts.append(np.frombuffer(digests, dtype=">u8").astype(np.uint64))
    return np.concatenate(parts)
