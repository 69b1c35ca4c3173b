"""Texts laid end to end, and the logits of a model at each of their positions.

In: texts, a tokenizer, an engine. Out: for every position what came and where it stands; then the
logits there, many windows at a time. Texts longer than the block are read in windows, as in
training.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from microgpt.data.batch import Batch, lay_out
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import Tokenizer
from microgpt.data.tokenizer.unknown import readable
from microgpt.engines.contract import Floats, Predictor

Ints = NDArray[np.int32]
Offsets = NDArray[np.int64]

END = -1
"""In place of a code point: the end of a text."""

MANY = 0x110000
"""In place of a code point: a token of several characters; its id is added."""

CHARACTERS = 1 << 17
"""How many characters of texts are laid out together."""

NUMBERS = 1 << 20
"""How many logits are held at once: memory is to stay small."""


@dataclass(frozen=True, eq=False)
class Laid:
    """Texts laid end to end.

    Attributes:
        batch: their windows; what the vocabulary lacks is read as its stand-in, and is a negative
            target.
        texts: offsets into the positions; text d is texts[d] to texts[d + 1].
        places_N: of each position the number of the character it begins in; at the end of a text
            that of its characters.
        given: the texts.
    """

    batch: Batch
    texts: Offsets
    places_N: Ints
    given: Texts

    @cached_property
    def lengths_D(self) -> Offsets:
        """Of the texts, in characters."""
        return self.places_N[self.texts[1:] - 1].astype(np.int64)

    @cached_property
    def chars_N(self) -> Ints:
        """What each position is part of: a code point; END at the end of a text; where a token
        has several characters, MANY and its id.
        """
        codes, offsets = self.given.code_points()
        chars: Ints = codes.astype(np.int32)
        chars[offsets[1:] - 1] = END
        if len(chars) == self.batch.positions:  # one a character
            return chars
        chars_N = chars[np.repeat(offsets[:-1], np.diff(self.texts)) + self.places_N]
        many_N = ends(self.places_N) - self.places_N > 1
        chars_N[many_N] = self.batch.targets_N[many_N].astype(np.int32) + MANY
        return chars_N

    @cached_property
    def unknown_D(self) -> Offsets:
        """How many characters of each text the vocabulary lacks."""
        unknown_N: Offsets = (self.batch.targets_N < 0).astype(np.int64)
        return np.add.reduceat(unknown_N, self.texts[:-1])


def ends(places_N: Ints) -> Ints:
    """Return the number of the character behind each position's last one.

    Args:
        places_N: the number of the character that each position of some texts begins in.

    >>> ends(np.array([0, 2, 3, 0, 0, 1])).tolist()  # "abc" as ab, c, end; "é" as two bytes, end
    [2, 3, 4, 1, 1, 2]
    """
    ends_N = places_N + 1
    # Behind the end of a text a smaller number follows.
    np.maximum(ends_N[:-1], places_N[1:], out=ends_N[:-1])
    return ends_N


def label(key: int, tokenizer: Tokenizer) -> str | None:
    """Return the text that a number in `Laid.chars_N` stands for; None: the end of one."""
    if key == END:
        return None
    return chr(key) if key < MANY else tokenizer.decode([key - MANY])


class Layer:
    """Lays texts end to end, the end of each included.

    Args:
        tokenizer: makes ids of them.
        block_size: longer texts are laid out in windows.

    >>> from microgpt.data.tokenizer import Characters
    >>> laid = Layer(Characters.of(["aab"]), block_size=2).lay(["ab", "xb"])
    >>> laid.batch.targets_N.tolist(), laid.batch.documents.tolist(), laid.texts.tolist()
    ([0, 1, 2, -1, 1, 2], [0, 2, 3, 5, 6], [0, 3, 6])
    """

    def __init__(self, tokenizer: Tokenizer, block_size: int) -> None:
        self._tokenizer, self._block_size = tokenizer, block_size

    def lay(self, texts: Sequence[str]) -> Laid:
        """Lay out some texts."""
        given = Texts.of(texts)
        encoded = self._tokenizer.encode_many(given)
        batch = lay_out(encoded, self._tokenizer.bos, self._block_size).batch
        if (batch.tokens_N < 0).any():
            tokens_N = readable(batch, self._tokenizer).tokens_N
            batch = replace(batch, tokens_N=tokens_N)
        return Laid(batch, encoded.offsets, encoded.starts_N, given)


def groups(texts: Iterable[str], characters: int) -> Iterator[list[str]]:
    """Yield texts in groups of so many characters at most, ends included, or of one text.

    >>> [*groups(["ada", "bo", "eva", "christina"], characters=7)]
    [['ada', 'bo'], ['eva'], ['christina']]
    """
    group: list[str] = []
    left = characters
    for text in texts:
        left -= len(text) + 1
        if left < 0 and group:
            yield group
            group, left = [], characters - len(text) - 1
        group.append(text)
    if group:
        yield group


def blocks(predictor: Predictor, batch: Batch, vocab_size: int) -> Iterator[tuple[slice, Floats]]:
    """Yield where some windows stand among the positions, and logits_NV there, until all have come.

    So many come at once that their logits are NUMBERS at most, or one window's. The next ones are
    computed while a caller works on those that it has.
    """
    pieces = batch.pieces(max(NUMBERS // vocab_size, 1))
    found = ((its, predictor.logits(piece)) for its, piece in pieces)
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, found, None)
        while block := coming.result():
            coming = thread.submit(next, found, None)
            yield block
