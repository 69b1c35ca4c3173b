"""Work in a thread beside one's own: numpy and `lzma` compute without holding Python's lock.

In: a function. Out: another that waits for what it answers.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def beside(work: Callable[[], T]) -> Callable[[], T]:
    """Begin some work; what is returned waits for its answer, or raises what it has raised.

    Nobody has to ask: a program that ends, or is interrupted, does not wait for it.

    >>> answer = beside(lambda: sum(range(10)))
    >>> answer()
    45
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # whoever asks gets it
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result
