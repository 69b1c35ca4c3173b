"""Texts laid end to end, and what each of their positions costs, at the full speed of the engine.

In: texts. Out: `Laid`, which has for every position what came and where it stands; and `Priced`,
the nats there, with the sums and spans that are read off them. Texts longer than the block are read
in windows, as in training.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from microgpt.data.batch import Batch, lay_out
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import Tokenizer
from microgpt.data.tokenizer.unknown import charge, readable
from microgpt.engines.contract import Floats, Predictor
from microgpt.loss import LossSum
from microgpt.scoring.spans import spans

Ints = NDArray[np.int32]
Offsets = NDArray[np.int64]

END = -1
"""In place of a code point: the end of a text."""

MANY = 0x110000
"""In place of a code point: a token of several characters; its id is added."""

CHARACTERS = 1 << 17
"""How many characters of texts are laid out together."""


@dataclass(frozen=True, eq=False)
class Laid:
    """Texts laid end to end, the end of each included.

    Attributes:
        batch: their windows; what the vocabulary lacks is read as its stand-in, and is a negative
            target.
        texts: offsets into the positions; text d is texts[d] to texts[d + 1].
        places_N: of each position the number of the character it begins in; at the end of a text
            that of its characters.
        given: the texts.

    >>> from microgpt.data.tokenizer import Characters
    >>> laid = Laid.of(["ab", "xb"], Characters.of(["aab"]), block_size=2)
    >>> laid.batch.targets_N.tolist(), laid.batch.documents.tolist(), laid.texts.tolist()
    ([0, 1, 2, -1, 1, 2], [0, 2, 3, 5, 6], [0, 3, 6])
    """

    batch: Batch
    texts: Offsets
    places_N: Ints
    given: Texts

    @classmethod
    def of(cls, texts: Sequence[str], tokenizer: Tokenizer, block_size: int) -> Laid:
        """Lay out some texts, those longer than the block in windows."""
        given = Texts.of(texts)
        encoded = tokenizer.encode_many(given)
        batch = lay_out(encoded, tokenizer.bos, block_size).batch
        batch = replace(batch, tokens_N=readable(batch, tokenizer).tokens_N)
        return cls(batch, encoded.offsets, encoded.starts_N, given)

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


@dataclass(frozen=True, eq=False)
class Priced:
    """Texts and the losses of all of their positions.

    Attributes:
        laid: the texts, end to end.
        losses_N: nats.
    """

    laid: Laid
    losses_N: Floats

    @cached_property
    def nats_D(self) -> Floats:
        """What each text cost."""
        return np.add.reduceat(self.losses_N, self.laid.texts[:-1])

    @cached_property
    def positions_D(self) -> Offsets:
        """How many positions each text has."""
        return np.diff(self.laid.texts)

    @cached_property
    def means_D(self) -> Floats:
        """Each text's own mean: nats per position."""
        return self.nats_D / self.positions_D

    def spans(self, usual: float) -> tuple[Offsets, Offsets]:
        """Return where each text surprises most, as numbers of characters: the first, and behind
        the last. The end of a text is the number len(text).
        """
        starts, stops = spans(self.losses_N, self.laid.texts, usual)
        places_N = self.laid.places_N
        return places_N[starts].astype(np.int64), ends(places_N)[stops - 1].astype(np.int64)


class Pricer:
    """Prices texts.

    Args:
        predictor: computes the losses.
        tokenizer: of its ids; what it lacks costs its `unknown_nats`.
        block_size: longer texts are read in windows.
    """

    def __init__(self, predictor: Predictor, tokenizer: Tokenizer, block_size: int) -> None:
        self._predictor, self._tokenizer, self._block_size = predictor, tokenizer, block_size

    def price(self, texts: Sequence[str]) -> Priced:
        """Price some texts, at least one."""
        laid = Laid.of(texts, self._tokenizer, self._block_size)
        losses_N = self._predictor.losses(readable(laid.batch, self._tokenizer))
        return Priced(laid, charge(losses_N, laid.batch.targets_N, self._tokenizer))

    def each(self, texts: Iterable[str]) -> Iterator[Priced]:
        """Price any number of texts, as many at once as are laid out together."""
        return map(self.price, groups(texts, CHARACTERS))

    def total(self, texts: Iterable[str]) -> LossSum:
        """Sum up what any number of texts cost, in memory that does not grow with it."""
        sums = (LossSum.of(priced.losses_N) for priced in self.each(texts))
        return sum(sums, LossSum())


def groups(texts: Iterable[str], characters: int) -> Iterator[Sequence[str]]:
    """Yield texts in groups of so many characters at most, ends included, or of one text.

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
