"""The process beside a training that a tracker runs in.

In: on standard input, how many lines of the log the newest checkpoint covers, a number a line; at
the end "end" and how the training ended. Out: the tracker has these lines, the record says which;
on standard output, JSON: what failed, or "". What the tracker's library prints goes nowhere; its
signal handlers and exit hooks are this process's alone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import BinaryIO, get_args

from microgpt import schema
from microgpt.runs.folder import claimed
from microgpt.runs.tracking import FOLDER, record
from microgpt.runs.tracking.contract import Status, Tracked, Tracker
from microgpt.runs.tracking.tail import LogTail

LIMIT = 30.0
"""The most seconds that a tracker may take after the training has ended."""

PAUSE = 10.0
"""Seconds after a failure in which the tracker is not tried again."""


class Told:
    """What the training has said so far: a thread reads it, so that it never waits for anyone.

    Args:
        source: its lines.
        at_end: called when the training has ended, or its process.
    """

    def __init__(self, source: Iterable[bytes], at_end: Callable[[], None]) -> None:
        self._changed, self._lines = threading.Condition(), -1
        self._status: Status | None = None
        self._source, self._at_end = source, at_end
        threading.Thread(target=self._read, daemon=True).start()

    def after(self, lines: int) -> tuple[int, Status | None]:
        """Wait until more lines are covered, or the training has ended; return both."""
        with self._changed:
            self._changed.wait_for(lambda: self._status or self._lines > lines)
            return max(self._lines, 0), self._status

    def _read(self) -> None:
        status: Status = "failed"  # unless it says how it ended: a process that was killed
        with suppress(OSError, ValueError):
            for words in map(bytes.split, self._source):
                if words[0] == b"end":
                    status = next(its for its in get_args(Status) if its == words[1].decode())
                    break
                with self._changed:
                    self._lines = int(words[0])
                    self._changed.notify()
        self._at_end()
        with self._changed:
            self._status = status
            self._changed.notify()


def follow(
    folder: Path, name: str, open_tracker: Callable[[Tracked], Tracker], told: Told
) -> Exception | None:
    """Let a tracker follow a run until its training has ended; return why it has not all of it.

    After an error it is opened again, as if the run were resumed: after `PAUSE` seconds, when the
    next checkpoint is written, and once more at the end.
    """
    opened: tuple[Tracked, Tracker, LogTail] | None = None
    failed, waits_until, lines = None, 0.0, -1
    status = None
    while status is None:
        lines, status = told.after(lines)
        if status is None and time.monotonic() < waits_until:
            continue
        failed = None
        try:
            opened = opened or _open(folder, name, open_tracker)
            tracked, tracker, tail = opened
            # An interrupted training has no evaluation of its last step yet.
            for points in tail.take(lines, ended=status == "finished"):
                tracker.send(points)
                tracked.step = points[-1].step
                if tracker.is_lasting:
                    record.write(name, tracked)
            if status:
                tracker.close(status)
                record.write(name, tracked)
        except Exception as error:  # of any library
            failed, opened = error, None
            waits_until = time.monotonic() + PAUSE
    return failed


def _open(
    folder: Path, name: str, open_tracker: Callable[[Tracked], Tracker]
) -> tuple[Tracked, Tracker, LogTail]:
    tracked = record.read(folder, name)
    record.write(name, tracked)  # its id is known before the tracker uses it
    tracker = open_tracker(tracked)
    tracked.step = tracker.step
    record.write(name, tracked)
    return tracked, tracker, LogTail(folder, tracked.step)


def main(name: str, module: str, folder: str) -> None:
    """Follow a run in this process.

    Args:
        name: the tracker's.
        module: that has its `open_tracker`.
        folder: the run's.
    """
    answer, nowhere = os.dup(1), os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    with suppress(OSError, AttributeError):
        os.nice(10)  # the training first
    source: BinaryIO = sys.stdin.buffer
    told = Told(iter(source.readline, b""), _end_in_time)
    failed = None
    try:
        # A tracker may not have done yet with what was sent before the training was killed.
        with claimed(Path(folder, FOLDER), "tracker", name=f".{name}.lock", seconds=LIMIT):
            open_tracker = import_module(module).open_tracker
            failed = follow(Path(folder), name, open_tracker, told)
    except Exception as error:
        failed = error
    why = "" if failed is None else f"{type(failed).__name__}: {failed}"[:1000]
    os.write(answer, schema.encode(why))


def _end_in_time() -> None:
    """End this process and those of its library, whatever they wait for."""

    def end() -> None:
        if hasattr(os, "killpg"):
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    timer = threading.Timer(LIMIT, end)
    timer.daemon = True
    timer.start()
