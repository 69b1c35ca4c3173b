"""Ordinary runs that the page begins: `microgpt train` in a process of its own.

In: the words after `microgpt`. Out: the name of the run. The process has a session of its own, and
writes to nothing that ends with the server: neither closing the page nor killing the server stops
it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from microgpt.errors import MicroGPTError
from microgpt.runs.checkpoint import CONFIG
from microgpt.runs.folder import numbered

_BEGIN_SECONDS = 60.0
_LOOK_SECONDS = 0.02

_started: list[subprocess.Popen[bytes]] = []


def start(arguments: list[str], name: str, folder: Path) -> str:
    """Start a training; return its run's name once the run is there.

    Args:
        arguments: of the command line: "train", and what follows but the folder.
        name: the run is the first free of NAME-1, NAME-2, ...
        folder: that holds runs.

    Raises:
        MicroGPTError: it ended before it began; the message is its own.
    """
    _started[:] = [process for process in _started if process.poll() is None]
    out = numbered(folder, name)
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "microgpt", *arguments, "--out", str(out)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        _started.append(process)  # so that it is waited for when it has ended
        ends = time.monotonic() + _BEGIN_SECONDS
        while not (out / CONFIG).exists() and time.monotonic() < ends:
            if process.poll():
                said.seek(0)
                lines = said.read().decode("utf-8", "replace").strip().splitlines()
                with suppress(OSError):  # empty, unless somebody else has found it meanwhile
                    out.rmdir()
                why = lines[-1].removeprefix("microgpt: ") if lines else "it said nothing."
                raise MicroGPTError(f"The training did not begin: {why}")
            time.sleep(_LOOK_SECONDS)
    return out.name
