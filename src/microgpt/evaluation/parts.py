"""What a mean is made of: its positions, by place, by character, by text.

In: the losses of all positions of all texts. Out: parts that sum back to the total, each of them to
the last bit, in whatever order they are added.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from microgpt.data.tokenizer import Tokenizer
from microgpt.engines.contract import Floats
from microgpt.loss import LossSum
from microgpt.scoring.spans import spans
from microgpt.scoring.walk import Ints, Offsets, ends, label

SINGLE = 16
"""Places and lengths up to this stand alone, longer ones together: 17-32, 33-64, ..."""


@dataclass(frozen=True)
class Part:
    """Some of the positions.

    Attributes:
        name: of what they have in common; None: they are the texts' ends.
        sum: of their losses.
        hits: at how many of them the likeliest token came.
        texts: how many texts, where these are whole ones.
    """

    name: str | None
    sum: LossSum
    hits: int
    texts: int | None = None


@dataclass(frozen=True)
class Document:
    """One text, and what cost most in it.

    Attributes:
        text: as it was given.
        sum: of its losses.
        span: the first and behind the last of the characters of its most surprising part; the
            number len(text) is the end.
        span_nats: what they cost.
    """

    text: str
    sum: LossSum
    span: tuple[int, int]
    span_nats: float


@dataclass(frozen=True)
class Confusion:
    """A character that came while another was the likeliest.

    Attributes:
        char: what came; None for the end.
        likely: what was expected; None for the end.
        sum: of the losses there.
    """

    char: str | None
    likely: str | None
    sum: LossSum


def on_grid(losses_N: Floats) -> Floats:
    """Round losses to multiples of a power of two, so that all their sums are exact.

    The step is the spacing of floating-point numbers at twice the total: the rounding of one
    addition, as any sum in double precision has it. No partial sum is rounded after that.

    >>> x = on_grid(np.array([0.1, 0.2, 0.3]))
    >>> bool((x[0] + x[1]) + x[2] == x[0] + (x[1] + x[2]))
    True
    """
    total = math.fsum(losses_N) if np.isfinite(losses_N).all() else 0.0
    if not 0.0 < total < 1e300:
        return losses_N
    step = max(math.ldexp(1.0, math.frexp(total)[1] - 52), math.ulp(0.0))
    return np.rint(losses_N / step) * step


class Parts:
    """All positions of all texts.

    Args:
        texts: as they were given.
        offsets: of the texts into the positions.
        losses_N: nats.
        targets_N: what came, negative where the vocabulary lacks it.
        likely_N: the likeliest token.
        chars_N: what a position is part of: a number that `walk.label` knows.
        places_N: the number in its text of the character that it begins in.
        tokenizer: that of the ids.
    """

    def __init__(
        self,
        texts: Sequence[str],
        offsets: Offsets,
        losses_N: Floats,
        targets_N: Ints,
        likely_N: Ints,
        chars_N: Ints,
        places_N: Ints,
        tokenizer: Tokenizer,
    ) -> None:
        self.texts, self.offsets, self.losses_N = texts, offsets, on_grid(losses_N)
        self.targets_N, self._likely_N, self._tokenizer = targets_N, likely_N, tokenizer
        self._chars_N, self._places_N = chars_N, places_N

    @cached_property
    def hits_N(self) -> NDArray[np.bool_]:
        """Where the likeliest token came."""
        return self._likely_N == self.targets_N

    @cached_property
    def sum(self) -> LossSum:
        """The total."""
        return LossSum(float(self.losses_N.sum()), len(self.losses_N))

    @cached_property
    def nats_D(self) -> Floats:
        """What each text cost."""
        return np.add.reduceat(self.losses_N, self.offsets[:-1])

    @cached_property
    def means_D(self) -> Floats:
        """Each text's own mean."""
        return self.nats_D / np.diff(self.offsets)

    def by_position(self) -> list[Part]:
        """Sum up by the number of the character in its text, from 1."""
        return [
            Part(_range(key), total, hits)
            for key, total, hits in self._sums(_octave(self._places_N + 1))
        ]

    def by_character(self) -> list[Part]:
        """Sum up by the character that came, that which cost most in all first."""
        parts = [
            Part(label(key, self._tokenizer), total, hits)
            for key, total, hits in self._sums(self._chars_N)
        ]
        return sorted(parts, key=lambda part: -part.sum.nats)

    def by_length(self) -> list[Part]:
        """Sum up by the number of characters of a text, its end not counted."""
        key_D = _octave(self._places_N[self.offsets[1:] - 1])
        texts = dict(zip(*(x.tolist() for x in np.unique(key_D, return_counts=True))))
        return [
            Part(_range(key), total, hits, texts[key])
            for key, total, hits in self._sums(np.repeat(key_D, np.diff(self.offsets)))
        ]

    def documents(self, number: int) -> tuple[list[Document], list[Document], Part]:
        """Return the cheapest and the dearest texts by their means, and all others together."""
        cheap = min(number, len(self.texts) // 2)
        dear = min(number, len(self.texts) - cheap)
        order = np.argsort(self.means_D, kind="stable")
        middle = order[cheap : len(order) - dear]
        inside_N = np.isin(np.repeat(np.arange(len(order)), np.diff(self.offsets)), middle)
        total = LossSum(float(self.losses_N[inside_N].sum()), int(inside_N.sum()))
        rest = Part("others", total, int(self.hits_N[inside_N].sum()), len(middle))
        best = [self._document(int(d)) for d in order[:cheap]]
        return best, [self._document(int(d)) for d in order[::-1][:dear]], rest

    def confusions(self) -> list[Confusion]:
        """List what came where another was expected, the commonest first."""
        wrong = np.flatnonzero(~self.hits_N)
        key_N = (self._chars_N[wrong].astype(np.int64) << 32) + self._likely_N[wrong]
        found = [
            Confusion(
                label(key >> 32, self._tokenizer),
                self._tokenizer.decode([key & 0xFFFFFFFF]) or None,
                total,
            )
            for key, total, _ in self._sums(key_N, wrong)
        ]
        return sorted(found, key=lambda c: (-c.sum.positions, -c.sum.nats))

    def _sums(
        self, key_N: NDArray[np.integer], at: Offsets | None = None
    ) -> list[tuple[int, LossSum, int]]:
        """Sum the losses and hits of positions, of all or of those at `at`, that share a key."""
        keys, which = np.unique(key_N, return_inverse=True)
        losses_N, hits_N = self.losses_N, self.hits_N
        if at is not None:
            losses_N, hits_N = losses_N[at], hits_N[at]
        counts = np.bincount(which, minlength=len(keys)).tolist()
        nats = np.bincount(which, losses_N, len(keys)).tolist()
        hits = np.bincount(which, hits_N, len(keys)).astype(int).tolist()
        return [(k, LossSum(x, n), h) for k, x, n, h in zip(keys.tolist(), nats, counts, hits)]

    def _document(self, d: int) -> Document:
        start, stop = self.offsets[d : d + 2].tolist()
        losses_N, places_N = self.losses_N[start:stop], self._places_N[start:stop]
        whole = np.array([0, stop - start], dtype=np.int64)
        (first,), (last,) = (x.tolist() for x in spans(losses_N, whole, self.sum.mean))
        chars = int(places_N[first]), int(ends(places_N)[last - 1])
        total = LossSum(float(losses_N.sum()), stop - start)
        return Document(self.texts[d], total, chars, float(losses_N[first:last].sum()))


def _octave(n: NDArray[np.integer]) -> NDArray[np.integer]:
    """Return n up to SINGLE; above, the largest of those it stands together with."""
    octaves = np.ceil(np.log2(np.maximum(n, 1)))
    return np.where(n <= SINGLE, n, np.exp2(octaves).astype(np.int64))


def _range(key: int) -> str:
    return str(key) if key <= SINGLE else f"{key // 2 + 1}-{key}"
