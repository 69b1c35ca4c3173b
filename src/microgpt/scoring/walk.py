"""Texts laid end to end, and the model walked over all of them side by side.

In: texts, a tokenizer, an engine. Out: for every position what came and where it stands; then the
logits there, many positions at a time. Texts longer than the block are read in windows, as in
training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from microgpt.data.batch import Batch
from microgpt.data.tokenizer import Tokenizer
from microgpt.engines.contract import Floats, Predictor

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
        lengths_D: of the texts, in characters.
        chars: the code points of all texts.
        widths: how many positions each of these has.
    """

    batch: Batch
    texts: Offsets
    lengths_D: Offsets
    chars: Ints
    widths: Offsets

    @cached_property
    def chars_N(self) -> Ints:
        """The code point that each position is part of; END at the end of a text."""
        chars_N = np.full(self.batch.positions, END, dtype=np.int32)
        chars_N[_inside(self.texts)] = np.repeat(self.chars, self.widths)
        return chars_N

    @cached_property
    def places_N(self) -> Ints:
        """The number of that character in its text, from 0."""
        first = np.cumsum(self.lengths_D) - self.lengths_D
        places = np.arange(len(self.chars)) - np.repeat(first, self.lengths_D)
        places_N = np.empty(self.batch.positions, dtype=np.int32)
        places_N[_inside(self.texts)] = np.repeat(places, self.widths)
        places_N[self.texts[1:] - 1] = self.lengths_D
        return places_N

    @cached_property
    def unknown_D(self) -> Offsets:
        """How many characters of each text the vocabulary lacks."""
        unknown_N: Offsets = (self.batch.targets_N < 0).astype(np.int64)
        return np.add.reduceat(unknown_N, self.texts[:-1])


class Layer:
    """Lays texts end to end, the end of each included.

    A character is encoded when it is first met, and looked up after that: all texts at once.

    Args:
        tokenizer: makes ids of characters.
        block_size: longer texts are laid out in windows.

    >>> from microgpt.data.tokenizer import Characters
    >>> laid = Layer(Characters.of(["aab"]), block_size=2).lay(["ab", "xb"])
    >>> laid.batch.targets_N.tolist(), laid.batch.documents.tolist(), laid.texts.tolist()
    ([0, 1, 2, -1, 1, 2], [0, 2, 3, 5, 6], [0, 3, 6])
    """

    def __init__(self, tokenizer: Tokenizer, block_size: int) -> None:
        self._tokenizer, self._block_size = tokenizer, block_size
        self._ids = np.zeros((1, 1), dtype=np.int32)
        self._widths = np.zeros(1, dtype=np.int64)

    def lay(self, texts: Sequence[str]) -> Laid:
        """Lay out some texts."""
        bos = self._tokenizer.bos
        lengths_D = np.fromiter(map(len, texts), np.int64, len(texts))
        joined = "".join(texts).encode("utf-32-le", "surrogatepass")
        chars = np.frombuffer(joined, dtype="<i4").astype(np.int32, copy=False)
        ids, widths = self._encode(chars)
        before = np.concatenate([[0], np.cumsum(widths)])
        stops = np.cumsum(lengths_D)
        positions_D = before[stops] - before[stops - lengths_D] + 1
        offsets: Offsets = np.concatenate([[0], np.cumsum(positions_D)]).astype(np.int64)
        targets_N = np.full(int(offsets[-1]), bos, dtype=np.int32)
        targets_N[_inside(offsets)] = ids
        # What comes at a position is read at the next; behind an end that is BOS, a text's begin.
        tokens_N = np.concatenate([np.array([bos], dtype=np.int32), targets_N])[:-1]
        tokens_N[tokens_N < 0] = self._tokenizer.stand_in
        batch = Batch(tokens_N, targets_N, _windows(offsets, self._block_size))
        return Laid(batch, offsets, lengths_D, chars, widths)

    def _encode(self, chars: Ints) -> tuple[Ints, Offsets]:
        """Return the ids of characters, one after the other, and how many each has."""
        top = int(chars.max(initial=0)) + 1
        if top > len(self._widths):
            more = top - len(self._widths)
            self._ids = np.pad(self._ids, ((0, more), (0, 0)))
            self._widths = np.pad(self._widths, (0, more))
        new = self._widths[chars] == 0
        for char in np.unique(chars[new]).tolist() if new.any() else ():
            (its,) = self._tokenizer.ids(chr(char))
            wider = len(its) - self._ids.shape[1]
            if wider > 0:
                self._ids = np.pad(self._ids, ((0, 0), (0, wider)))
            self._ids[char, : len(its)] = its
            self._widths[char] = len(its)
        widths = self._widths[chars]
        if self._ids.shape[1] == 1:
            return self._ids[chars, 0], widths
        each = np.arange(self._ids.shape[1]) < widths[:, None]
        return self._ids[chars][each], widths


def _inside(texts: Offsets) -> NDArray[np.bool_]:
    """Say of each position whether it is no end."""
    inside_N = np.ones(int(texts[-1]), dtype=bool)
    inside_N[texts[1:] - 1] = False
    return inside_N


def _windows(texts: Offsets, block_size: int) -> Offsets:
    """Cut texts into windows of the block's length."""
    counts: Offsets = -(-np.diff(texts) // block_size)
    if counts.max(initial=1) == 1:
        return texts
    before: Offsets = np.cumsum(counts) - counts
    number: Offsets = np.arange(int(counts.sum())) - np.repeat(before, counts)
    starts: Offsets = np.repeat(texts[:-1], counts) + number * block_size
    return np.concatenate([starts, texts[-1:]]).astype(np.int64)


def columns(engine: Predictor, batch: Batch) -> Iterator[tuple[Offsets, Floats]]:
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
