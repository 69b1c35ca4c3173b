"""Texts laid end to end, and their losses at the full speed of the engine.

In: texts. Out: `Laid`, with the token and the character at every position; and `Priced`, with the
nats there, and each text's sum, mean and most surprising span. Long texts are read in windows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from microgpt.data.batch import Batch, whole
from microgpt.data.measured import overlapped
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import Tokenizer
from microgpt.data.tokenizer.unknown import charge, readable
from microgpt.engines.contract import Floats, Predictor
from microgpt.loss import LossSum
from microgpt.scoring.expected import expected
from microgpt.scoring.spans import spans

Ints = NDArray[np.int32]
Offsets = NDArray[np.int64]

END = -1
"""In place of a code point: the end of a text."""

MANY = 0x110000
"""In place of a code point: MANY plus the id of a token of several characters, or of a mask."""

CHARACTERS = 1 << 17
"""The most characters of texts that are laid out together."""


@dataclass(frozen=True, eq=False)
class Laid:
    """Texts laid end to end, the end of each included.

    Attributes:
        batch: the texts, however long; an unknown character is a negative target, and is read as
            the tokenizer's stand-in.
        block_size: the most positions of a window.
        places_N: for each position, the index in its text of the character in which its target
            begins; for the end of a text, the number of the text's characters.
        given: the texts.
        symbols: the ids of what masks match.

    >>> from microgpt.data.tokenizer import Characters
    >>> laid = Laid.of(["ab", "xb"], Characters.of(["aab"]), block_size=2)
    >>> laid.batch.targets_N.tolist(), laid.texts.tolist()
    ([0, 1, 2, -1, 1, 2], [0, 3, 6])
    """

    batch: Batch
    block_size: int
    places_N: Ints
    given: Texts
    symbols: tuple[int, ...] = ()

    @classmethod
    def of(cls, texts: Sequence[str], tokenizer: Tokenizer, block_size: int) -> Laid:
        """Lay texts end to end."""
        given = Texts.of(texts)
        encoded = tokenizer.encode_many(given)
        batch = whole(encoded)
        batch = replace(batch, tokens_N=readable(batch, tokenizer).tokens_N)
        return cls(batch, block_size, encoded.starts_N, given, (*tokenizer.symbols,))

    @property
    def texts(self) -> Offsets:
        """Text d has the positions texts[d] to texts[d + 1]."""
        return self.batch.documents

    def windows(self, tokenizer: Tokenizer) -> Batch:
        """Return what a model reads: windows that overlap, with a known token for an unknown one.

        The positions that count are those of the texts, in order.
        """
        return overlapped(readable(self.batch, tokenizer), self.block_size)

    @cached_property
    def lengths_D(self) -> Offsets:
        """Characters of each text."""
        return self.places_N[self.texts[1:] - 1].astype(np.int64)

    @cached_property
    def characters_D(self) -> Offsets:
        """Of each text how many characters are read, its end included: what a mask matches is one.

        >>> from microgpt.data.tokenizer import Bytes
        >>> Laid.of(["né", ""], Bytes(), block_size=9).characters_D.tolist()
        [3, 1]
        """
        is_first_N = np.diff(self.places_N, prepend=-1) != 0
        is_first_N[self.texts[:-1]] = True
        return np.add.reduceat(is_first_N, self.texts[:-1], dtype=np.int64)

    @cached_property
    def chars_N(self) -> Ints:
        """The code point to which each position's target belongs.

        END for the end of a text; MANY plus its id for a token of several characters, or of a mask.
        """
        codes, offsets = self.given.code_points()
        chars: Ints = codes.astype(np.int32)
        chars[offsets[1:] - 1] = END
        if len(chars) == self.batch.positions and not self.symbols:  # each character is one token
            return chars
        chars_N = chars[np.repeat(offsets[:-1], np.diff(self.texts)) + self.places_N]
        many_N = ends(self.places_N) - self.places_N > 1
        if self.symbols:
            many_N |= np.isin(self.batch.targets_N, self.symbols)
        chars_N[many_N] = self.batch.targets_N[many_N].astype(np.int32) + MANY
        return chars_N

    @cached_property
    def unknown_D(self) -> Offsets:
        """Unknown characters of each text."""
        if self.batch.targets_N.dtype.kind != "i":  # then all are known
            return np.zeros(len(self.texts) - 1, np.int64)
        unknown_N: Offsets = (self.batch.targets_N < 0).astype(np.int64)
        return np.add.reduceat(unknown_N, self.texts[:-1])


def ends(places_N: Ints) -> Ints:
    """Return for each position the index of the character after the last one of its target.

    Args:
        places_N: for each position, the index of the character in which its target begins.

    >>> ends(np.array([0, 2, 3, 0, 0, 1])).tolist()  # "abc" as ab, c, end; "é" as two bytes, end
    [2, 3, 4, 1, 1, 2]
    """
    ends_N = places_N + 1
    # At the end of a text the next index is smaller, and is not taken.
    np.maximum(ends_N[:-1], places_N[1:], out=ends_N[:-1])
    return ends_N


def label(key: int, tokenizer: Tokenizer) -> str | None:
    """Return the text of a number in `Laid.chars_N`; None: the end of a text."""
    if key == END:
        return None
    return chr(key) if key < MANY else tokenizer.decode([key - MANY])


@dataclass(frozen=True, eq=False)
class Priced:
    """Texts and the losses at all their positions.

    Attributes:
        laid: the texts, end to end.
        losses_N: nats.
    """

    laid: Laid
    losses_N: Floats

    @cached_property
    def nats_D(self) -> Floats:
        """The sum of each text's losses, in nats."""
        return np.add.reduceat(self.losses_N, self.laid.texts[:-1])

    @cached_property
    def positions_D(self) -> Offsets:
        """How many positions each text has."""
        return np.diff(self.laid.texts)

    @cached_property
    def means_D(self) -> Floats:
        """The loss of each text: nats per position."""
        return self.nats_D / self.positions_D

    def spans(self, usual: float) -> tuple[Offsets, Offsets]:
        """Return the most surprising span of each text: (first character, the one after the last).

        The end of a text counts as the character len(text).
        """
        starts, stops = spans(self.losses_N, self.laid.texts, usual)
        places_N, last = self.laid.places_N, stops - 1
        # As in `ends`, of these positions alone.
        following = np.minimum(stops, len(places_N) - 1)
        ends_D = np.maximum(places_N[last] + 1, places_N[following])
        return places_N[starts].astype(np.int64), ends_D.astype(np.int64)

    def surprises(self, usual: float) -> Floats:
        """Return what the span of each text costs above the usual, in nats."""
        starts, stops = spans(self.losses_N, self.laid.texts, usual)
        before_N = np.concatenate([np.zeros(1), np.cumsum(self.losses_N - usual)])
        return before_N[stops] - before_N[starts]


class Pricer:
    """Measures the losses of texts.

    Args:
        predictor: computes them.
        tokenizer: encodes the texts; the loss of an unknown character is its `unknown_nats`.
        block_size: longer texts are read in windows.
    """

    def __init__(self, predictor: Predictor, tokenizer: Tokenizer, block_size: int) -> None:
        self.predictor, self.tokenizer, self.block_size = predictor, tokenizer, block_size

    def price(self, texts: Sequence[str]) -> Priced:
        """Measure some texts, at least one, all at once."""
        laid = Laid.of(texts, self.tokenizer, self.block_size)
        batch = laid.windows(self.tokenizer)
        losses_N = batch.counted(self.predictor.losses(batch))
        return Priced(laid, charge(losses_N, laid.batch.targets_N, self.tokenizer))

    def unexpected(self, texts: Sequence[str]) -> Priced:
        """Price some texts, at least one, less what each position is expected to cost."""
        priced = self.price(texts)
        batch = priced.laid.windows(self.tokenizer)
        expected_N = expected(self.predictor, batch, self.tokenizer.vocab_size)
        return Priced(priced.laid, priced.losses_N - expected_N)

    def each(self, texts: Iterable[str]) -> Iterator[Priced]:
        """Measure any number of texts, some at a time."""
        return map(self.price, groups(texts, CHARACTERS))

    def total(self, texts: Iterable[str]) -> LossSum:
        """Return the sum of the losses of any number of texts, in bounded memory."""
        return sum((LossSum.of(priced.losses_N) for priced in self.each(texts)), LossSum())


def groups(texts: Iterable[str], characters: int) -> Iterator[Sequence[str]]:
    """Yield groups of texts with at most `characters` characters, ends included, or one text.

    >>> [*groups(["ada", "bo", "eva", "christina"], characters=7)]
    [['ada', 'bo'], ['eva'], ['christina']]
    """
    if isinstance(texts, Texts):
        yield from texts.groups(characters)
        return
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
