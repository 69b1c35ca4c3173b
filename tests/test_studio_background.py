"""Long work of the studio: once for all, stopped when nobody waits, kept for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from typing import Any

import pytest

from microgpt.errors import DataError
from microgpt.studio.background import Background

from .studios import until


class Slow:
    """Work that goes on when it is let."""

    def __init__(self, steps: int = 3, error: Exception | None = None) -> None:
        self.begun, self.ended, self.closed = 0, 0, 0
        self._steps, self._error = steps, error
        self.go = threading.Semaphore(0)

    def __call__(self) -> Generator[int, None, str]:
        self.begun += 1
        try:
            for step in range(1, self._steps + 1):
                while not self.go.acquire(timeout=0.01):
                    yield step - 1
                yield step
            if self._error:
                raise self._error
        except GeneratorExit:
            self.closed += 1
            raise
        self.ended += 1
        return f"done {self.begun}"


def test_work_is_done_once_for_all_who_wait() -> None:
    background, slow = Background[str](2), Slow()
    found: list[str] = []
    waiting = [
        threading.Thread(target=lambda: found.append(background.result("a", slow)))
        for _ in range(8)
    ]
    for one in waiting:
        one.start()
    progress = background.follow("a", slow)
    assert next(progress) == 0
    slow.go.release(2)
    while next(progress) != 2:
        pass
    slow.go.release()
    assert [*progress][-1:] in ([], [2], [3])
    for one in waiting:
        one.join(10)
    assert found == ["done 1"] * 8
    assert background.result("a", slow) == "done 1"
    assert (slow.begun, slow.ended) == (1, 1)


def test_work_that_nobody_waits_for_stops_and_may_begin_again() -> None:
    background, slow = Background[str](2), Slow()
    first, second = background.follow("a", slow), background.follow("a", slow)
    next(first)
    next(second)
    _close(first)
    time.sleep(0.05)
    assert slow.closed == 0
    _close(second)
    until(lambda: slow.closed == 1)
    slow.go.release(3)
    assert background.result("a", slow) == "done 2"


def _close(iterator: Any) -> None:
    iterator.close()


def test_an_error_reaches_all_and_the_next_one_tries_again() -> None:
    background = Background[str](2)
    slow = Slow(1, DataError("x.txt: gone."))
    slow.go.release(1)
    with pytest.raises(DataError, match="gone"):
        background.result("a", slow)
    slow.go.release(1)
    with pytest.raises(DataError, match="gone"):
        list(background.follow("a", slow))
    assert slow.begun == 2


def test_few_results_are_kept_and_the_oldest_goes_first() -> None:
    background, works = Background[str](2), {key: Slow(0) for key in "abc"}
    for key in "abac":
        background.result(key, works[key])
    assert [works[key].begun for key in "abc"] == [1, 1, 1]
    background.result("a", works["a"])
    assert works["a"].begun == 1
    background.result("b", works["b"])
    assert works["b"].begun == 2
