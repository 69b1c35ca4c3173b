"""Interruption by a signal of work that saves before it stops.

In: signals, a function that stops the work. Out: whether one of the signals came.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager


@contextmanager
def interruptible(stop: Callable[[], None], numbers: Iterable[int]) -> Generator[list[bool]]:
    """Let the first signal stop the work, which then saves; a second one ends it at once.

    But for SIGTERM, which changes nothing when it comes again.

    Args:
        stop: asks the work to stop.
        numbers: of the signals; empty: no handler is installed.

    Yields:
        A list that is empty until the first signal.
    """
    asked: list[bool] = []

    def on_signal(*_: object) -> None:
        if asked:
            return
        asked.append(True)
        # A queue and a launcher may both send SIGTERM: that is one request.
        for number in set(before) - {signal.SIGTERM}:
            signal.signal(number, signal.default_int_handler)
        stop()

    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
