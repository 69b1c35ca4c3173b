"""Programs for tests: in C++, compiled with the flags of the native engine's build; in Python,
which report the memory that the engine takes.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
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


def megabytes(before: str, work: str) -> float:
    """Return by how much some work raises the peak memory of a process of its own."""
    code = (
        "import resource, sys; import numpy as np\n"
        "from microgpt.config import GPTConfig\n"
        "from microgpt.data.batch import Batches, lay_out\n"
        "from microgpt.data.plan import Plan\n"
        "from tests.native_engines import native\n"
        "def peak():\n"
        "    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    return most / 2**20 if sys.platform == 'darwin' else most / 2**10\n"
        f"{before}\n"
        "before = peak()\n"
        f"{work}\n"
        "print(peak() - before)"
    )
    path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    return float(done.stdout)
