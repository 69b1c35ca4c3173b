"""What Python's `random.shuffle` does to a list, of millions, by arrays.

In: how many, a generator. Out: their order, the same as `shuffle` makes, and the generator where
`shuffle` leaves it. The order of the original's documents is that, so it must be the same.
"""

from __future__ import annotations

import random
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.int32]

# Below this a list is quicker.
_MANY = 1 << 16

# Draws made at once.
_DRAWS = 1 << 15


def shuffled(n: int, rng: random.Random) -> Order:
    """Return the numbers below n, shuffled: what `rng.shuffle` does to a list of n documents.

    >>> shuffled(5, random.Random(42)).tolist()
    [3, 1, 2, 4, 0]
    """
    found, state = _shuffled(n, rng.getstate())
    rng.setstate(state)
    return found


@lru_cache(maxsize=2)
def _shuffled(n: int, state: tuple[Any, ...]) -> tuple[Order, tuple[Any, ...]]:
    """Return the order, and the generator's state after it.

    A training asks twice for the same: for its order, and for what the generator draws next.
    """
    if n < _MANY:
        rng = random.Random()
        rng.setstate(state)
        return _frozen(np.array(_few(n, rng), dtype=np.int32)), rng.getstate()
    draws, words = _draws(n, _twister(state))
    after = _twister(state)
    after.random_raw(words, output=False)
    key, place = after.state["state"]["key"].tolist(), after.state["state"]["pos"]
    return _frozen(_swapped(draws)), (state[0], (*key, place), *state[2:])


def _few(n: int, rng: random.Random) -> list[int]:
    """Return what `rng.shuffle` makes of a list, in half of its time: a bound of bits is kept."""
    numbers, draw = list(range(n)), rng.getrandbits
    last = n - 1
    while last > 0:
        bits = (last + 1).bit_length()
        first = max((1 << (bits - 1)) - 1, 1)  # i + 1 has as many bits from there on
        for i in range(last, first - 1, -1):
            j = draw(bits)
            while j > i:
                j = draw(bits)
            numbers[i], numbers[j] = numbers[j], numbers[i]
        last = first - 1
    return numbers


def _frozen(order: Order) -> Order:
    """Keep an order from being changed: it is answered again."""
    order.setflags(write=False)
    return order


def _twister(state: tuple[Any, ...]) -> np.random.MT19937:
    """Return numpy's Mersenne Twister where Python's stands."""
    twister = np.random.MT19937()
    key = np.array(state[1][:-1], dtype=np.uint32)
    twister.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": state[1][-1]}}
    return twister


def _draws(n: int, twister: np.random.MT19937) -> tuple[Order, int]:
    """Draw j <= i for each i from n - 1 down to 1; return j_i at i, and how many words that took.

    `shuffle` takes as many bits as i + 1 has, again and again until they are no more than i.
    """
    draws, words = np.zeros(n, dtype=np.int32), 0
    drawn = np.zeros(0, dtype=np.uint32)
    below = n  # i + 1
    while below > 1:
        if not len(drawn):
            drawn = twister.random_raw(_DRAWS).astype(np.uint32)
        bits = below.bit_length()
        numbers = (drawn >> np.uint32(32 - bits)).astype(np.int32)
        # Each number that is taken lowers the bound of those behind it. A first guess of which are
        # taken is made better until it does not change: what is before a mistake stays right.
        bounds = np.full(len(numbers), below, dtype=np.int32)
        while True:
            is_taken = numbers < bounds
            told = below - np.cumsum(is_taken, dtype=np.int32) + is_taken
            if np.array_equal(told, bounds):
                break
            bounds = told
        # As far as numbers have so many bits.
        taken = np.flatnonzero(is_taken)[: below - max(1 << (bits - 1), 2) + 1]
        draws[below - len(taken) : below] = numbers[taken][::-1]
        is_last = below - len(taken) < max(1 << (bits - 1), 2)
        used = int(taken[-1]) + 1 if is_last else len(drawn)
        below -= len(taken)
        words += used
        drawn = drawn[used:]
    return draws, words


def _swapped(draws: Order) -> Order:
    """Swap i with its draw j, for each i from the last down to 1.

    A place is written to by the swaps that have drawn it, each with what stands at its own i. So
    what stands at i when its turn comes is what stood, at its turn, at the last one that drew i;
    what ends at i is what stood at the last one before it that drew the same j. Where nobody has
    drawn a place, its own number still stands there.
    """
    n = len(draws)
    # By place, and of one place the swap that came last first.
    keys = (draws[1:].astype(np.int64) << 32) | np.arange(1, n, dtype=np.int64)
    keys.sort()
    swap = keys.astype(np.int32)  # the lower half
    keys >>= 32
    place = keys.astype(np.int32)
    del keys
    alike = place[1:] == place[:-1]
    earlier = np.full(n, -1, dtype=np.int32)  # the last one before a swap that drew the same
    earlier[swap[:-1][alike]] = swap[1:][alike]
    firsts = np.concatenate([[True], ~alike])
    stood = np.arange(n, dtype=np.int32)
    stood[place[firsts]] = swap[firsts]
    del place, swap, alike, firsts
    # A swap of i with itself changes nothing.
    own = np.flatnonzero((stood == draws) & (earlier >= 0))
    own = own[draws[own] == own]
    stood[own] = earlier[own]
    while True:
        further = stood[stood]
        if np.array_equal(further, stood):
            break
        stood = further
    order = np.where(earlier >= 0, stood[earlier], draws)
    order[0] = stood[0]
    return order
