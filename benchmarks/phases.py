"""What a step is made of: each operation alone, in times the limit, beside the whole step.

The operations are those of the native engine, compiled for this processor: matrix products forward,
backward and of gradients; attention; Adam, with the transposed copies; and all else, which are
norms, activations, the loss and embeddings. Each is timed alone on one batch, its numbers in the
nearest cache that holds them: together that is about the least that a step can take. The limit is
that of `microgpt.bench`, which counts products, attention and Adam as if each operation took a
multiply-add's time; a row has its three parts, too. One thread; the least of several turns.

    python benchmarks/phases.py FOLDER      FOLDER: with names.txt, shakespeare.txt

It needs a C++20 compiler.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from microgpt import bench, model
from microgpt.engines.compiled import native_peak
from microgpt.engines.native import BUILDS

ROOT = Path(__file__).resolve().parents[1]
RECORD = ROOT / "benchmarks" / "records" / "phases.json"
TURNS = 5
PHASES = ("products", "attention", "adam", "others")
CASES = (
    bench.Case(16, 1),
    *(bench.Case(width, 16) for width in (16, 32, 64, 128)),
    bench.Case(64, 32, n_layer=4),
    bench.Case(128, 12, n_layer=4, block_size=64, stream=True),
)


def compiled(folder: Path) -> Path:
    """Compile the program with the flags of the engine's own build."""
    build, native = BUILDS[-1], ROOT / "native"
    (flags,) = re.findall(r"set\(flags (.*?)\)", (ROOT / "CMakeLists.txt").read_text(), re.DOTALL)
    words = [*shlex.split(os.environ.get("CXX", "c++")), "-std=c++20", *flags.split()]
    words += [f"-DMICROGPT_BUILD={build}", "-pthread", f"-I{native}"]
    if build != "portable":
        words += [f"-march=x86-64-{build}", "-DMICROGPT_X86"]
        words += ["-mprfchw"] if build != "v2" else []
    sources = [ROOT / "benchmarks" / "native" / "phases.cpp"]
    sources += [native / f"{name}.cpp" for name in ("pool", "buffer", "prefixes")]
    program = folder / "phases"
    subprocess.run([*words, *map(str, sources), "-o", str(program)], check=True)
    return program


def measured(case: bench.Case, program: Path, names: list[str], text: str) -> dict[str, Any]:
    """Time the operations of a case and its whole step."""
    task, peak = bench.task(case, names, text), native_peak()
    assert peak
    config = task.model
    L, D, V = config.n_layer, config.n_embd, config.vocab_size
    # The step whose positions are nearest the mean, over and over.
    some = task.plan.batches(0, 200)
    mean = some.positions / some.n_steps
    at = min(range(200), key=lambda k: abs(some.step(k).positions - mean))
    batches = task.plan.batches(at, 1)
    lengths = np.diff(batches.documents)
    words = [V, D, config.n_head, L, config.block_size, *lengths.tolist()]
    command = [str(program), *map(str, words)]
    alone, steps = list[list[float]](), list[float]()
    for _ in range(TURNS):
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        alone.append([float(us) for us in done.stdout.split()])
        (row,) = bench.rows([case], names, text, [("native", 1)], peak)
        assert row.limit
        steps.append(row.low / row.limit)
    parts = {
        "products": model.flops(L, D, V) * batches.positions,
        "attention": 12 * L * D * int((lengths * (lengths + 1) // 2).sum()),
        "adam": 14 * model.size(config),
    }
    limit = sum(parts.values()) / peak / 1e3
    return {
        "label": case.label,
        "limit": {name: work / peak / 1e3 / limit for name, work in parts.items()},
        "alone": {name: min(us) / limit for name, us in zip(PHASES, zip(*alone))},
        "step": min(steps),
    }


def main() -> None:
    """Measure, print, record."""
    folder = Path(sys.argv[1])
    names = (folder / "names.txt").read_text("utf-8").split()
    text = (folder / "shakespeare.txt").read_text("utf-8")
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as where:
        program = compiled(Path(where))
        for case in CASES:
            row = measured(case, program, names, text)
            rows.append(row)
            each = ", ".join(f"{name} {alone:.2f}" for name, alone in row["alone"].items())
            whole = sum(row["alone"].values())
            print(f"{row['label']:28} {each}; together {whole:.2f}, step {row['step']:.2f}")
    record = {"date": time.strftime("%Y-%m-%d"), "build": BUILDS[-1], "rows": rows}
    RECORD.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
