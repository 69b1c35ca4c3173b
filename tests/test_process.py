"""Benchmarks of whole processes: all of a process is counted, and limits hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="there is no wait4 here")

# A process whose child holds 80 MB, uses a tenth of a second and stays for a moment.
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", '''
import time
held = bytearray(80_000_000)
while time.process_time() < 0.1: pass
time.sleep(0.2)
'''], check=True)
"""


@pytest.fixture
def process() -> ModuleType:
    return pytest.importorskip("process")


@pytest.mark.slow
def test_the_memory_and_time_of_a_child_count(process: ModuleType, tmp_path: Path) -> None:
    # This process holds more than the one that is measured; that must not count.
    held = bytearray(300_000_000)
    taken = process.measure((sys.executable, "-c", PARENT), tmp_path)
    assert len(held) > 0
    assert taken["outcome"] == "ended"
    assert 80 < taken["megabytes"] < 200
    assert 0.1 <= taken["processor"] < 5
    assert taken["seconds"] >= 0.3
    if sys.platform == "linux":
        assert 80 < taken["together"] < 250


@pytest.mark.skipif(sys.platform != "linux", reason="memory is watched on Linux only")
def test_a_process_that_holds_too_much_is_killed_with_its_children(
    process: ModuleType, tmp_path: Path
) -> None:
    late = tmp_path / "late"
    child = f"held = bytearray(80_000_000); import time; time.sleep(1); open({str(late)!r}, 'w')"
    words = (sys.executable, "-c", f"import subprocess, sys\n"
             f"subprocess.run([sys.executable, '-c', {child!r}])")  # fmt: skip
    taken = process.measure(words, tmp_path, gigabytes=0.04)
    assert taken["outcome"] == "over 0.04 GB"
    # Nobody is left who would write it.
    time.sleep(1.2)
    assert not late.exists()


def test_a_process_that_takes_too_long_is_killed(process: ModuleType, tmp_path: Path) -> None:
    words = (sys.executable, "-c", "import time; time.sleep(60)")
    taken = process.measure(words, tmp_path, seconds=0.2)
    assert taken["outcome"] == "over 0.2 s"
    assert 0.2 <= taken["seconds"] < 30


@pytest.mark.slow
def test_a_process_ends_with_who_asked_for_it(process: ModuleType, tmp_path: Path) -> None:
    late, there = tmp_path / "late", tmp_path / "there"
    measured = f"import time; open({str(there)!r}, 'w'); time.sleep(1); open({str(late)!r}, 'w')"
    command = [sys.executable, process.__file__, "8", "300", "0", sys.executable, "-c", measured]
    asking = f"import subprocess, time; subprocess.Popen({command!r}); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", asking], stdout=subprocess.DEVNULL) as asks:
        while not there.exists():
            time.sleep(0.01)
        asks.kill()
    time.sleep(1.2)
    assert not late.exists()


def test_an_exit_code_that_was_not_expected_is_told_with_the_last_words(
    process: ModuleType, tmp_path: Path
) -> None:
    words = (sys.executable, "-c", "import sys; sys.exit('first\\nno such thing')")
    assert process.measure(words, tmp_path)["outcome"] == "exit code 1: no such thing"
    assert process.measure(words, tmp_path, codes=(0, 1))["outcome"] == "ended"


def test_a_record_keeps_the_rows_of_others_and_what_was_before(
    process: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "record.json"
    process.keep(path, [{"size": 1, "s": 5.0}, {"size": 2, "s": 6.0}], ["size"], before=True)
    process.keep(path, [{"size": 2, "s": 7.0}], ["size"], before=True)
    process.keep(path, [{"size": 2, "s": 1.0}], ["size"], before=False)
    record = json.loads(path.read_text("utf-8"))
    assert [(row["size"], row["s"]) for row in record["before"]] == [(1, 5.0), (2, 7.0)]
    assert [(row["size"], row["s"]) for row in record["now"]] == [(2, 1.0)]
    assert {"date", "commit", "load"} < set(record["now"][0])
