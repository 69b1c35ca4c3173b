"""The counts of n-grams in documents of millions of positions, computed block by block.

In: a batch. Out: the numbers of the n-grams in it, ascending, and the count of each. The number of
an n-gram is its tokens read as digits in base V, the last token lowest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from microgpt.data.batch import Batch

Ints = NDArray[np.int64]
Counts = NDArray[np.integer]

# Positions whose n-grams are sorted at once; and those whose numbers are computed at once, which
# fit in a processor's cache.
AT_ONCE = 1 << 20
_IN_CACHE = 1 << 16

# Up to this many possible n-grams are counted in a table of all of them; more by sorting.
_TABLE = 1 << 25

# The counts of this many blocks are merged at once.
_BLOCKS = 16


def counted(batch: Batch, n: int, vocab_size: int, bos: int) -> tuple[Ints, Counts]:
    """Count n-grams, including those that begin before a document, where all tokens are BOS.

    N-grams that end in an unknown token, whose id is negative, are left out, and those that end in
    context.

    >>> from microgpt.data.batch import lay_out
    >>> batch = lay_out([[0, 1], [1]], bos=2, block_size=8).batch
    >>> [found.tolist() for found in counted(batch, 2, vocab_size=3, bos=2)]
    [[1, 5, 6, 7], [1, 2, 1, 1]]
    """
    numbers, size = _numbers(batch, n, vocab_size, bos), vocab_size**n
    if size <= _TABLE and size <= 4 * batch.positions:
        table = np.zeros(size, dtype=np.int32)
        for numbers_N in numbers:
            np.add.at(table, numbers_N, np.int32(1))
        pairs = np.flatnonzero(table)
        return pairs, table[pairs]
    # The counts of some blocks are merged into those of all blocks before.
    nothing = cast("Ints", np.zeros(0, np.int64)), cast("Counts", np.zeros(0, np.int32))
    found: list[tuple[Ints, Counts]] = []
    waiting: list[tuple[Ints, Counts]] = []
    for numbers_N in numbers:
        waiting.append(_distinct(numbers_N))
        if len(waiting) == _BLOCKS:
            found, waiting = [together([*found, *waiting])], []
    return together([*found, *waiting]) if found or waiting else nothing


def shorter(pairs: Ints, counts: Counts, size: int) -> tuple[Ints, Counts, Counts]:
    """Return the n-grams without their first token, with their counts.

    Args:
        pairs: the numbers of the n-grams.
        counts: of each n-gram.
        size: how many shorter n-grams are possible.

    Returns:
        The shorter n-grams' numbers, the count of each, and how many different tokens precede each.
    """
    numbers, order, firsts = suffixes(pairs, size)
    before = np.diff(firsts, append=len(order)).astype(np.int32)
    return numbers, np.add.reduceat(counts[order], firsts), before


def suffixes(pairs: Ints, size: int) -> tuple[Ints, Ints, Ints]:
    """Group n-grams by their tokens without the first one.

    Args:
        pairs: the numbers of the n-grams.
        size: how many shorter n-grams are possible.

    Returns:
        The shorter n-grams' numbers, ascending; the indices of the n-grams sorted by these; where
        in this order the n-grams of each shorter one begin.

    >>> [found.tolist() for found in suffixes(np.array([1, 5, 6, 7]), size=3)]
    [[0, 1, 2], [2, 0, 3, 1], [0, 1, 3]]
    """
    numbers = pairs % size
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    firsts = starts(numbers)
    return numbers[firsts], order, firsts


def _distinct(numbers: NDArray[np.integer]) -> tuple[Ints, Counts]:
    """Return the distinct numbers, ascending, and the count of each."""
    if numbers.max() < 2**31:  # 32-bit numbers are sorted in half the time
        numbers = numbers.astype(np.int32)
    numbers.sort()
    firsts = starts(numbers)
    return numbers[firsts].astype(np.int64), np.diff(firsts, append=len(numbers)).astype(np.int32)


def together(parts: list[tuple[Ints, Counts]]) -> tuple[Ints, Counts]:
    """Merge n-grams and their counts in several parts, each ascending."""
    if len(parts) == 1:
        return parts[0]
    pairs = np.concatenate([pairs for pairs, _ in parts])
    order = np.argsort(pairs, kind="stable")  # fast: each part is sorted already
    pairs = pairs[order]
    counts = np.concatenate([counts for _, counts in parts])[order]
    firsts = starts(pairs)
    return pairs[firsts], np.add.reduceat(counts, firsts)


def starts(numbers: NDArray[np.integer]) -> Ints:
    """Return the indices in ascending numbers at which a new number begins.

    >>> starts(np.array([1, 1, 4, 6, 6])).tolist()
    [0, 2, 3]
    """
    is_first = np.ones(len(numbers), dtype=bool)
    np.not_equal(numbers[1:], numbers[:-1], out=is_first[1:])
    return np.flatnonzero(is_first)


def _numbers(batch: Batch, n: int, vocab_size: int, bos: int) -> Iterator[Ints]:
    for its in blocks(batch):
        numbers_N = np.empty(its.stop - its.start, dtype=np.int64)
        for first in range(its.start, its.stop, _IN_CACHE):
            some = slice(first, min(first + _IN_CACHE, its.stop))
            (contexts_N,) = deque(contexts(batch, some, n, vocab_size, bos), maxlen=1)
            place = slice(some.start - its.start, some.stop - its.start)
            np.multiply(contexts_N, vocab_size, out=numbers_N[place])
            numbers_N[place] += batch.targets_N[some]
        is_counted_N = None if batch.is_counted_N is None else batch.is_counted_N[its]
        if batch.targets_N.dtype.kind != "u":
            is_known_N = batch.targets_N[its] >= 0
            is_counted_N = is_known_N if is_counted_N is None else is_known_N & is_counted_N
        if is_counted_N is not None:
            numbers_N = numbers_N[is_counted_N]
        if len(numbers_N):
            yield numbers_N


def blocks(batch: Batch, at_once: int = AT_ONCE) -> Iterator[slice]:
    """Yield slices that cover all positions, `at_once` each."""
    for first in range(0, batch.positions, at_once):
        yield slice(first, min(first + at_once, batch.positions))


def contexts(batch: Batch, its: slice, n: int, vocab_size: int, bos: int) -> Iterator[Ints]:
    """Yield the numbers of the contexts at the positions `its`: of 0, 1, ... n - 1 tokens."""
    first, size = its.start, its.stop - its.start
    rows = np.searchsorted(batch.documents, [first, its.stop - 1], side="right") - 1
    edges: Ints = batch.documents[rows[0] : rows[1] + 2]
    edges = np.minimum(np.maximum(edges, first), its.stop)
    place_N = np.arange(first, its.stop, dtype=np.int64)  # in its document
    place_N -= np.repeat(batch.documents[rows[0] : rows[1] + 1], np.diff(edges))
    before = min(first, n)
    read = np.full(n + size, bos, dtype=np.int64)
    read[n - before :] = batch.tokens_N[first - before : its.stop]
    number_N = cast("Ints", np.zeros(size, dtype=np.int64))
    yield number_N
    for k in range(1, n):
        tokens_N: Ints = read[n + 1 - k : n + 1 - k + size]
        if k > 1:
            tokens_N = np.where(place_N >= k - 1, tokens_N, np.int64(bos))
        number_N = cast("Ints", number_N + tokens_N * vocab_size ** (k - 1))
        yield number_N
