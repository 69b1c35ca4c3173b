"""`microgpt score` as a process: reading an endless pipe, beside others, interrupted."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from microgpt.runs.run import Run

MICROGPT = [sys.executable, "-m", "microgpt"]


@pytest.fixture
def piped(model: Run) -> Iterator[subprocess.Popen[bytes]]:
    """A scoring process that reads a pipe."""
    # One process: whether others are begun depends on how long a line takes.
    words = [*MICROGPT, "score", str(model.folder), "-", "--format", "jsonl", "--threads", "1"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        yield process
        process.kill()


def streams(process: subprocess.Popen[bytes]) -> tuple[Any, Any, Any]:
    return process.stdin, process.stdout, process.stderr


def test_what_comes_through_a_pipe_is_told_of_before_more_comes(
    piped: subprocess.Popen[bytes],
) -> None:
    source, out, said = streams(piped)
    for text in ("anna", "bob"):
        source.write(f"{text}\n".encode())
        source.flush()
        assert json.loads(out.readline())["text"] == text
    piped.send_signal(signal.SIGINT)
    assert piped.wait(120) == 130
    assert out.read() == b""
    assert b"Traceback" not in said.read()


@pytest.mark.slow
def test_memory_does_not_grow_with_what_has_been_read(piped: subprocess.Popen[bytes]) -> None:
    source, out, _ = streams(piped)
    status = Path(f"/proc/{piped.pid}/status")
    if not status.exists():
        pytest.skip("no /proc on this system")

    def kilobytes() -> int:
        line = next(line for line in status.read_text().splitlines() if "VmHWM" in line)
        return int(line.split()[1])

    def through(lines: int) -> None:
        for _ in range(lines // 100):
            source.write(b"anna\n" * 100)
            source.flush()
            for _ in range(100):
                out.readline()

    through(2_000)
    before = kilobytes()
    through(20_000)
    assert kilobytes() - before < 4_000


@pytest.mark.slow
def test_an_interrupted_run_of_several_processes_leaves_whole_lines_and_nobody(
    model: Run, tmp_path: Path
) -> None:
    words = [*MICROGPT, "score", str(model.folder), "-", "--format", "csv", "--threads", "2"]
    with (tmp_path / "out.csv").open("wb") as out:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE, start_new_session=True
        )
        source, _, said = streams(process)

        def feed() -> None:
            with contextlib.suppress(BrokenPipeError):
                while True:
                    source.write(b"annabel\n" * 10_000)

        feeding = threading.Thread(target=feed)
        feeding.start()
        while not (tmp_path / "out.csv").stat().st_size:
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(120) == 130
        # It ends when the last process that can write to it has.
        assert b"Traceback" not in said.read()
        feeding.join()
        said.close()
        with contextlib.suppress(BrokenPipeError):
            source.close()
    assert (tmp_path / "out.csv").read_bytes().endswith(b"\n")
