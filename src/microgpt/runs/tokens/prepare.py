"""`microgpt data prepare`: files of text to a folder of token ids that a training maps into memory.

In: a source, settings, a folder. Out: the folder; on the way events, `Portioned`. The same files
and settings make the same bytes, for any number of processes, and after an interruption: the same
call goes on behind the last whole shard.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from microgpt import schema
from microgpt.data.encoded import smallest
from microgpt.data.shards import (
    FORMAT,
    INDEX,
    JOURNAL,
    SPLITS,
    TOKENIZER,
    Common,
    TokenIndex,
    digest,
)
from microgpt.data.store import Store, dtype_of, is_store
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import Tokenizer
from microgpt.errors import DataError
from microgpt.runs.files import remove_temporaries, temporary_of, write_atomically
from microgpt.runs.folder import LOCK, check_no_file, claimed, not_empty
from microgpt.runs.tokens.portions import Portions
from microgpt.runs.tokens.preparation import Portioned, Preparation
from microgpt.runs.tokens.repeats import repeats
from microgpt.runs.tokens.vocabulary import made_for
from microgpt.runs.tokens.work import Encoders, encoded
from microgpt.runs.tokens.writer import KINDS, Beginning, ShardFiles, read_journal

_SHOWN = 80


def prepare(asked: Preparation, out: Path) -> Generator[Portioned, None, TokenIndex]:
    """Prepare a folder of token ids, and yield how far it is.

    Args:
        asked: the settings.
        out: the folder: new, empty, or one that was begun with these settings.

    Returns:
        The folder's index.

    Raises:
        DataError: the files cannot be read, or have changed; or the folder holds something else, or
            is being written to by another process.
    """
    begun = asked.begun()
    check_no_file(out, DataError)
    out.mkdir(parents=True, exist_ok=True)
    with claimed(out, "preparation", DataError):
        if is_store(str(out)):
            return _ready(asked, begun, out)
        _check_room(out)
        read_journal(out, begun)  # raises an error if it was begun otherwise
        remove_temporaries(out)
        tokens = yield from made_for(asked, out, begun)
        index = yield from _encoded(asked, out, begun, tokens)
        data: dict[str, Any] = schema.parse(schema.encode(index))
        sealed = {**data, "checksum": schema.fingerprint(data)}
        write_atomically(out / INDEX, f"{json.dumps(sealed, indent=1)}\n".encode())
        (out / JOURNAL).unlink()
        return index


def _ready(asked: Preparation, begun: Beginning, out: Path) -> TokenIndex:
    """Return the index of a folder that is prepared, if by these settings."""
    store = Store(out)
    index, its = store.index, store.tokenizer
    name = None if asked.tokenizer == "characters" else asked.tokenizer
    same = (
        (index.sources, index.holdout, index.reading, its.asked.get("tokenizer"), its.bos == 0)
        == (begun.sources, asked.holdout, asked.source.asked, name, asked.bos == "first")
        and asked.vocab_size in (None, its.asked.get("vocab_size"))
    )  # fmt: skip
    if not same:
        raise DataError(f"{out}: is prepared already, of other files or with other settings. "
                        "Try another --out.")  # fmt: skip
    (out / JOURNAL).unlink(missing_ok=True)
    return index


def _check_room(out: Path) -> None:
    """Raise an error if a folder holds what no preparation has written."""
    names = [*(f"{split}.{kind}" for split in SPLITS for kind in KINDS), TOKENIZER, INDEX, JOURNAL]
    ours = {LOCK, *names, *(temporary_of(out / name).name for name in names)}
    others = sorted(path.name for path in out.iterdir() if path.name not in ours)
    has_begun = (out / JOURNAL).exists() or not any((out / name).exists() for name in names)
    if others or not has_begun:
        other = others[0] if others else next(name for name in names if (out / name).exists())
        raise not_empty(out, other, DataError)


def _encoded(
    asked: Preparation, out: Path, begun: Beginning, tokens: Tokenizer
) -> Generator[Portioned, None, TokenIndex]:
    """Encode all documents behind the shards that are there, and return the index."""
    notes = list[str]()
    portions = Portions(asked.source, notes.append)
    with ShardFiles(out, begun, tokens.bos, dtype_of(tokens)) as files:
        size = documents = 0
        items = _missing(portions, files, out)
        for (fingerprint, n), made in Encoders(asked.encoders(), tokens, asked.holdout).map(
            encoded, items
        ):
            files.add(made, fingerprint)
            size, documents = size + made.bytes + n, documents + n
            said = tuple(notes)
            notes.clear()
            yield Portioned("encoding", size, documents, files.kept, said)
        if begun != asked.begun():
            raise DataError("the files must stay as they are while they are read; one has changed.")
        if not files.shards:
            raise asked.no_documents()
        trained, held_out = (sum(one.of(split).documents for one in files.shards)
                             for split in SPLITS)  # fmt: skip
        if not trained:
            raise DataError(
                f"holdout={asked.holdout:g} leaves none of {held_out:,} documents to train on. "
                "Try --holdout 0."
            )
        yield Portioned("counting what repeats", notes=tuple(notes))
        found = {split: repeats(files.hashes(split)) for split in SPLITS}
        shards = tuple(files.shards)
    index = TokenIndex(
        format=FORMAT,
        dtype=smallest(tokens.vocab_size).__name__,
        tokenizer=digest((out / TOKENIZER).read_bytes()),
        holdout=asked.holdout,
        sources=begun.sources,
        reading=asked.source.asked,
        blank=portions.blank,
        blank_characters=portions.blank_characters,
        broken=portions.broken,
        duplicates=sum(its.documents for its in found.values()),
        most_common=None,
        shards=shards,
    )
    split = max(SPLITS, key=lambda split: found[split].times)
    if found[split].times < 2:
        return index
    text = Store.of(out, index, tokens).documents(split)[found[split].place]
    return dataclasses.replace(index, most_common=Common(text[:_SHOWN], found[split].times))


def _missing(
    portions: Portions, files: ShardFiles, out: Path
) -> Iterator[tuple[tuple[str, int], Texts]]:
    """Yield the portions that have no shard yet; compare the others with their shards."""
    for number, portion in enumerate(portions):
        if number >= files.kept:
            yield (portion.fingerprint, len(portion.texts)), portion.texts
        elif files.shards[number].fingerprint != portion.fingerprint:
            raise DataError(
                f"{out}: the files must be those that it was begun with; their text has changed. "
                "Remove the folder, or choose another --out."
            )
