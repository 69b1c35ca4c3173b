"""Python's `random.shuffle` for millions of items, computed by arrays.

In: a number of items, a generator. Out: the same order as `random.shuffle` makes, and the generator
in the state in which `shuffle` leaves it: the original microgpt orders its documents so, and then
draws its initial values from the same generator.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Order = NDArray[np.int32]

# For fewer items `random.shuffle` itself is quicker.
_MANY = 1 << 16

# 32-bit words drawn from the generator at once.
_DRAWS = 1 << 15

# Swaps that are made at once, about. They take thirty bytes each, and all items four bytes each.
_SWAPS = 1 << 20


def shuffled(n: int, rng: random.Random) -> Order:
    """Return the numbers 0 to n - 1 in the order that `rng.shuffle` gives to a list of them.

    Args:
        n: how many.
        rng: the generator; it advances as by `rng.shuffle`.

    >>> shuffled(5, random.Random(42)).tolist()
    [3, 1, 2, 4, 0]
    """
    found, state = _shuffled(n, rng.getstate())
    rng.setstate(state)
    return found


@lru_cache(maxsize=2)
def _shuffled(n: int, state: tuple[Any, ...]) -> tuple[Order, tuple[Any, ...]]:
    """Return the order, and the generator's state after it.

    It is cached because a training needs the same order twice: for its plan, and to advance the
    generator that draws the initial values.
    """
    if n < _MANY:
        rng = random.Random()
        rng.setstate(state)
        return _frozen(np.array(_few(n, rng), dtype=np.int32)), rng.getstate()
    order, words = np.arange(n, dtype=np.int32), 0
    some, first = list[Order](), n
    for numbers, drawn in _draws(n, _twister(state)):
        some.append(numbers)
        words += drawn
        below = first - sum(map(len, some))
        if first - below >= _SWAPS or below == 1:
            _swap(order, below, np.concatenate(some[::-1]))
            some, first = [], below
    after = _twister(state)
    after.random_raw(words, output=False)
    key, place = after.state["state"]["key"].tolist(), after.state["state"]["pos"]
    return _frozen(order), (state[0], (*key, place), *state[2:])


def _few(n: int, rng: random.Random) -> list[int]:
    """Return the order that `rng.shuffle` makes, in half the time: a bit length serves many i."""
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
    """Make an order read-only: the cache returns it again."""
    order.setflags(write=False)
    return order


def _twister(state: tuple[Any, ...]) -> np.random.MT19937:
    """Return numpy's Mersenne Twister in the state of Python's."""
    twister = np.random.MT19937()
    key = np.array(state[1][:-1], dtype=np.uint32)
    twister.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": state[1][-1]}}
    return twister


def _draws(n: int, twister: np.random.MT19937) -> Iterator[tuple[Order, int]]:
    """Draw j_i <= i for each i from n - 1 down to 1; yield (some of them, how many words drawn).

    Those of the largest i are yielded first; in an array the largest i is last. As `shuffle` does,
    by rejection: of each word it takes as many bits as i + 1 has, and draws again while they exceed
    i.
    """
    drawn = np.zeros(0, dtype=np.uint32)
    below = n  # i + 1
    while below > 1:
        if not len(drawn):
            drawn = twister.random_raw(_DRAWS).astype(np.uint32)
        bits = below.bit_length()
        numbers = (drawn >> np.uint32(32 - bits)).astype(np.int32)
        # A number is accepted if it is below a bound that falls by 1 with each accepted number
        # before it. Which are accepted is found as a fixed point: guess the bounds, accept, compute
        # the bounds anew. Each pass makes at least one more number right, from the first on.
        bounds = np.full(len(numbers), below, dtype=np.int32)
        while True:
            is_taken = numbers < bounds
            corrected = below - np.cumsum(is_taken, dtype=np.int32) + is_taken
            if np.array_equal(corrected, bounds):
                break
            bounds = corrected
        # Only while i + 1 has this many bits: below that, words are cut to fewer.
        taken = np.flatnonzero(is_taken)[: below - max(1 << (bits - 1), 2) + 1]
        is_last = below - len(taken) < max(1 << (bits - 1), 2)
        used = int(taken[-1]) + 1 if is_last else len(drawn)
        below -= len(taken)
        yield numbers[taken][::-1], used
        drawn = drawn[used:]


def _swap(order: Order, first: int, draws: Order) -> None:
    """Swap items i and j_i for each i from the last of some down to `first`.

    Args:
        order: the items; changed.
        first: the least i.
        draws: j_i for each i from `first` on.
    """
    if first == 1 and len(draws) == len(order) - 1:
        order[:] = order[_swapped(np.concatenate([np.zeros(1, np.int32), draws]))]
        return
    # The places below that are swapped with, and then those of i: numbered from 0, so that memory
    # is needed for these alone. Swapping a place with itself changes nothing.
    is_low = draws < first
    keys = (draws[is_low].astype(np.int64) << 32) | np.flatnonzero(is_low)
    keys.sort()
    at = keys.astype(np.int32)  # the lower half
    keys >>= 32
    is_first = np.ones(len(keys), dtype=bool)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    low = keys[is_first].astype(np.int32)
    own = draws + np.int32(len(low) - first)
    own[at] = np.cumsum(is_first, dtype=np.int32) - 1
    del keys, at, is_first, is_low
    swapped = _swapped(np.concatenate([np.arange(len(low), dtype=np.int32), own]))
    places = np.concatenate([low, np.arange(first, first + len(draws), dtype=np.int32)])
    order[places] = order[places[swapped]]


def _swapped(draws: Order) -> Order:
    """Return the numbers 0 to n - 1 after swapping items i and j_i for each i from n - 1 down to 1.

    Swap i moves the item at i to j_i, for all later swaps, and the item at j_i to i, for good. Let
    stood[i] be the item at i just before swap i. If swap k is the latest before it with j_k = i,
    then stood[i] = stood[k]; if there is none, stood[i] = i. The item that stays at i is the one at
    j_i before swap i: stood[k] of the latest earlier swap k with j_k = j_i, or else j_i itself.
    """
    n = len(draws)
    # Sort the swaps by j; of equal j, the swap with the least i, which came last, is first.
    keys = (draws[1:].astype(np.int64) << 32) | np.arange(1, n, dtype=np.int64)
    keys.sort()
    swap = keys.astype(np.int32)  # the lower half
    keys >>= 32
    place = keys.astype(np.int32)
    del keys
    alike = place[1:] == place[:-1]
    earlier = np.full(n, -1, dtype=np.int32)  # the latest earlier swap with the same j; -1: none
    earlier[swap[:-1][alike]] = swap[1:][alike]
    firsts = np.concatenate([[True], ~alike])
    stood = np.arange(n, dtype=np.int32)
    stood[place[firsts]] = swap[firsts]
    del place, swap, alike, firsts
    # If j_i = i, the latest swap with j = i is swap i itself: take the one before it, if any.
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
