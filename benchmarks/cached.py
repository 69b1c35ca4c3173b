"""What a cache of the text costs: time to evaluate and to fit, and bytes.

The recipe of ten seconds for one long text is trained for a fixed number of steps, mixed with
counts of seven, and used on the held-out tenth with the cache and without it, in turns on one
thread: `evaluate`, and an evaluation in a training, which fits the weights. The times are of the
processor, as ratios.

    python benchmarks/cached.py FOLDER [ROUNDS]      FOLDER: with shakespeare.txt
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from counts import SPEED, task_of, trained

from microgpt.counting.earlier import Earlier
from microgpt.counting.linear import LinearMixture
from microgpt.data.corpus import Source, read
from microgpt.data.tokenizer import Characters
from microgpt.engines.native import BUILDS
from microgpt.evaluation import evaluate
from microgpt.training.heldout import MOST
from microgpt.training.task import Dataset

RECORD = Path(__file__).parent / "records" / "cached.json"


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time that some work takes."""
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    """Train, measure in turns, print, record."""
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    data = read(Source(files=(str(folder / "shakespeare.txt"),), stream=True))
    task = task_of(Dataset(data, Characters.of(data.documents), 0.1), SPEED * 10)
    task = replace(task, training=replace(task.training, seed=1, ngram=7))
    engine, counts = trained(task), task.counts
    assert counts
    texts, tokens, block = task.dataset.heldout_documents, task.tokenizer, task.model.block_size
    batch = task.heldout.head(MOST)
    with_cache = LinearMixture(engine, counts)
    losses_N, _ = with_cache.fit(batch)
    cache = with_cache.cache
    assert cache
    assert batch.history
    bare = LinearMixture(engine, counts, with_cache.weight)
    without = replace(batch, history=None)
    bare.fit(without)
    found: dict[str, list[float]] = {"evaluate": [], "fit": []}
    for _ in range(rounds):
        first, second = (
            seconds(lambda of=of: evaluate(of, tokens, block, texts)) for of in (bare, with_cache)
        )
        found["evaluate"].append(second / first)
        first, second = (
            seconds(lambda of=of, its=its: of.fit(its))
            for of, its in ((bare, without), (with_cache, batch))
        )
        found["fit"].append(second / first)
    whole = batch.history.texts
    found["look up once, ns a position"] = [
        seconds(lambda: Earlier.of(whole)) * 1e9 / whole.positions for _ in range(rounds)
    ]
    tracemalloc.start()
    kept = Earlier.of(whole)
    now, peak = tracemalloc.get_traced_memory()
    assert len(kept.hits_N) == whole.positions
    found["bytes a position"] = [now / whole.positions]
    found["bytes a position, while it is made"] = [peak / whole.positions]
    found["loss"] = [float(losses_N.mean()), evaluate(bare, tokens, block, texts).loss]
    for key, values in found.items():
        print(f"{key:36} {statistics.median(values):.4g} ({min(values):.4g} to {max(values):.4g})")
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    record = {
        "date": time.strftime("%Y-%m-%d"), "commit": commit.strip(),
        "python": platform.python_version(), "machine": platform.machine(), "build": BUILDS[-1],
        "threads": 1, "rounds": rounds, "weights": cache.weights, **found,
    }  # fmt: skip
    RECORD.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
