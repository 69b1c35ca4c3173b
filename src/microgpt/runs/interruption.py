"""What an interruption does to work that has something to save.

In: signals, and what stops the work. Out: whether one of them came.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager


@contextmanager
def interruptible(stop: Callable[[], None], numbers: Iterable[int]) -> Generator[list[bool]]:
    """Let the first signal stop the work, which then saves; the second one ends it at once.

    Args:
        stop: asks the work to stop.
        numbers: of the signals; none: nothing is changed.

    Yields:
        A list that is empty until the first signal.
    """
    asked: list[bool] = []

    def on_signal(*_: object) -> None:
        asked.append(True)
        for number in before:
            signal.signal(number, signal.default_int_handler)
        stop()

    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
