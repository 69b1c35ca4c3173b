"""Each operation of the native engine by itself, in C++, for every build."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from microgpt.engines import why_not_native
from tests.conftest import REQUIRED
from tests.native_programs import NATIVE, PROGRAMS, ROOT, compiled

if why_not_native() and "native" not in REQUIRED:
    pytest.skip(f"no native engine: {why_not_native()}", allow_module_level=True)

from microgpt.engines.native import BUILDS


@pytest.fixture(scope="module", params=BUILDS)
def checks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, compiled for one kind of processor."""
    parts = [NATIVE / f"{name}.cpp" for name in ("buffer", "pool", "prefixes")]
    sources = [PROGRAMS / "checks.cpp", *parts]
    return compiled(tmp_path_factory.mktemp("checks"), sources, request.param)


@pytest.mark.slow
def test_backward_passes_are_gradients_of_forward_passes_and_steps_allocate_nothing(
    checks: Path,
) -> None:
    done = subprocess.run([checks], capture_output=True, text=True, check=False)
    failed = [line for line in done.stdout.splitlines() if line.startswith("NO")]
    assert not failed, "\n".join(failed)
    assert done.returncode == 0
    for name in (
        "rmsnorm",
        "linear",
        "sums of chunks",
        "embed",
        "relu",
        "rotated heads",
        "normed heads",
        "causal attention",
        "-log p",
        "exp",
        "alloc",
    ):
        assert f"   {name}" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDS)
def test_half_of_a_symmetric_product_is_enough_and_orthogonal_matrices_are_exact(
    build: str, tmp_path: Path
) -> None:
    program = compiled(tmp_path, [PROGRAMS / "orthogonal.cpp"], build)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    failed = [line for line in done.stdout.splitlines() if line.startswith("NO")]
    assert not failed, "\n".join(failed)
    assert done.returncode == 0
    for name in ("a^T a", "its square", "orthogonalised"):
        assert f"   {name}" in done.stdout


@pytest.mark.slow
def test_a_program_times_each_phase_of_a_step(tmp_path: Path) -> None:
    sources = [ROOT / "benchmarks" / "native" / "phases.cpp"]
    sources += [NATIVE / f"{name}.cpp" for name in ("buffer", "pool", "prefixes")]
    program = compiled(tmp_path, sources, BUILDS[-1])
    words = [program, *map(str, (27, 16, 4, 1, 16, 7, 5))]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert [float(word) > 0.0 for word in done.stdout.split()] == [True] * 4
