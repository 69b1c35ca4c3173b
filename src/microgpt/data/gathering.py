"""Texts that come in parts, gathered into one sequence.

In: texts, some at a time. Out: `Texts`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from microgpt.data.texts import Texts


class Gathering:
    """Collects texts that come in blocks."""

    def __init__(self) -> None:
        self._data, self._starts, self.texts = bytearray(), [np.zeros(1, np.int64)], 0

    def add(self, texts: Iterable[str]) -> None:
        """Add some."""
        some = Texts.of(texts)
        self._starts.append(some.starts[1:] + len(self._data))
        self._data += some.data
        self.texts += len(some)

    def done(self) -> Texts:
        """Return all of them; nothing can be added any more."""
        starts, self._starts = np.concatenate(self._starts), []
        return Texts(np.frombuffer(self._data, dtype=np.uint8), starts)
