"""What must be the same in all ranks of a training: the documents, and their tokenizer.

In: the ranks, and what this one has read. Out: nothing, or one sentence.
"""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterable
from typing import Any

from microgpt.data.corpus import Corpus, Source
from microgpt.data.tokenizer import Tokenizer
from microgpt.engines.ranks import Ranks
from microgpt.errors import RankError, UsageError


def check_readable(data: Source | Iterable[Any], ranks: Ranks) -> None:
    """Raise UsageError if several ranks are to read one standard input."""
    if ranks.world > 1 and isinstance(data, Source) and "-" in data.files:
        raise UsageError(
            f"data must be files, which each of {ranks.world} ranks reads; got standard input. "
            "Save it in a file."
        )


def check_same(read: Corpus, tokens: Tokenizer, ranks: Ranks) -> None:
    """Raise RankError if a rank has read other documents than rank 0, or made other tokens.

    Their fingerprints are compared.
    """
    if ranks.world == 1:
        return
    text = json.dumps([read.fingerprint, tokens.to_json()], sort_keys=True)
    own = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    found = ranks.gathered((own, socket.gethostname(), len(read.documents)))
    for rank, (its, host, documents) in enumerate(found):
        if its != found[0][0]:
            raise RankError(
                f"all ranks must read the same data; rank {rank} on {host} has {documents:,} "
                f"documents other than the {found[0][2]:,} of rank 0 on {found[0][1]}. Copy the "
                "files of rank 0 there, or name files on a shared disk."
            )
