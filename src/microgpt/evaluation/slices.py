"""The documents behind a part of the loss: where in each of them that part is, and what it costs.

In: texts, and which positions: those of a place in a text, of a character, of a length of texts, or
whose token had a probability in a range. Out: the documents that have such positions, with the sum
of the losses there. The positions of each part are those that `parts` and `calibration` sum up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from microgpt.data.tokenizer import Tokenizer
from microgpt.engines.contract import Floats
from microgpt.errors import UsageError
from microgpt.scoring.price import CHARACTERS, END, MANY, Laid, Offsets, Priced, Pricer, groups

Mask = NDArray[np.bool_]
Losses = NDArray[np.floating]

_RANGE = re.compile("([0-9]{1,18})(?:-([0-9]{1,18}))?")


@dataclass(frozen=True)
class Slice:
    """A part of the loss.

    Attributes:
        by: what its positions have in common.
        name: the name of the part, as in `parts.Part`: a position or a length, "3" or "17-32", or a
            character; None: the ends of texts.
        least: the least probability of the token that came, if by "probability".
        most: the probability above these.
    """

    by: Literal["position", "character", "length", "probability"]
    name: str | None = None
    least: float = 0.0
    most: float = 1.0

    @property
    def bounds(self) -> tuple[int, int]:
        """The first and the last position or length.

        >>> Slice("position", "17-32").bounds, Slice("length", "4").bounds
        ((17, 32), (4, 4))
        """
        found = _RANGE.fullmatch(self.name or "")
        if not found:
            raise UsageError(f"a {self.by} must be as 3 or 17-32; got {(self.name or '')[:40]}.")
        first, last = found.groups()
        return int(first), int(last or first)


@dataclass(frozen=True, eq=False)
class Sliced:
    """The documents that have positions of a slice.

    Attributes:
        documents_D: the number of each, from 0, ascending.
        nats_D: the sum of its losses at these positions.
        positions_D: how many these are.
    """

    documents_D: Offsets
    nats_D: Floats
    positions_D: Offsets


def sliced(
    pricer: Pricer, texts: Sequence[str], wanted: Slice, losses_N: Losses | None = None
) -> Generator[int, None, Sliced]:
    """Find the documents of a slice, some texts at a time; yield how many have been read so far.

    Args:
        pricer: of the model.
        texts: the documents.
        wanted: the slice.
        losses_N: of all their positions, if they are known already.

    Raises:
        UsageError: its name is no position or length.
    """
    belongs = _Belonging(wanted, pricer.tokenizer)
    found: list[tuple[Offsets, Floats, Offsets]] = []
    seen = 0
    each = pricer.each(texts) if losses_N is None else _known(pricer, texts, losses_N)
    for priced in each:
        starts = priced.laid.texts[:-1]
        mask_N = belongs(priced)
        positions_D = np.add.reduceat(mask_N.astype(np.int64), starts)
        nats_D = np.add.reduceat(np.where(mask_N, priced.losses_N, 0.0), starts)
        at = np.flatnonzero(positions_D)
        found.append((at + seen, nats_D[at], positions_D[at]))
        seen += len(starts)
        yield seen
    columns = [np.concatenate(some) for some in zip(*found)] or [np.zeros(0, np.int64)] * 3
    return Sliced(*columns)


def _known(pricer: Pricer, texts: Sequence[str], losses_N: Losses) -> Iterator[Priced]:
    """Yield texts with losses that are known."""
    at = 0
    for group in groups(texts, CHARACTERS):
        laid = Laid.of(group, pricer.tokenizer, pricer.block_size)
        stop = at + laid.batch.positions
        yield Priced(laid, losses_N[at:stop].astype(np.float64))
        at = stop


class _Belonging:
    """Says which positions belong to a slice."""

    def __init__(self, wanted: Slice, tokenizer: Tokenizer) -> None:
        self._wanted = wanted
        if wanted.by == "character":
            self._keys = _keys(wanted.name, tokenizer)
        elif wanted.by != "probability":
            self._first, self._last = wanted.bounds

    def __call__(self, priced: Priced) -> Mask:
        laid, wanted = priced.laid, self._wanted
        if wanted.by == "character":
            return np.isin(laid.chars_N, self._keys)
        if wanted.by == "position":
            return _between(laid.places_N + 1, self._first, self._last)
        if wanted.by == "length":
            lengths_N = np.repeat(laid.lengths_D, np.diff(laid.texts))
            return _between(lengths_N, self._first, self._last)
        # Unknown characters have a loss, but no probability.
        is_known_N = laid.batch.targets_N >= 0
        above, below = _nats(wanted.most), _nats(wanted.least)
        return is_known_N & (priced.losses_N > above) & (priced.losses_N <= below)


def _between(values_N: NDArray[np.integer], first: int, last: int) -> Mask:
    return (values_N >= first) & (values_N <= last)


def _nats(p: float) -> float:
    """Return -log p; a loss is never below 0, nor above that of p = 0."""
    if p > 1.0:
        return -1.0
    return -math.log(p) if p > 0.0 else math.inf


def _keys(name: str | None, tokenizer: Tokenizer) -> list[int]:
    """Return the numbers in `Laid.chars_N` that have a label."""
    if name is None:
        return [END]
    keys = [ord(name)] if len(name) == 1 else []
    ids = range(tokenizer.vocab_size)
    return [*keys, *(MANY + i for i in ids if tokenizer.decode([i]) == name)]
