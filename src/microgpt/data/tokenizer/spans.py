"""Where masks match in some texts, many texts at a time.

In: masks, texts. Out: `Spans`; and the texts with symbols in their place.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.data.texts import Texts, begins
from microgpt.data.tokenizer.masks import KINDS, Mask

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
_WORD = string.digits + string.ascii_letters

Found = tuple[Ints, Ints]
"""Of each span the first character, and the one behind the last."""


@dataclass(frozen=True, eq=False)
class Spans:
    """Where masks match in some texts that stand end to end, a line feed behind each.

    Attributes:
        texts: these.
        firsts_S: of each span the number of its first character among all, in order.
        stops_S: that of the one behind its last.
        masks_S: the number of its mask.
    """

    texts: Texts
    firsts_S: Ints
    stops_S: Ints
    masks_S: Ints

    def matched(self, mask: int, most: int) -> list[str]:
        """Return the first texts that a mask matches."""
        its = np.flatnonzero(self.masks_S == mask)[:most]
        text = self.texts.text
        return [text[i:j] for i, j in zip(self.firsts_S[its].tolist(), self.stops_S[its].tolist())]

    def replaced(self, symbols: Sequence[str]) -> Texts:
        """Return the texts with the symbol of its mask in place of each span; all are ASCII."""
        buffer, starts = self.texts.buffer, self.texts.starts
        firsts_S, stops_S = self._bytes
        sizes_S = _lengths(symbols)[self.masks_S]
        places_S = _moved(firsts_S, firsts_S, stops_S, sizes_S)
        starts = _moved(starts, firsts_S, stops_S, sizes_S)
        made = np.empty(int(starts[-1]), dtype=np.uint8)
        is_symbol = _covered(places_S, places_S + sizes_S, len(made))
        made[~is_symbol] = buffer[~_covered(firsts_S, stops_S, len(buffer))]
        for i, symbol in enumerate(symbols):
            its = np.frombuffer(symbol.encode(), dtype=np.uint8)
            made[places_S[self.masks_S == i, None] + np.arange(len(its))] = its
        return Texts(made, starts)

    @property
    def _bytes(self) -> tuple[Ints, Ints]:
        """Return the first byte of each span, and the one behind its last."""
        codes, _ = self.texts.code_points()
        if len(codes) == len(self.texts.buffer):
            return self.firsts_S, self.stops_S
        places = np.append(np.flatnonzero(begins(self.texts.buffer)), len(self.texts.buffer))
        return places[self.firsts_S], places[self.stops_S]

    def places(self, symbols: Sequence[str]) -> Ints:
        """Return the number of the character that each symbol begins with, once it stands there."""
        sizes_S = _lengths(symbols)[self.masks_S]
        return _moved(self.firsts_S, self.firsts_S, self.stops_S, sizes_S)


def _lengths(symbols: Sequence[str]) -> Ints:
    return np.array([*map(len, symbols)], dtype=np.int64)


def _moved(places: Ints, firsts_S: Ints, stops_S: Ints, sizes_S: Ints) -> Ints:
    """Return where places that are inside no span are, once spans have other sizes.

    >>> _moved(np.array([0, 2, 9]), np.array([2]), np.array([6]), np.array([1])).tolist()
    [0, 2, 6]
    """
    upto_S = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes_S - (stops_S - firsts_S))])
    return places + upto_S[np.searchsorted(firsts_S, places)]


def _covered(firsts_S: Ints, stops_S: Ints, number: int) -> Flags:
    """Return which of so many places are inside of spans, no two of which overlap.

    >>> _covered(np.array([1, 2]), np.array([2, 4]), 5).tolist()
    [False, True, True, True, False]
    """
    edges = np.zeros(number + 1, dtype=np.int8)
    edges[firsts_S] += 1
    edges[stops_S] -= 1
    return np.cumsum(edges[:-1], dtype=np.int8) > 0


class Finder:
    r"""Finds where masks match; of two that overlap, the one that is first here has the span.

    Args:
        masks: in the order of their precedence.

    >>> from microgpt.data.tokenizer.masks import parse
    >>> spans = Finder(parse("ip,digits")).find(Texts.of(["10.0.0.1 said 42", "7"]))
    >>> [*spans.replaced(["<ip>", "<digits>"])]
    ['<ip> said <digits>', '<digits>']
    """

    def __init__(self, masks: Sequence[Mask]) -> None:
        self._masks = masks

    def find(self, texts: Texts) -> Spans:
        """Return the spans of a few texts."""
        texts = texts.packed()
        codes, starts = texts.code_points()
        taken = np.zeros(len(codes), dtype=bool)
        can_begin = np.ones(len(codes), dtype=bool)
        can_begin[1:] = ~_is_one_of(_WORD, codes[:-1])
        found = list[tuple[Ints, Ints, Ints]]()
        for number, mask in enumerate(self._masks):
            if mask.is_own:
                its = _of_own(mask, texts, starts)
            elif KINDS[mask.name].first:
                its = _of_words(mask, texts, codes, can_begin)
            else:
                its = _runs(_is_one_of(string.digits, codes) & ~taken)
            firsts, stops = _claimed(taken, its)
            found.append((firsts, stops, np.full(len(firsts), number)))
        firsts_S, stops_S, masks_S = (np.concatenate(every) for every in zip(*found))
        order = np.argsort(firsts_S, kind="stable")
        return Spans(texts, firsts_S[order], stops_S[order], masks_S[order])


def _is_one_of(chars: str, codes: NDArray[np.integer]) -> Flags:
    table = np.isin(np.arange(129), [*chars.encode()])
    return table.take(codes, mode="clip")  # what is not ASCII counts as the last one


def _of_words(mask: Mask, texts: Texts, codes: NDArray[np.integer], can_begin: Flags) -> Found:
    """Return where a mask with a name matches, tried where it can begin."""
    kind = KINDS[mask.name]
    at = np.flatnonzero(_is_one_of(kind.first, codes) & can_begin)
    can_be = np.zeros(len(at), dtype=bool)
    for sign in kind.signs:
        places = np.flatnonzero(~can_be)
        for place, chars in sign.items():
            its = codes.take(at[places] + place, mode="clip")
            places = places[_is_one_of(chars, its)]
        can_be[places] = True
    match, text, stop = mask.compiled.match, texts.text, 0
    spans = list[int]()
    for first in at[can_be].tolist():
        if first >= stop and (found := match(text, first)):
            stop = found.end()
            spans += [first, stop]
    return _found(spans)


def _of_own(mask: Mask, texts: Texts, starts: Ints) -> Found:
    """Return where a pattern that may be anything matches: each text is searched for itself."""
    search, spans = mask.compiled.finditer, list[int]()
    for start, text in zip(starts.tolist(), texts.strings()):
        for found in search(text):
            if found.end() > found.start():
                spans += [start + found.start(), start + found.end()]
    return _found(spans)


def _found(spans: Sequence[int]) -> Found:
    flat = np.array(spans, dtype=np.int64)
    return flat[::2], flat[1::2]


def _claimed(taken: Flags, found: Found) -> Found:
    """Return the spans that overlap none taken before, and mark them as taken."""
    firsts, stops = found
    if len(firsts) and taken.any():
        before = np.concatenate([np.zeros(1, np.int32), np.cumsum(taken, dtype=np.int32)])
        is_free = before[firsts] == before[stops]
        firsts, stops = firsts[is_free], stops[is_free]
    taken |= _covered(firsts, stops, len(taken))
    return firsts, stops


def _runs(is_one: Flags) -> Found:
    """Return where runs begin, and where they end.

    >>> _runs(np.array([True, True, False, True]))
    (array([0, 3]), array([2, 4]))
    """
    edges = np.diff(is_one.astype(np.int8), prepend=0, append=0)
    return np.flatnonzero(edges > 0), np.flatnonzero(edges < 0)
