"""Long work, done once for all tabs that wait for it, and stopped when none does any more.

In: a key, and a generator that yields its progress and returns a result. Out: the progress, for
each that follows; the result, which is kept for a while.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator, Hashable, Iterator
from threading import Condition, Lock, Thread
from typing import Any, Generic, TypeVar

T = TypeVar("T")

Work = Generator[int, None, T]
"""Yields how much of it is done, and returns the result."""

_SECONDS = 0.2


class _Job(Generic[T]):
    """Work that is being done, or is done."""

    def __init__(self, work: Callable[[], Work[T]]) -> None:
        self.progress, self.followers = 0, 0
        self.result: T | None = None
        self.error: BaseException | None = None
        self.is_done = self.is_unwanted = False
        self.changed = Condition()
        self._work = work

    def run(self) -> None:
        """Do the work."""
        try:
            self._do(self._work())
        except BaseException as error:  # raised again where it is waited for
            self.error = error
        with self.changed:
            self.is_done = True
            self.changed.notify_all()

    def _do(self, work: Work[T]) -> None:
        while not self.is_unwanted:
            try:
                self.progress = next(work)
            except StopIteration as end:
                self.result = end.value
                return
        work.close()


class Background(Generic[T]):
    """Work by key.

    Args:
        kept: the most results kept; the one that was asked for least recently goes first.
    """

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._jobs: OrderedDict[Hashable, _Job[T]] = OrderedDict()
        self._lock = Lock()

    def follow(self, key: Hashable, work: Callable[[], Work[T]]) -> Iterator[int]:
        """Begin the work unless it was begun; yield its progress until it is done.

        The work is stopped when nobody follows it.
        """
        yield from self._follow(self._joined(key, work), key)

    def result(self, key: Hashable, work: Callable[[], Work[T]]) -> T:
        """Return the result, and wait for it if need be."""
        job = self._joined(key, work)
        for _ in self._follow(job, key):
            pass
        result: Any = job.result
        return result

    def _joined(self, key: Hashable, work: Callable[[], Work[T]]) -> _Job[T]:
        with self._lock:
            job = self._jobs.get(key)
            if not job:
                job = self._jobs[key] = _Job(work)
                Thread(target=job.run, daemon=True).start()
            job.followers += 1
            self._jobs.move_to_end(key)
            for old in [k for k, one in self._jobs.items() if one.is_done and k != key]:
                if len(self._jobs) <= self._kept:
                    break
                del self._jobs[old]
        return job

    def _follow(self, job: _Job[T], key: Hashable) -> Iterator[int]:
        try:
            while not job.is_done:
                with job.changed:
                    job.changed.wait_for(lambda: job.is_done, _SECONDS)
                if not job.is_done:
                    yield job.progress
            if job.error:
                raise job.error
        finally:
            with self._lock:
                job.followers -= 1
                is_abandoned = not job.is_done and not job.followers
                job.is_unwanted = is_abandoned
                if (is_abandoned or job.error) and self._jobs.get(key) is job:
                    del self._jobs[key]
