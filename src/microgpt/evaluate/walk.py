"""Texts laid end to end, and the model walked over all of them side by side.

In: texts, a tokenizer, an engine. Out: for every position what came and where it stands; then the
logits there, many positions at a time. Texts longer than the block are read in windows, as in
training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from microgpt.batch import Batch, lay_out
from microgpt.engines.contract import Engine, Floats
from microgpt.tokenizer import Tokenizer

Ints = NDArray[np.int32]
Offsets = NDArray[np.int64]

END = -1
"""In place of a code point: the end of a text."""

ROWS = 512
"""How many windows advance together, at most."""

POSITIONS = 32_768
"""How many positions those may remember, at most: memory is to stay small."""


@dataclass(frozen=True, eq=False)
class Laid:
    """Texts laid end to end.

    Attributes:
        batch: their windows; what the vocabulary lacks is read as its stand-in, and is a negative
            target.
        texts: offsets into the positions; text d is texts[d] to texts[d + 1].
        chars_N: the code point that each position is part of; END at the end of a text.
        places_N: the number of that character in its text, from 0.
    """

    batch: Batch
    texts: Offsets
    chars_N: Ints
    places_N: Ints


def lay(texts: Sequence[str], tokenizer: Tokenizer, block_size: int) -> Laid:
    """Lay texts end to end, the end of each included.

    >>> from microgpt.tokenizer import Characters
    >>> laid = lay(["ab", "xb"], Characters.of(["aab"]), block_size=2)
    >>> laid.batch.targets_N.tolist(), laid.batch.documents.tolist(), laid.texts.tolist()
    ([0, 1, 2, -1, 1, 2], [0, 2, 3, 5, 6], [0, 3, 6])
    """
    encoded: list[list[int]] = []
    chars: list[int] = []
    places: list[int] = []
    for text in texts:
        ids = tokenizer.ids(text)
        encoded.append([i for its in ids for i in its])
        for place, (char, its) in enumerate(zip(text, ids)):
            chars += [ord(char)] * len(its)
            places += [place] * len(its)
        chars.append(END)
        places.append(len(text))
    batch = lay_out(encoded, tokenizer.bos, block_size).batch
    tokens_N = np.where(batch.tokens_N < 0, np.int32(tokenizer.stand_in), batch.tokens_N)
    return Laid(
        replace(batch, tokens_N=tokens_N),
        np.cumsum([0, *(len(ids) + 1 for ids in encoded)], dtype=np.int64),
        np.array(chars, dtype=np.int32),
        np.array(places, dtype=np.int32),
    )


def columns(engine: Engine, batch: Batch) -> Iterator[tuple[Offsets, Floats]]:
    """Yield the numbers of some positions and logits_BV there, until all have come."""
    lengths = np.diff(batch.documents)
    # The longest first: those that go on are then always the first ones.
    order = np.argsort(-lengths, kind="stable")
    rows = min(max(POSITIONS // max(int(lengths.max(initial=1)), 1), 1), ROWS)
    for first in range(0, len(order), rows):
        windows = order[first : first + rows]
        starts, lasts = batch.documents[windows], lengths[windows]
        decoder = engine.decoder(len(windows))
        for t in range(int(lasts[0])):
            at_B = starts[lasts > t] + t
            tokens = np.full(len(windows), -1, dtype=np.int64)
            tokens[: len(at_B)] = batch.tokens_N[at_B]
            yield at_B, decoder.push(tokens)[: len(at_B)]
