"""Ctrl-C in a command that saves before it stops."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

from microgpt.runs.interruption import interruptible


def interruption(stop: Callable[[], None], when: str) -> AbstractContextManager[list[bool]]:
    """Let the first Ctrl-C stop and save, and the second one end at once.

    Args:
        stop: asks the work to stop.
        when: when the work will stop, in words.

    Returns:
        A context manager of a list that is empty until the first Ctrl-C.
    """

    def stop_and_say() -> None:
        stop()
        print(f"Stopping {when}. Ctrl-C again ends at once.", file=sys.stderr)

    # A closed terminal (SIGHUP) and `kill` (SIGTERM) are interruptions too.
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # nohup ignores SIGHUP: keep ignoring it.
    numbers = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    return interruptible(stop_and_say, numbers)
