"""What Ctrl-C does to a command that has something to save."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interruption(stop: Callable[[], None], when: str) -> Generator[list[bool]]:
    """Let the first Ctrl-C stop and save, and the second one end at once.

    Args:
        stop: asks for the stop.
        when: the end will be, for people.

    Yields:
        Whether it was asked for, as a list of one.
    """
    asked = [False]

    def on_signal(*_: Any) -> None:
        asked[0] = True
        stop()
        for number in before:
            signal.signal(number, signal.default_int_handler)
        print(f"Stopping {when}. Ctrl-C again ends at once.", file=sys.stderr)

    # A closed window and a polite kill are interruptions too.
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # What nohup has a program ignore stays ignored.
    numbers = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
