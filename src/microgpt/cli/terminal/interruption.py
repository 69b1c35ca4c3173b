"""What Ctrl-C does to a command that has something to save."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager

from microgpt.runs.interruption import interruptible


def interruption(stop: Callable[[], None], when: str) -> AbstractContextManager[list[bool]]:
    """Let the first Ctrl-C stop and save, and the second one end at once.

    Args:
        stop: asks for the stop.
        when: the end will be, for people.

    Returns:
        A context whose list is empty until the first Ctrl-C.
    """

    def stop_and_say() -> None:
        stop()
        print(f"Stopping {when}. Ctrl-C again ends at once.", file=sys.stderr)

    # A closed window and a polite kill are interruptions too.
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    # What nohup has a program ignore stays ignored.
    numbers = [number for number in numbers if signal.getsignal(number) != signal.SIG_IGN]
    return interruptible(stop_and_say, numbers)
