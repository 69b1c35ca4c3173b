"""Trackers as a training sees them: processes that it tells how far its checkpoints are.

In: a run's folder, names of trackers, how many lines of the log a checkpoint covers. Out: at the
end a sentence for each tracker that has not got all of it. Telling never waits, and no error of a
tracker or its process is raised.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from microgpt import schema
from microgpt.runs.tracking import FOLDER, TRACKERS, is_installed, record
from microgpt.runs.tracking.contract import Status
from microgpt.runs.tracking.following import LIMIT
from microgpt.wording import path_word, printable

FAILED_LIMIT = 5.0
"""The most seconds to wait for trackers after an error."""

_SOON = 1.0

# Isolated, so that no file in the current folder stands in for a module; then as in this program.
_BEGIN = (
    "import json, sys; name, module, folder, path = sys.argv[1:]; sys.path[:] = json.loads(path); "
    "from microgpt.runs.tracking.following import main; main(name, module, folder)"
)


class TrackerProcess:
    """A tracker in a process of its own.

    Args:
        name: the tracker's.
        folder: the run's.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self._folder = name, folder
        self._process: subprocess.Popen[bytes] | None = None
        self._why = ""
        try:
            self._begin()
        except (OSError, ValueError) as error:
            self._why = str(error)

    def _begin(self) -> None:
        """Start the process; the record comes first, so that a resumed run is tracked again."""
        if not is_installed(self.name):
            self._why = f"{TRACKERS[self.name][1]} is not installed"
            return
        if not (self._folder / FOLDER / f"{self.name}.json").exists():
            record.write(self.name, record.read(self._folder, self.name))
        words = (self.name, TRACKERS[self.name][0], str(self._folder), json.dumps(sys.path))
        self._process = process = subprocess.Popen(
            [sys.executable, "-I", "-c", _BEGIN, *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the training
        )
        assert process.stdin
        # A process that does not read must not stop the training; every number replaces the last.
        _unblock(process.stdin)

    def tell(self, words: str) -> None:
        """Write a line to the process, if it reads."""
        if self._process and self._process.stdin:
            with suppress(OSError):
                os.write(self._process.stdin.fileno(), f"{words}\n".encode())

    def wait(self, seconds: float) -> bool:
        """Wait for the process to end; return whether it has."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> str | None:
        """End the process, if it has not ended; return why the tracker has not got all of it."""
        process, self._process = self._process, None
        if process is None:
            return self._why
        is_late = process.poll() is None
        if is_late:
            self._kill(process)
        self._why = self._answer(process, is_late=is_late)
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()
        return self._why or None

    def _answer(self, process: subprocess.Popen[bytes], *, is_late: bool) -> str:
        """Return what a process that has ended said of failures; "": there were none."""
        assert process.stdout
        with suppress(OSError, schema.Foreign):
            _unblock(process.stdout)  # a process that its library has left may hold it open
            answer = os.read(process.stdout.fileno(), 1 << 16)
            return schema.convert(str, schema.parse(answer))
        if is_late:
            return "it did not answer in time"
        code = process.returncode
        ended = f"by signal {-code}" if code < 0 else f"with exit code {code}"
        return f"its process ended {ended}"

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        """Kill the process, and those that the tracker's library has started."""
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()


class Tracking:
    """The trackers of a training.

    Args:
        folder: the run's.
        names: of trackers.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._folder, self._told = folder, -1
        self._processes = [TrackerProcess(name, folder) for name in names]

    def tell(self, lines: int) -> None:
        """Say how many lines of the log the newest checkpoint covers."""
        if lines != self._told:
            self._told = lines
            for one in self._processes:
                one.tell(str(lines))

    def finish(self, status: Status, waiting: Callable[[str], None] | None = None) -> list[str]:
        """Wait for the trackers, `LIMIT` seconds at most; Ctrl-C ends that, and raises nothing.

        After an error the wait is short: whoever has started the training may end it soon.

        Args:
            status: how the training ended.
            waiting: called with a sentence if they take longer than a second.

        Returns:
            A sentence for each tracker that has not got all of it.
        """
        processes, self._processes = self._processes, []
        began, limit = time.monotonic(), FAILED_LIMIT if status == "failed" else LIMIT
        for one in processes:
            one.tell(f"end {status}")
        try:
            slow = [one for one in processes if not one.wait(_left(began, _SOON))]
            if slow and waiting:
                names = ", ".join(one.name for one in slow)
                waiting(f"Waiting for {names}, {limit:.0f} seconds at most. Ctrl-C ends that.")
            for one in slow:
                one.wait(_left(began, limit))
        except KeyboardInterrupt:
            pass
        outcomes = [(one.name, one.close()) for one in processes]
        return [self._sentence(name, why) for name, why in outcomes if why]

    def close(self) -> None:
        """End the processes at once."""
        processes, self._processes = self._processes, []
        for one in processes:
            one.close()

    def _sentence(self, name: str, why: str) -> str:
        step = record.step_of(self._folder, name)
        why = " ".join(why.split())
        return printable(
            f"{name} has the run up to step {step:,} ({why[:200].rstrip('.')}). The run itself is "
            f"whole. Send the rest with: microgpt train --resume {path_word(str(self._folder))}"
        )


def _unblock(stream: IO[bytes]) -> None:
    """Let reading from a pipe, or writing to it, fail rather than wait, where the system can."""
    with suppress(OSError, AttributeError):
        os.set_blocking(stream.fileno(), False)


def _left(began: float, seconds: float) -> float:
    return max(0.0, began + seconds - time.monotonic())
