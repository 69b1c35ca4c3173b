"""What followed the last tokens earlier in the same text, at each position of long texts.

In: texts end to end. Out: `Earlier`: how often the longest repeated context came before, how often
it was followed by the target there, and by each other token. A position knows nothing of what comes
after it, and what lies before a text does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.counting.count import starts
from microgpt.data.batch import Batch

Ints = NDArray[np.int64]
Small = NDArray[np.int32]
Whole = NDArray[np.integer]

LENGTHS = (5, 4, 3)
"""The contexts looked for, in tokens: the longest of them that came earlier counts."""


@dataclass(frozen=True, eq=False)
class _Sorted:
    """All runs of so many tokens, each within a text; equal ones of a text have the same number.

    Attributes:
        number_N: of the run that ends with each target, from 1, in the order of (the number of the
            run without its last token, its last token); 0: its text has fewer tokens there.
        earlier_N: how often the run came before.
        keys_S: number << bits | position of all runs, ascending.
        bits: that a position takes.
        firsts_G: where the keys of each number begin.
        last_G: the last token of each.
        firsts_C: the first number of each run without its last token.
    """

    number_N: Small
    earlier_N: Small
    keys_S: Ints
    bits: int
    firsts_G: Ints
    last_G: Small
    firsts_C: Ints

    @classmethod
    def of(
        cls, keys_N: Ints, bound: int, shorter_N: Whole, contexts: int, last_N: Whole
    ) -> _Sorted:
        """Number runs by their keys, below a bound; 0: there is no run, as at a text's begin.

        Without their last tokens they have the numbers shorter_N, of which there are so many;
        `contexts` is 0 where nothing is asked of these.
        """
        N = len(keys_N)
        bits = N.bit_length()
        if bound << bits < 1 << 63:  # twice as fast as a stable sort, which is the same
            at_S = np.sort(keys_N << bits | np.arange(N)) & ((1 << bits) - 1)
        else:
            at_S = np.argsort(keys_N, kind="stable")
        firsts_G = starts(keys_N[at_S])
        lengths_G = np.diff(firsts_G, append=N)
        number_S = np.repeat(np.arange(len(firsts_G)), lengths_G)
        number_N, earlier_N = np.empty(N, np.int32), np.empty(N, np.int32)
        number_N[at_S] = number_S
        earlier_N[at_S] = np.arange(N) - np.repeat(firsts_G, lengths_G)
        some_G = at_S[firsts_G]
        last_G, shorter_G = last_N[some_G].astype(np.int32), shorter_N[some_G]
        firsts_C = np.searchsorted(shorter_G, np.arange(contexts + 1))
        return cls(number_N, earlier_N, number_S << bits | at_S, bits, firsts_G, last_G, firsts_C)

    def followed(self, contexts_R: Small, at_R: Ints) -> tuple[Ints, Small, Ints]:
        """Return what followed contexts before some positions: rows, tokens, how often.

        Args:
            contexts_R: of each row the number of its context: a run without its last token.
            at_R: the position before which it is looked for.
        """
        first_R = self.firsts_C[contexts_R]
        each_R = self.firsts_C[contexts_R + 1] - first_R
        rows = np.repeat(np.arange(len(contexts_R)), each_R)
        offsets_R: Ints = first_R - (np.cumsum(each_R) - each_R)
        number = np.arange(len(rows)) + np.repeat(offsets_R, each_R)
        times = np.searchsorted(self.keys_S, number << self.bits | at_R[rows])
        times -= self.firsts_G[number]
        came = times > 0
        return rows[came], self.last_G[number[came]], times[came]


@dataclass(frozen=True, eq=False)
class Earlier:
    """What followed the longest repeated context at each position of some texts.

    Attributes:
        length_N: the tokens of the context, one of LENGTHS; 0: none of them came before.
        times_N: how often it came before.
        hits_N: how often the target followed it there.
    """

    length_N: Small
    times_N: Small
    hits_N: Small
    _runs: dict[int, _Sorted]

    @classmethod
    def of(cls, texts: Batch) -> Earlier:
        """Look for repeated contexts in texts.

        >>> from microgpt.data.batch import whole
        >>> from microgpt.data.encoded import Encoded
        >>> found = Earlier.of(whole(Encoded.of([[1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 5]], bos=0)))
        >>> found.length_N.tolist(), found.times_N.tolist()[-3:], found.hits_N.tolist()[-3:]
        ([0, 0, 0, 0, 0, 0, 0, 3, 4, 5, 5, 5, 0], [1, 1, 0], [1, 0, 0])
        """
        N, runs = texts.positions, _runs(texts)
        length_N, times_N, hits_N = (np.zeros(N, np.int32) for _ in range(3))
        for k in sorted(LENGTHS):
            # The context of a position is the run that ends one position before.
            is_within_N = runs[k + 1].number_N > 0
            found = np.flatnonzero(is_within_N & (_before(runs[k].earlier_N) > 0))
            length_N[found] = k
            times_N[found] = runs[k].earlier_N[found - 1]
            hits_N[found] = runs[k + 1].earlier_N[found]
        return cls(length_N, times_N, hits_N, runs)

    def followed(self, at_R: Ints) -> tuple[Ints, Small, Ints]:
        """Return what followed the contexts of some positions: rows, tokens, how often."""
        parts = list[tuple[Ints, Small, Ints]]()
        for k in LENGTHS:
            its = np.flatnonzero(self.length_N[at_R] == k)
            contexts_R = self._runs[k].number_N[at_R[its] - 1]
            rows, tokens, times = self._runs[k + 1].followed(contexts_R, at_R[its])
            parts.append((its[rows], tokens, times))
        rows, tokens, times = zip(*parts)
        return np.concatenate(rows), np.concatenate(tokens), np.concatenate(times)


def _runs(texts: Batch) -> dict[int, _Sorted]:
    """Return the runs of each length that is needed: contexts, and each with its target."""
    targets_N, N = texts.targets_N, texts.positions
    lengths_D = np.diff(texts.documents)
    place_N = np.arange(N) - np.repeat(texts.documents[:-1], lengths_D)
    V, bound = int(targets_N.max()) + 1, len(lengths_D) + 1
    # A run of no token is that of its text.
    number_N: Ints = np.repeat(np.arange(1, bound), lengths_D)
    found = dict[int, _Sorted]()
    for length in range(1, max(LENGTHS) + 2):
        shorter_N = number_N if length == 1 else _before(number_N)
        if bound * V >= 1 << 63:  # as of a large alphabet
            shorter_N = np.unique(shorter_N, return_inverse=True)[1] + 1
            bound = N + 1
        bound *= V
        number_N = np.where(place_N >= length - 1, shorter_N.astype(np.int64) * V + targets_N, 0)
        if length >= min(LENGTHS):
            contexts = len(found[length - 1].firsts_G) if length - 1 in found else 0
            found[length] = made = _Sorted.of(number_N, bound, shorter_N, contexts, targets_N)
            number_N, bound = made.number_N.astype(np.int64), len(made.firsts_G)
    return found


def _before(values_N: Whole) -> Whole:
    """Return for each position the value of the position before; 0 for the first."""
    before_N = np.zeros_like(values_N)
    before_N[1:] = values_N[:-1]
    return before_N
