"""Programs in C++ for tests, compiled with the flags of the native engine's build."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REQUIRED

ROOT = Path(__file__).resolve().parents[1]
NATIVE = ROOT / "native"
PROGRAMS = ROOT / "tests" / "native"
# The whole engine but what knows Python.
SOURCES = [
    NATIVE / f"{name}.cpp"
    for name in ("build", "buffer", "pool", "prefixes", "processor", "rows", "shared", "spans")
]


def compiled(
    folder: Path, sources: list[Path], build: str, *options: str, compiler: str = ""
) -> Path:
    """Compile a program for one kind of processor, warnings as errors; skip without a compiler."""
    words = shlex.split(compiler or os.environ.get("CXX", "c++"))
    if shutil.which(words[0]) is None and "native" not in REQUIRED:
        pytest.skip("no C++ compiler")
    (flags,) = re.findall(r"set\(flags (.*?)\)", (ROOT / "CMakeLists.txt").read_text(), re.DOTALL)
    program = folder / sources[0].stem
    words += ["-std=c++20", *flags.split(), "-Werror", f"-DMICROGPT_BUILD={build}"]
    words += [] if build == "portable" else [f"-march=x86-64-{build}"]
    words += ["-pthread", f"-I{NATIVE}", *options, *map(str, sources), "-o", str(program)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program
