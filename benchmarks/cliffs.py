"""What becomes of speed and memory far from the ordinary: long blocks, large vocabularies.

Each row is a training in a process of its own: processor time of a step (the median of the rounds,
with the least and the most), that time over the limit of `microgpt.bench`, and the most memory that
the process took beyond what it had before. One thread. For blocks of up to 4,096 positions the text
is a stream; for vocabularies documents are as long as names, with tokens that are drawn evenly.

    python benchmarks/cliffs.py FOLDER [blocks|vocabularies]
                    FOLDER: with shakespeare.txt and names.txt; measure both, or one of them
"""

from __future__ import annotations

import dataclasses
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from microgpt import model
from microgpt.bench import ROUNDS, Case, engine, operations, task
from microgpt.engines.compiled import native_peak
from microgpt.engines.contract import State
from microgpt.engines.native import BUILDS

BLOCKS = (
    Case(16, 16, block_size=64, stream=True),
    Case(16, 8, block_size=256, stream=True),
    Case(16, 4, block_size=1024, stream=True),
    Case(32, 1, block_size=4096, stream=True),
    Case(64, 2, n_layer=2, block_size=1024, stream=True),
    Case(128, 1, n_layer=4, block_size=1024, stream=True),
    Case(128, 1, n_layer=4, block_size=4096, stream=True),
)
VOCABULARIES = (
    (4_096, Case(16, 16)),
    (32_768, Case(16, 16)),
    (65_536, Case(16, 16)),
    (32_768, Case(16, 1)),
    (32_768, Case(64, 16)),
    (32_768, Case(64, 1)),
)
# Of a large vocabulary a call makes many steps, as in a training: rows of the embedding that none
# of them reads are updated at its end.
STEPS = {"blocks": 2, "vocabularies": 32}


def megabytes() -> float:
    """Return the most memory that this process has taken so far (on Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(kind: str, i: int, folder: Path) -> dict[str, object]:
    """Train the i-th case of a kind, and return its row."""
    vocab_size, case = VOCABULARIES[i] if kind == "vocabularies" else (0, BLOCKS[i])
    names = (folder / "names.txt").read_text("utf-8").split()
    trained = task(case, names, (folder / "shakespeare.txt").read_text("utf-8"))
    config, steps = trained.model, STEPS[kind]
    batches = trained.plan.batches(0, steps)
    if vocab_size:
        config = dataclasses.replace(config, vocab_size=vocab_size)
        rng = np.random.default_rng(1)
        for ids_N in (batches.tokens_N, batches.targets_N):
            ids_N[:] = rng.integers(0, vocab_size, len(ids_N))
    before = megabytes()
    trainer = engine("native", config, trained.training, 1)
    trainer.load(State.fresh(model.initial(config, random.Random(42))))
    lr_K = np.full(steps, 1e-4)
    trainer.train(batches, lr_K)
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        trainer.train(batches, lr_K)
        times.append((time.process_time() - began) / steps)
    peak = native_peak()
    if peak is None:
        raise SystemExit("benchmarks/cliffs.py needs the native engine.")
    limit = operations(config, batches) / steps / peak / 1e9
    return {
        "label": f"{case.label}, {vocab_size:,} tokens" if vocab_size else case.label,
        "step": statistics.median(times),
        "low": min(times),
        "high": max(times),
        "limit": limit,
        "megabytes": megabytes() - before,
    }


def measured(kind: str, folder: str) -> dict[str, Any]:
    """Measure the cases of a kind, print, and return their part of the record."""
    cases = BLOCKS if kind == "blocks" else [case for _, case in VOCABULARIES]
    rows: list[dict[str, Any]] = []
    for i in range(len(cases)):
        command = [sys.executable, __file__, folder, kind, str(i)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        row = json.loads(done.stdout)
        rows.append(row)
        print(
            f"{row['label']:42} {row['step'] * 1e3:8.2f} ms a step "
            f"({row['low'] * 1e3:.2f} to {row['high'] * 1e3:.2f})  "
            f"{row['step'] / row['limit']:5.2f} x the limit  {row['megabytes']:6.0f} MB",
            flush=True,
        )
    return {
        "date": time.strftime("%Y-%m-%d"),
        "n": ROUNDS,
        "build": BUILDS[-1],
        "cases": [dataclasses.asdict(case) for case in cases],
        "rows": rows,
    }


def main() -> None:
    """Measure each case in a process, print, record."""
    folder, kinds = sys.argv[1], sys.argv[2:3] or list(STEPS)
    if len(sys.argv) > 3:
        print(json.dumps(measure(kinds[0], int(sys.argv[3]), Path(folder))))
        return
    to = Path(__file__).parent / "records" / "cliffs.json"
    record = json.loads(to.read_text("utf-8"))
    for kind in kinds:
        record[kind] = measured(kind, folder)
        to.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
