"""Seconds, processor time and memory of whole processes, and the records of them.

In: a command's words, and limits. Out: a row. A small process of its own measures: the system never
reports a child's peak memory as below its parent's. The largest process's peak is the system's
figure, over all children; the peak of all processes together is sampled twenty times a second
(Linux; elsewhere it is unknown, and memory has no limit).
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

MICROGPT = (sys.executable, "-m", "microgpt")
_LOOK_SECONDS = 0.05
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
# macOS reports bytes, other systems kilobytes.
_UNIT = 1 if sys.platform == "darwin" else 1024


class Taken(TypedDict):
    """A process's time and memory; with an outcome other than "ended", until it was killed.

    Keys:
        outcome: "ended", or why it was killed, or its exit code and last line.
        seconds: of wall time.
        processor: processor seconds, its children's included.
        megabytes: the largest process's peak.
        together: the sampled peak of all processes at once; 0 where it is unknown.
    """

    outcome: str
    seconds: float
    processor: float
    megabytes: float
    together: float


def measure(
    words: Sequence[str],
    cwd: Path,
    *,
    codes: Sequence[int] = (0,),
    gigabytes: float = 8.0,
    seconds: float = 300.0,
) -> Taken:
    """Run a process and return what it took.

    Args:
        words: the command's.
        cwd: the folder that it runs in.
        codes: the exit codes that are expected.
        gigabytes: the memory at which it and its children are killed.
        seconds: the time after which it is killed.
    """
    limits = [str(gigabytes), str(seconds), ",".join(map(str, codes))]
    command = [sys.executable, __file__, *limits, *words]
    done = subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def circumstances() -> dict[str, Any]:
    """Return when, on what and on which commit something is measured now."""
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit.strip(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        # More than there are processors: the machine was busy, and wall time says little.
        "load": round(os.getloadavg()[0], 1),
    }


def keep(path: Path, rows: Sequence[dict[str, Any]], keys: Sequence[str], *, before: bool) -> None:
    """Put rows into a record; they replace those with equal keys.

    Args:
        path: the record. It has two measurements: "before" a change, and "now".
        rows: what was measured.
        keys: the names of the columns that identify a row.
        before: which of the two measurements they belong to.
    """
    record = json.loads(path.read_text("utf-8")) if path.exists() else {}
    part = "before" if before else "now"
    how = circumstances()
    known = (*record.get(part, ()), *({**row, **how} for row in rows))
    record[part] = list({tuple(row[key] for key in keys): row for row in known}.values())
    path.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


def _main() -> None:
    """Run the words that follow the limits, and print what they took."""
    gigabytes, most = float(sys.argv[1]), float(sys.argv[2])
    codes = [int(code) for code in sys.argv[3].split(",")]
    parent = os.getppid()
    # Not a pipe, which would fill up: it is read only at the end.
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = subprocess.Popen(
            sys.argv[4:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
            start_new_session=True,
        )  # fmt: skip
        together, outcome, pid = 0, "", 0
        try:
            while not outcome:
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                together = max(together, _resident(process.pid))
                if together > gigabytes * 1e9:
                    outcome = f"over {gigabytes:g} GB"
                elif time.perf_counter() - began > most:
                    outcome = f"over {most:g} s"
                elif os.getppid() != parent:
                    outcome = "nobody asks for it any more"
                else:
                    # Short processes are sampled more often: their time would be rounded up.
                    time.sleep(min(_LOOK_SECONDS, 0.002 + (time.perf_counter() - began) / 100))
        finally:
            if not pid:
                os.killpg(process.pid, signal.SIGKILL)
                _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        code = os.waitstatus_to_exitcode(status)
        said.seek(0)
        last = said.read().decode("utf-8", "replace").strip().split("\n")[-1]
    taken: Taken = {
        "outcome": outcome or ("ended" if code in codes else f"exit code {code}: {last}"),
        "seconds": round(seconds, 4),
        "processor": round(usage.ru_utime + usage.ru_stime, 4),
        "megabytes": round(usage.ru_maxrss * _UNIT / 1e6, 1),
        "together": round(together / 1e6, 1),
    }
    print(json.dumps(taken))


def _resident(session: int) -> int:
    """Return the memory of a session's processes, in bytes; 0 where it is unknown."""
    total = 0
    for path in Path("/proc").glob("[0-9]*/stat") if sys.platform == "linux" else ():
        try:
            # After the program's name, in brackets: state, parent, group, session, ...
            fields = path.read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue  # it has ended
        total += int(fields[21]) * _PAGE if int(fields[3]) == session else 0
    return total


if __name__ == "__main__":
    _main()
