"""The speed of training by each engine: rows, and a record.

All engines of a row take turns within one run, so that their ratios hold on a noisy machine. A
figure is the median of the rounds, with the lowest and the highest beside it. The texts are those
in the folder, or else the embedded names. If PyTorch is installed, the same models in PyTorch are
measured too, eager and compiled, on one thread; of presets ours alone.

    python benchmarks/speed.py [FOLDER]      FOLDER: with names.txt and shakespeare.txt
"""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import json
import platform
import sys
import time
from importlib import metadata
from pathlib import Path

from microgpt.bench import CASES, ROUNDS, Case, Trains, engine, rows
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import corpus
from microgpt.engines.compiled import native_peak
from microgpt.engines.machine import processors
from microgpt.engines.native import BUILDS

# Batches large enough that a framework's overhead is shared by many documents; and a model too
# large for the caches.
LARGE = (Case(16, 64), Case(64, 64), Case(256, 1, n_layer=4))
EAGER, COMPILED = "torch, eager", "torch.compile"


def opened(name: str, config: GPTConfig, training: TrainConfig, threads: int) -> Trains:
    """Open one of our engines, or PyTorch."""
    if name not in (EAGER, COMPILED):
        return engine(name, config, training, threads)
    from pytorch import Trainer

    return Trainer(config, compiled=name == COMPILED)


def main() -> None:
    """Measure, print, record."""
    names = corpus.read(corpus.Source()).documents
    text = "\n".join(names)
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        names = (folder / "names.txt").read_text("utf-8").split()
        text = (folder / "shakespeare.txt").read_text("utf-8")
    peak = native_peak()
    ours = [("native", n) for n in sorted({1, processors()})]
    has_torch = importlib.util.find_spec("torch") is not None
    theirs = [(EAGER, 1), (COMPILED, 1)] if has_torch else []
    plain = [case for case in CASES + LARGE if not case.preset]
    presets = [case for case in CASES if case.preset]
    measured = itertools.chain(
        rows(plain, names, text, ours + theirs, peak, opened=opened),
        rows(presets, names, text, ours, peak, opened=opened),
    )
    records = []
    print(f"{peak:.0f} GFLOP/s at most, {BUILDS[-1]}")
    for row in measured:
        records.append(dataclasses.asdict(row))
        print(
            f"{row.label:28} {row.engine:13} {row.threads} threads  "
            f"{row.document * 1e6:9.2f} us a document "
            f"({row.low * 1e6:.2f} to {row.high * 1e6:.2f})  {row.token * 1e6:7.3f} us a token  "
            f"{row.speed:6.1f} GFLOP/s  {row.document / (row.limit or 1):5.2f} x the limit",
            flush=True,
        )
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "n": ROUNDS,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "build": BUILDS[-1],
        "torch": metadata.version("torch") if has_torch else None,
        "peak": peak,
        "rows": records,
    }
    path = Path(__file__).parent / "records" / "speed.json"
    path.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
