"""The tokenizer of a folder of token ids: learned from all of its text, in bounded memory.

In: a preparation. Out: a tokenizer, kept in the folder's `tokenizer.json`. Characters and pieces of
text are counted in a pass of their own, over the same documents as a training on the text counts.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from microgpt import schema
from microgpt.data import tokenizer
from microgpt.data.shards import JOURNAL, TOKENIZER
from microgpt.data.split import numbers
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import BPE, Bytes, Characters, Tokenizer
from microgpt.data.tokenizer.bpe import VOCAB_SIZE, smaller
from microgpt.errors import UsageError
from microgpt.runs.files import write_atomically
from microgpt.runs.tokens.portions import Portions
from microgpt.runs.tokens.preparation import Portioned, Preparation
from microgpt.runs.tokens.work import Encoders, characters
from microgpt.runs.tokens.writer import Beginning


def made_for(
    asked: Preparation, out: Path, begun: Beginning
) -> Generator[Portioned, None, Tokenizer]:
    """Make the tokenizer, or take that of an interrupted preparation, and keep it."""
    path = out / TOKENIZER
    if (out / JOURNAL).exists() and path.exists():
        with suppress(UsageError):  # damaged: it is made again
            return tokenizer.from_json(schema.parse(path.read_bytes()))
    write_atomically(out / JOURNAL, schema.encode(begun) + b"\n")
    name, size = asked.tokenizer, asked.vocab_size
    if name == "bytes":
        made = Bytes(asked.bos)
    elif name == "characters":
        made = yield from _counted(asked)
    elif name == "bpe":
        yield Portioned("learning pieces of text")
        made = BPE.counted(_learnt(asked), size or VOCAB_SIZE, asked.bos)
        yield Portioned("learning pieces of text", notes=tuple(smaller(made)))
    else:
        made = BPE.of_file(name, asked.bos)
    write_atomically(path, schema.encode(made.to_json()))
    return made


def _counted(asked: Preparation) -> Generator[Portioned, None, Characters]:
    """Count the characters of all documents, held out or not: they are the vocabulary."""
    counts = dict[str, int]()
    size = documents = 0
    items = (((len(one.texts.data), len(one.texts)), one.texts) for one in Portions(asked.source))
    for (own, n), found in Encoders(asked.encoders()).map(characters, items):
        for char, times in found.frequencies.items():
            counts[char] = counts.get(char, 0) + times
        size, documents = size + own, documents + n
        yield Portioned("counting characters", size, documents)
    if not counts:
        raise asked.no_documents()
    known = sorted(counts)
    return Characters("".join(known), tuple(counts[char] for char in known), asked.bos)


def _learnt(asked: Preparation) -> Iterator[Texts]:
    """Yield the documents that pieces of text are learned from: those trained on."""
    for portion in Portions(asked.source):
        texts = portion.texts
        if asked.holdout:
            texts = texts.take(np.flatnonzero(numbers(texts) >= asked.holdout))
        yield from texts.blocks()
