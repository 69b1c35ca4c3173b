"""The values that were used last, by key: what the studio keeps in memory between questions.

In: keys and values. Out: the same, as long as not too many others were used since.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most so many values; the least recently used go first. Threads may share it.

    Args:
        most: how many values.

    >>> recent = Recent[str, int](2)
    >>> recent.put("a", 1), recent.put("b", 2), recent.get("a"), recent.put("c", 3)
    ([], [], 1, [2])
    >>> recent.get("b"), recent.share("a", 5)
    (None, 1)
    """

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value of a key, which is now the last one used; None: it has none."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: K, value: V) -> list[V]:
        """Set the value of a key; return the values that are kept no more."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            over = len(self._values) - self._most
            return [self._values.popitem(last=False)[1] for _ in range(over)]

    def share(self, key: K, value: V) -> V:
        """Return the value of a key; one that has none gets this one, which all then share."""
        with self._lock:
            kept = self._values.setdefault(key, value)
        self.put(key, kept)
        return kept
