"""The texts that contain some characters, of very many, quickly.

In: `Texts`, and what to look for. Out: which of them contain it. There is no loop over texts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from microgpt.data.texts import Buffer, Texts


def containing(texts: Texts, wanted: str) -> NDArray[np.bool_]:
    """Return which texts contain some characters; a-z and A-Z count as the same.

    >>> containing(Texts.of(["Emma", "ava", "mme"]), "mm").tolist()
    [True, False, True]
    """
    letters = wanted.encode("utf-8", "surrogatepass")
    if not letters:
        return np.full(len(texts), True)
    parts = [_containing(block, letters) for block in texts.blocks()]
    return np.concatenate([np.zeros(0, np.bool_), *parts])


def _containing(block: Texts, letters: bytes) -> NDArray[np.bool_]:
    """Return which texts of a packed block contain some bytes."""
    buffer, found = block.buffer, np.zeros(len(block), np.bool_)
    last = len(buffer) - len(letters) + 1
    if last <= 0:
        return found
    # Where the first byte stands; of these places, where the second stands behind it, and so on.
    at = np.flatnonzero(_is(buffer[:last], letters[0]))
    for i, byte in enumerate(letters[1:], start=1):
        at = at[_is(buffer[at + i], byte)]
    starts = block.starts
    which = np.searchsorted(starts, at, side="right") - 1
    # The line feed behind a text is none of its characters.
    found[which[at + len(letters) < starts[which + 1]]] = True
    return found


def _is(buffer: Buffer, byte: int) -> NDArray[np.bool_]:
    """Return which bytes are this one, or the same letter."""
    letter = bytes([byte])
    if letter.isalpha():
        return (buffer | 0x20) == byte | 0x20
    return buffer == byte
