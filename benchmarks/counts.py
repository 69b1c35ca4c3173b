"""How long the counts should be that a GPT is mixed with, and what a cache of the document adds.

The recipe of one second (of 10 and of 120 for one long text) is trained for a fixed number of steps
on one thread, so that nothing depends on the clock, and mixed with counts of n tokens of the
training documents. Their bytes are those of the run's file of counts. The cache of the text is
measured on the long text alone: its twelve weights fitted on what is measured, as a training does;
crossed, each half of the text with the weights fitted on the other half.

    python benchmarks/counts.py FOLDER [SEEDS [TEXT]]
                FOLDER: with names.txt and shakespeare.txt; TEXT: measure this row alone
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from microgpt import model
from microgpt.config import GPTConfig, TrainConfig
from microgpt.counting.cache import TextCache
from microgpt.counting.ngram import NGram
from microgpt.counting.weight import fitted, mixed
from microgpt.data.batch import Batch, whole
from microgpt.data.corpus import Source, read
from microgpt.data.measured import overlapped
from microgpt.data.tokenizer import Characters, encode_all
from microgpt.engines.contract import Engine, Floats
from microgpt.engines.native import BUILDS
from microgpt.training import budget
from microgpt.training.loop import train
from microgpt.training.pace import Pace
from microgpt.training.task import Dataset, Task

RECORD = Path(__file__).parent / "records" / "counts.json"
# Floating-point operations a second, as two threads had them when docs/race.md was measured.
SPEED = 8e10
COUNTS = (4, 5, 6, 7, 8, 9)


def task_of(dataset: Dataset, work: float) -> Task:
    """Return the training that the recipe for this work chooses, for a fixed number of steps."""
    V, lengths_D = dataset.tokenizer.vocab_size, np.diff(dataset.encoded.offsets)
    chosen = budget.choose(work, lengths_D, V)
    config = GPTConfig(vocab_size=V, **chosen.model)
    positions = work / model.flops(config.n_layer, config.n_embd, V)
    batch = dataset.layout(config.block_size, "window").batch
    each = chosen.training["batch_size"] * batch.positions / len(batch)
    return Task(dataset, config, TrainConfig(**chosen.training, steps=round(positions / each)))


def trained(task: Task) -> Engine:
    """Train on one thread."""
    engine, training = task.open("native", threads=1), task.training
    engine.load(task.first_state())
    for steps in train(engine, task.plan, training, Pace(training)):
        assert steps.settled
    return engine


def crossed(losses_N: Floats, batch: Batch) -> float:
    """Return the loss with a cache whose weights were fitted on the other half of the windows."""
    halves, nats = np.array_split(np.arange(len(batch)), 2), 0.0
    parts = [batch.take(half) for half in halves]
    its = np.split(losses_N, [parts[0].n_counted])
    for own, other in ((0, 1), (1, 0)):
        cache, _ = TextCache.fit(its[other], parts[other])
        assert cache
        every_N = np.zeros(parts[own].positions)
        every_N[parts[own].is_counted_N] = its[own]
        nats += float(parts[own].counted(cache.losses(every_N, parts[own])).sum())
    return nats / len(losses_N)


def measured(engine: Engine, task: Task, *, is_stream: bool) -> dict[str, float]:
    """Measure a GPT, alone and mixed."""
    tokens = task.tokenizer
    texts = whole(encode_all(tokens, task.dataset.heldout_documents))
    batch = overlapped(texts, task.model.block_size)
    gpt_N = batch.counted(engine.losses(batch))
    found = {"gpt": float(gpt_N.mean())}

    def of_counts(n: int, counted: Batch) -> Floats:
        counts = NGram.of(counted, tokens.vocab_size, tokens.bos, n)
        counts_N = batch.counted(counts.losses(batch))
        found[f"counts of {n}"] = float(counts_N.mean())
        found[f"bytes of {n}"] = sum(array.nbytes for array in counts.arrays().values())
        return mixed(gpt_N, counts_N, fitted(gpt_N, counts_N))

    for n in COUNTS:
        mixed_N = of_counts(n, task.layout.texts)
        found[f"gpt + {n}"] = float(mixed_N.mean())
        if is_stream and n in (5, 7):
            found[f"gpt + {n} + cache"] = float(TextCache.fit(mixed_N, batch)[1].mean())
            found[f"gpt + {n} + cache, crossed"] = crossed(mixed_N, batch)
    return found


def main() -> None:
    """Train, measure, print, record."""
    folder, seeds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    shakespeare = (str(folder / "shakespeare.txt"),)
    sources = {
        "names": (Source(files=(str(folder / "names.txt"),)), 1),
        "surnames": (Source(), 1),
        "shakespeare, a line a document": (Source(files=shakespeare), 1),
        "shakespeare, one text": (Source(files=shakespeare, stream=True), 10),
        "shakespeare, one text, 120 s": (Source(files=shakespeare, stream=True), 120),
    }
    rows = list[dict[str, Any]]()
    if len(sys.argv) > 3:
        rows = json.loads(RECORD.read_text("utf-8"))["rows"]
        rows = [row for row in rows if row["text"] != sys.argv[3]]
        sources = {sys.argv[3]: sources[sys.argv[3]]}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    for label, (source, seconds) in sources.items():
        data = read(source)
        dataset = Dataset(data, Characters.of(data.documents), 0.1)
        first = task_of(dataset, SPEED * seconds)
        found = list[dict[str, float]]()
        for seed in range(1, seeds + 1):
            task = replace(first, training=replace(first.training, seed=seed))
            found.append(measured(trained(task), task, is_stream=source.stream))
        losses = {key: [one[key] for one in found] for key in found[0]}
        rows.append(
            {
                "text": label, "seconds": seconds, "steps": first.training.steps,
                "positions": int(dataset.encoded.offsets[-1]), "block": first.model.block_size,
                "losses": losses,
            }
        )  # fmt: skip
        print(label, flush=True)
        for key, values in losses.items():
            spread = f"{statistics.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})"
            print(f"  {key:20} {spread}", flush=True)
        record = {
            "date": time.strftime("%Y-%m-%d"),
            "commit": commit.strip(),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "build": BUILDS[-1],
            "threads": 1,
            "rows": rows,
        }
        RECORD.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
