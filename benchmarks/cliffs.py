"""What becomes of speed and memory far from the ordinary: blocks of up to 4,096 positions.

Each row is a training in a process of its own: processor time of a step (the median of the rounds,
with the least and the most), that time over the limit of `microgpt.bench`, and the most memory that
the process took beyond what it had before. One thread; the text is a stream.

    python benchmarks/cliffs.py FOLDER      FOLDER: with shakespeare.txt
"""

from __future__ import annotations

import dataclasses
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from microgpt.bench import ROUNDS, Case, engine, operations, task
from microgpt.engines.compiled import native_peak
from microgpt.engines.native import BUILDS

CASES = (
    Case(16, 16, block_size=64, stream=True),
    Case(16, 8, block_size=256, stream=True),
    Case(16, 4, block_size=1024, stream=True),
    Case(32, 1, block_size=4096, stream=True),
    Case(64, 2, n_layer=2, block_size=1024, stream=True),
    Case(128, 1, n_layer=4, block_size=1024, stream=True),
    Case(128, 1, n_layer=4, block_size=4096, stream=True),
)


def megabytes() -> float:
    """Return the most memory that this process has taken so far (on Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(case: Case, text: str) -> dict[str, object]:
    """Train, and return a row."""
    trained = task(case, [], text)
    before = megabytes()
    trainer = engine("native", trained.model, trained.training, 1)
    trainer.load(trained.first_state())
    batches = trained.plan.batches(0, 2)
    lr_K = np.full(2, 1e-4)
    trainer.train(batches, lr_K)
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        trainer.train(batches, lr_K)
        times.append((time.process_time() - began) / 2)
    peak = native_peak()
    if peak is None:
        raise SystemExit("benchmarks/cliffs.py needs the native engine.")
    limit = operations(trained.model, batches) / 2 / peak / 1e9
    return {
        "label": case.label,
        "step": statistics.median(times),
        "low": min(times),
        "high": max(times),
        "limit": limit,
        "megabytes": megabytes() - before,
    }


def main() -> None:
    """Measure each case in a process, print, record."""
    path = Path(sys.argv[1]) / "shakespeare.txt"
    if len(sys.argv) > 2:
        print(json.dumps(measure(CASES[int(sys.argv[2])], path.read_text("utf-8"))))
        return
    rows: list[dict[str, Any]] = []
    for i in range(len(CASES)):
        command = [sys.executable, __file__, sys.argv[1], str(i)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        row = json.loads(done.stdout)
        rows.append(row)
        print(
            f"{row['label']:28} {row['step'] * 1e3:8.2f} ms a step "
            f"({row['low'] * 1e3:.2f} to {row['high'] * 1e3:.2f})  "
            f"{row['step'] / row['limit']:5.2f} x the limit  {row['megabytes']:6.0f} MB",
            flush=True,
        )
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "n": ROUNDS,
        "build": BUILDS[-1],
        "cases": [dataclasses.asdict(case) for case in CASES],
        "rows": rows,
    }
    to = Path(__file__).parent / "records" / "cliffs.json"
    to.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
