"""The native engine on 64-bit ARM: cross-compiled, and run in an emulator."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import required
from tests.native_programs import PROGRAMS, SOURCES, compiled

COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
for program in (COMPILER, EMULATOR):
    if shutil.which(program) is None:
        required("aarch64", f"there is no {program}")


@pytest.mark.slow
def test_on_arm_gradients_are_slopes_and_two_threads_make_the_updates_of_one(
    tmp_path: Path,
) -> None:
    # Without shared libraries, as the emulator knows none of that kind.
    sources = [PROGRAMS / "steps.cpp", *SOURCES]
    steps = compiled(tmp_path, sources, "portable", "-static", compiler=COMPILER)
    done = subprocess.run([EMULATOR, steps], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert done.stdout.endswith("ok\n")
