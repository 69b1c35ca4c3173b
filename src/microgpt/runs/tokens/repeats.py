"""Documents that repeat an earlier one, counted by their hashes in bounded memory.

In: the hashes of very many documents, in a file. Out: how many repeat an earlier one, and which
hash occurs most often. It is exact unless two different documents have the same 64 bits: among a
hundred million documents that happens with a chance of 1 in 3,700.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from microgpt.data.decoded import Hashes

# Hashes that are sorted at once, about; and those that are read at once.
_SORTED = 1 << 23
_READ = 1 << 20


class Repeats(NamedTuple):
    """How documents repeat.

    Attributes:
        documents: how many repeat an earlier one.
        times: how often the most frequent one occurs.
        place: the index of the first of these.
    """

    documents: int
    times: int
    place: int


def repeats(hashes: Hashes) -> Repeats:
    """Count them; of several that occur equally often, that of the least hash is named.

    >>> repeats(np.array([7, 5, 7, 9, 5, 7], dtype=np.uint64))
    Repeats(documents=3, times=3, place=0)
    """
    parts = 1 << max(0, (len(hashes) // _SORTED).bit_length())
    distinct, best = 0, (0, 0)
    for part in range(parts):
        # By the lowest bits: the highest ones decide what is held out.
        its = np.concatenate([np.zeros(0, np.uint64), *(
            some[some & np.uint64(parts - 1) == part] for some in _pieces(hashes)
        )])  # fmt: skip
        if not len(its):
            continue
        its.sort()
        firsts = np.flatnonzero(np.concatenate([[True], its[1:] != its[:-1]]))
        times = np.diff(firsts, append=len(its))
        most = int(times.argmax())
        best = max(best, (int(times[most]), -int(its[firsts[most]])))
        distinct += len(firsts)
    times, least = best
    return Repeats(len(hashes) - distinct, times, _first(hashes, -least) if times else 0)


def _pieces(hashes: Hashes) -> list[Hashes]:
    return [hashes[first : first + _READ] for first in range(0, len(hashes), _READ)]


def _first(hashes: Hashes, wanted: int) -> int:
    for number, some in enumerate(_pieces(hashes)):
        places = np.flatnonzero(some == np.uint64(wanted))
        if len(places):
            return number * _READ + int(places[0])
    return 0
