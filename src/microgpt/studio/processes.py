"""Ordinary runs that the page begins: `microgpt train` in a process of its own.

In: the words after `microgpt`. Out: the name of the run. The process has a session of its own, and
writes to nothing that ends with the server: neither closing the page nor killing the server stops
it.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from microgpt.errors import MicroGPTError
from microgpt.runs.checkpoint import CONFIG
from microgpt.runs.folder import numbered
from microgpt.runs.log import LOG

_BEGIN_SECONDS = 60.0
_RESUME_SECONDS = 10.0
_LOOK_SECONDS = 0.02

_started: dict[Path, subprocess.Popen[bytes]] = {}


def start(arguments: list[str], name: str, folder: Path) -> str:
    """Start a training; return its run's name once the run is there.

    Args:
        arguments: of the command line: "train", and what follows but the folder.
        name: the run is the first free of NAME-1, NAME-2, ...
        folder: that holds runs.

    Raises:
        MicroGPTError: it ended before it began; the message is its own.
    """
    out = numbered(folder, name)
    words = [*arguments, "--out", str(out)]
    try:
        _begin(words, out, _BEGIN_SECONDS, lambda: (out / CONFIG).exists())
    except MicroGPTError:
        with suppress(OSError):  # empty, unless somebody else has found it meanwhile
            out.rmdir()
        raise
    return out.name


def resume(folder: Path) -> None:
    """Continue the training of a run that was stopped; return once its log grows.

    Raises:
        MicroGPTError: it ended at once; the message is its own.
    """
    before = _changed(folder)
    words = ["train", "--resume", str(folder)]
    _begin(words, folder, _RESUME_SECONDS, lambda: _changed(folder) != before)


def stop(folder: Path) -> None:
    """Interrupt a training that this studio began: it saves itself and ends.

    Raises:
        MicroGPTError: it was begun elsewhere, or has ended.
    """
    process = _started.get(folder.resolve())
    if process is None or process.poll() is not None:
        raise MicroGPTError(
            f"{folder.name}: not a training that this studio began, or it has ended. "
            "Press Ctrl-C where it was started."
        )
    process.send_signal(signal.SIGINT)


def _changed(folder: Path) -> int:
    """Return when the log of a run was last written to; 0: it has none."""
    try:
        return (folder / LOG).stat().st_mtime_ns
    except OSError:
        return 0


def _begin(arguments: list[str], out: Path, seconds: float, is_there: Callable[[], bool]) -> None:
    """Start a process; wait until something is there, it has ended, or the seconds are over."""
    for path, process in list(_started.items()):
        if process.poll() is not None:  # it is waited for, so that no zombie is left
            del _started[path]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "microgpt", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        _started[out.resolve()] = process
        ends = time.monotonic() + seconds
        while process.poll() is None and not is_there() and time.monotonic() < ends:
            time.sleep(_LOOK_SECONDS)
        if process.poll():
            said.seek(0)
            lines = said.read().decode("utf-8", "replace").strip().splitlines()
            why = lines[-1].removeprefix("microgpt: ") if lines else "it said nothing."
            raise MicroGPTError(f"The training did not begin: {why}")
