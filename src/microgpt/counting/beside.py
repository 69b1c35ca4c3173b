"""Work in a second thread: numpy and `lzma` release Python's global lock while they compute.

In: a function. Out: another one that waits for its result.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def beside(work: Callable[[], T]) -> Callable[[], T]:
    """Run a function in a thread; return a function that waits for its result, or its exception.

    If the result is never asked for, the program does not wait for the thread at its end.

    >>> answer = beside(lambda: sum(range(10)))
    >>> answer()
    45
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # raised again where the result is asked for
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result
