"""Each operation of the native engine by itself, in C++: `native/checks.cpp`, for every build."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from microgpt.engines import why_not_native
from tests.conftest import REQUIRED

if why_not_native() and "native" not in REQUIRED:
    pytest.skip(f"no native engine: {why_not_native()}", allow_module_level=True)

from microgpt.engines.native import BUILDS

ROOT = Path(__file__).resolve().parents[1]
CHECKS = ROOT / "tests" / "native" / "checks.cpp"


@pytest.fixture(scope="module", params=BUILDS)
def checks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled for one kind of processor with the flags of the build."""
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    if shutil.which(compiler[0]) is None and "native" not in REQUIRED:
        pytest.skip("no C++ compiler")
    (flags,) = re.findall(r"set\(flags (.*?)\)", (ROOT / "CMakeLists.txt").read_text(), re.DOTALL)
    program = tmp_path_factory.mktemp("checks") / "checks"
    build = request.param
    words = [*compiler, "-std=c++20", *flags.split(), f"-DMICROGPT_BUILD={build}", "-pthread"]
    words += [] if build == "portable" else [f"-march=x86-64-{build}"]
    sources = [CHECKS, ROOT / "native" / "buffer.cpp", ROOT / "native" / "pool.cpp"]
    words += [f"-I{ROOT / 'native'}", *map(str, sources), "-o", str(program)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return program


@pytest.mark.slow
def test_the_way_back_is_the_slope_of_the_way_there_and_steps_allocate_nothing(
    checks: Path,
) -> None:
    done = subprocess.run([checks], capture_output=True, text=True, check=False)
    failed = [line for line in done.stdout.splitlines() if line.startswith("NO")]
    assert not failed, "\n".join(failed)
    assert done.returncode == 0
    for name in (
        "rmsnorm",
        "linear",
        "embed",
        "relu",
        "turned heads",
        "normed heads",
        "causal attention",
        "-log p",
        "exp",
        "alloc",
    ):
        assert f"   {name}" in done.stdout
