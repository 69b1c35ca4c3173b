"""The cache of one long text that is coded in lanes: what has been coded so far, in all of them.

In: the tokens of each step, lane by lane. Out: logits with the cache mixed in, the same for both
directions. `counting.cache` looks at all that stands before a position; here that is not decoded
yet, but the beginnings of other lanes are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from microgpt.counting.cache import TIMES, TextCache, mixed_in
from microgpt.counting.earlier import LENGTHS
from microgpt.engines.contract import Floats

Ints = NDArray[np.int64]


class LaneCache:
    """What followed each context so far.

    Args:
        cache: its weights.
        lanes: how many lanes.
    """

    def __init__(self, cache: TextCache, lanes: int) -> None:
        self._weights = cache.weights
        self._last: list[tuple[int, ...]] = [()] * lanes
        # Of each context how often it came, and how often which token followed it.
        self._followed: dict[tuple[int, ...], tuple[list[int], dict[int, int]]] = {}

    def mix(self, log_p_BV: Floats, going: Ints) -> Floats:
        """Mix the cache into logarithms of the probabilities of some lanes, in place."""
        weight_B = np.zeros(len(going))
        rows, tokens, share = list[int](), list[int](), list[float]()
        for row, lane in enumerate(going):
            last = self._last[int(lane)]
            for k, length in enumerate(LENGTHS):
                if len(last) < length or (found := self._followed.get(last[-length:])) is None:
                    continue
                ((total,), each) = found
                weight_B[row] = self._weights[TIMES * k + min(total, TIMES) - 1]
                if weight_B[row]:
                    rows += [row] * len(each)
                    tokens += each
                    share += [times / total for times in each.values()]
                break
        at = np.array(rows, dtype=np.int64), np.array(tokens, dtype=np.int64)
        return mixed_in(log_p_BV, weight_B, *at, np.array(share))

    def read(self, tokens: Ints, going: Ints) -> None:
        """Read the tokens that came in these lanes."""
        for token, lane in zip(map(int, tokens), map(int, going)):
            last = self._last[lane]
            for length in LENGTHS:
                if len(last) >= length:
                    total, each = self._followed.setdefault(last[-length:], ([0], {}))
                    total[0] += 1
                    each[token] = each.get(token, 0) + 1
            self._last[lane] = (*last, token)[-LENGTHS[0] :]
