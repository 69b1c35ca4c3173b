"""Equal texts among many: found by a hash of each, and compared byte by byte where hashes agree.

In: `Texts`. Out: for each text, a number that equal texts share; or whether a text is among them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import count

import numpy as np
from numpy.typing import NDArray

from microgpt.data.decoded import Decoded
from microgpt.data.encoded import Encoded
from microgpt.data.split import hashes as stored_hashes
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import Tokenizer, encode_all

Hashes = NDArray[np.uint64]
Ints = NDArray[np.int32]

_PRIME = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True, eq=False)
class Alike:
    """The distinct texts among D texts, numbered in the order in which they first occur.

    Attributes:
        number_D: for each text, the number of the distinct text that it equals.
        firsts_U: for each distinct text, the index of the first text equal to it.
    """

    number_D: Ints
    firsts_U: Ints

    @cached_property
    def times_U(self) -> Ints:
        """How often each distinct text occurs."""
        times = np.bincount(self.number_D, minlength=len(self.firsts_U))
        return times.astype(np.int32)

    @classmethod
    def of(cls, texts: Texts) -> Alike:
        """Find the distinct texts.

        >>> found = Alike.of(Texts.of(["bob", "ada", "bob", "eva"]))
        >>> found.number_D.tolist(), found.firsts_U.tolist(), found.times_U.tolist()
        ([0, 1, 0, 2], [0, 1, 3], [2, 1, 1])
        """
        order, same = next(filter(None, (_by_hash(texts, seed) for seed in count())))
        is_first = np.ones(len(order), dtype=bool)
        is_first[1:] = ~same
        by_hash = order[is_first]  # the sort is stable: the first of equal texts comes first
        number: Ints = np.zeros(len(order), dtype=np.int32)
        number[by_hash] = 1
        firsts = np.flatnonzero(number).astype(np.int32)
        number = np.cumsum(number, dtype=np.int32) - 1  # right for the first of equal texts only
        number[order] = np.repeat(
            number[by_hash], np.diff(np.flatnonzero(is_first), append=len(order))
        )
        return cls(number, firsts)


def apart(trained: Sequence[str], held_out: Sequence[str]) -> Alike:
    """Find the same among texts of which none is on both sides.

    >>> apart(["bob", "ada", "bob"], ["eva", "eva"]).number_D.tolist()
    [0, 1, 0, 2, 2]
    """
    one, other = (Alike.of(Texts.of(texts)) for texts in (trained, held_out))
    return Alike(
        np.concatenate([one.number_D, other.number_D + np.int32(len(one.firsts_U))]),
        np.concatenate([one.firsts_U, other.firsts_U + np.int32(len(one.number_D))]),
    )


def same(trained: Sequence[str], held_out: Sequence[str], tokenizer: Tokenizer) -> Alike:
    """Return which documents are the same to a model: those that its tokenizer reads the same.

    With masks they may be among those trained on and those held out at once.
    """
    if not tokenizer.symbols:
        return apart(trained, held_out)
    each = [encode_all(tokenizer, texts) for texts in (trained, held_out)]
    return same_ids(Encoded.joined(each, tokenizer.bos))


def same_ids(encoded: Encoded) -> Alike:
    """Return which texts have the same token ids.

    >>> same_ids(Encoded.of([[0, 300], [1], [0, 300]], bos=9)).number_D.tolist()
    [0, 1, 0]
    """
    ids = encoded.stream[1:]  # of each text, and BOS behind it, in place of a line feed
    buffer = np.frombuffer(ids.data, dtype=np.uint8)
    return Alike.of(Texts(buffer, encoded.offsets * ids.itemsize))


class Known(Container[str]):
    """A set of many texts, in little memory: says whether a text is one of them.

    Of stored texts only the hashes are compared, of 64 bits.

    >>> known = Known(["emma", "ava"])
    >>> "ava" in known, "av" in known
    (True, False)
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = Texts.of(texts)
        self._stored: Hashes | None = None
        if isinstance(self._texts, Decoded) and self._texts.hashes is not None:
            self._stored = np.sort(self._texts.hashes)
            return
        hashes = _hashes(self._texts, 0)
        self._order: Ints = np.argsort(hashes, kind="stable").astype(np.int32)
        self._hashes = hashes[self._order]

    def __contains__(self, text: object) -> bool:
        if not isinstance(text, str):
            return False
        if self._stored is not None:
            own = stored_hashes(Texts.of([text]))
            at = int(np.searchsorted(self._stored, own)[0])
            return np.array_equal(self._stored[at : at + 1], own)
        own = _hashes(Texts.of([text]), 0)
        first = int(np.searchsorted(self._hashes, own, "left")[0])
        stop = int(np.searchsorted(self._hashes, own, "right")[0])
        places: list[int] = self._order[first:stop].tolist()
        return any(self._texts[at] == text for at in places)


def among(some: Sequence[str], texts: Texts) -> list[bool]:
    """Return which of a few texts are among many, in one pass over these, without hashing.

    >>> among(["ava", "av"], Texts.of(["emma", "ava"]))
    [True, False]
    """
    if isinstance(texts, Decoded) and texts.hashes is not None:
        return _among_stored(Texts.of(some), texts)
    sought = [f"\n{text}\n".encode("utf-8", "surrogatepass") for text in some]
    found = [False] * len(sought)
    for block in texts.blocks():
        data = b"\n" + block.data.tobytes()
        found = [is_there or _has(block, data, line) for is_there, line in zip(found, sought)]
    return found


def _among_stored(some: Texts, texts: Decoded) -> list[bool]:
    """Return which texts are among stored ones: those of equal hashes are decoded and compared."""
    own = stored_hashes(some)
    found = [False] * len(some)
    for first, hashes in texts.hashed():
        _, places = np.unique(np.where(np.isin(hashes, own), hashes, 0), return_index=True)
        there = {texts[first + int(at)] for at in places if hashes[at] in own}
        found = [is_there or text in there for is_there, text in zip(found, some)]
    return found


def _has(texts: Texts, data: bytes, line: bytes) -> bool:
    """Return whether `line`, a text between line feeds, is one of `texts`.

    Texts may contain line feeds: a match counts only where it has the bounds of a text.
    """
    place = data.find(line)
    while place >= 0:
        at = int(np.searchsorted(texts.starts, place))
        if texts.starts[at] == place and texts.starts[at + 1] == place + len(line) - 1:
            return True
        place = data.find(line, place + 1)
    return False


def _by_hash(texts: Texts, seed: int) -> tuple[Ints, NDArray[np.bool_]] | None:
    """Sort texts by a hash; return their order, and whether each equals the one before it.

    None: two different texts have the same hash, so another seed must be tried. That is rare.
    """
    hashes = _hashes(texts, seed)
    order: Ints = np.argsort(hashes, kind="stable").astype(np.int32)
    same = hashes[order[1:]] == hashes[order[:-1]]
    del hashes
    equal = _are_equal(texts.take(order[:-1][same]), texts.take(order[1:][same]))
    return (order, same) if equal else None


def _hashes(texts: Texts, seed: int) -> Hashes:
    """Return a hash of each text: the sum of random_B[byte] * prime^(index + 1), modulo 2^64."""
    random_B = np.random.RandomState(seed).randint(0, 2**64, 256, dtype=np.uint64)
    parts: list[Hashes] = [np.zeros(0, np.uint64)]
    for block in texts.blocks():
        starts = block.starts
        sizes = np.diff(starts)
        powers = np.cumprod(np.full(int(sizes.max()), _PRIME))
        places = np.arange(int(starts[-1])) - np.repeat(starts[:-1], sizes)
        parts.append(np.add.reduceat(random_B[block.buffer] * powers[places], starts[:-1]))
    return np.concatenate(parts)


def _are_equal(some: Texts, others: Texts) -> bool:
    """Return whether two sequences of texts are equal, byte for byte."""
    first = 0
    for block in some.blocks():
        its = others[first : first + len(block)]
        if not np.array_equal(its.sizes, block.sizes):
            return False
        if not np.array_equal(its.buffer, block.buffer):
            return False
        first += len(block)
    return True
