"""What threads are worth: with two as measured, with more by counting work and cache lines.

A step on n threads takes, as a share of its time on one::

    work + muon + copying + lines x NS / time

work      the largest share of the positions that a thread has: documents are not divided.
muon      the same of Muon's products: a matrix is not divided.
copying   each thread transposes all weights for itself.
lines     the cache lines that the busiest thread reads and another has written. Parameters:
          all but its own share. Sums of gradients, where threads have chunks of positions of
          their own (native/chunks.hpp): its share of all others' sums. Otherwise activations:
          all inputs of the layers' products, and its share of what goes backward.

Times on one thread and on two are those of `records/speed.json`. NS, the time to read such a line,
is the one number fitted: the median of what the rows on two threads took longer, over their lines.

    python benchmarks/threads.py FOLDER      FOLDER: with names.txt, shakespeare.txt
"""

from __future__ import annotations

import heapq
import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from microgpt import bench, model
from microgpt.config import GPTConfig
from microgpt.data.batch import Batch
from microgpt.training.task import Task

RECORDS = Path(__file__).parent / "records"
THREADS = (2, 4, 8, 16, 64)
STEPS = 50
LINE = 16
"""Numbers of 32 bits in a cache line of 64 bytes."""

COPY = 0.12e-9
"""Seconds a number that a thread transposes: it stays in the second cache."""

CASES = (
    *(bench.Case(width, 16) for width in (32, 64, 128)),
    bench.Case(64, 64),
    bench.Case(128, 12, n_layer=4, block_size=64, stream=True),
    *map(bench.Case.of, ("micro", "small", "medium")),
)


def least(count: int, width: int) -> int:
    """Return the fewest positions of a chunk, if there are so many."""
    return max(width, 128) if count > 8 else width if width > 64 else 48


def chunks(lengths: Sequence[int], width: int) -> list[int]:
    """Return the positions of each chunk of a batch, as native/chunks.hpp cuts it."""
    N, n = sum(lengths), 1
    while 2 * n <= 64 and 2 * n <= len(lengths) and 2 * n * least(2 * n, width) <= N:
        n *= 2
    found, d, before = [0] * n, 0, 0
    for c in range(n):
        end = N * (c + 1) // n
        first = True
        while d < len(lengths) - (n - c - 1) and (first or before + lengths[d] // 2 < end):
            found[c] += lengths[d]
            before, d, first = before + lengths[d], d + 1, False
    found[-1] += sum(lengths[d:])
    return found


def largest(parts: Sequence[float], n: int) -> float:
    """Return the largest share of a thread, if each takes the next part when it is free."""
    loads = [0.0] * n
    for part in parts:
        heapq.heappush(loads, heapq.heappop(loads) + part)
    return max(loads) / sum(parts)


def is_idle(n: int, groups: int, N: int, D: int) -> bool:
    """Return whether n threads lose more as so few groups than by reading all activations."""
    return N * 6 / 80 * (1 / groups - 1 / n) > 0.75 * (N * 7 / (12 * D) - 1)


@dataclass(frozen=True)
class Shared:
    """What n threads share of a step: shares of one, numbers of lines."""

    work: float
    muon: float
    lines: float


def shared(config: GPTConfig, batch: Batch, n: int, *, is_muon: bool) -> Shared:
    """Count what the busiest of n threads does of a step, and what it reads of others."""
    L, D, V, N = config.n_layer, config.n_embd, config.vocab_size, batch.positions
    lengths: list[int] = np.diff(batch.documents).tolist()
    n = min(n, len(lengths))
    others, parameters = 1 - 1 / n, model.size(config)
    parts = chunks(lengths, D)
    groups = 1
    while 2 * groups <= n and 2 * groups <= len(parts):
        groups *= 2
    if 2 * groups <= n and is_idle(n, groups, N, D):
        groups, parts = 1, lengths  # threads share out the documents
    if groups > 1:
        sums = (groups - 1) / n * parameters
    else:
        sums = others * N * (L * (7 * D + 9 * D / n) + D + V / n)
    # Six matrices of a layer: four of D by D, two of 4 D by D with 1.9 times the products.
    matrices = [10.0] * 4 * L + [19.0] * 2 * L
    return Shared(
        largest(parts, groups if groups > 1 else n),
        largest(sorted(matrices, reverse=True), n) if is_muon else 1 / n,
        (others * parameters + sums) / LINE,
    )


def counted(task: Task, n: int) -> Shared:
    """Return the mean over some steps."""
    batches, is_muon = task.plan.batches(0, STEPS), task.training.optimizer == "muon"
    each = [shared(task.model, batches.step(k), n, is_muon=is_muon) for k in range(STEPS)]
    means = [
        statistics.mean(getattr(one, key) for one in each) for key in ("work", "muon", "lines")
    ]
    return Shared(*means)


def seconds(task: Task, n: int, one: float, line: float) -> float:
    """Return the time of a step on n threads, from its time on one and that of a line."""
    L, D = task.model.n_layer, task.model.n_embd
    batches = task.plan.batches(0, STEPS)
    share = 0.0
    if task.training.optimizer == "muon":
        share = 156 * L * D**3 * STEPS / bench.operations(task.model, batches, "muon")
    its = counted(task, n)
    copying = COPY * model.size(task.model)
    return one * ((1 - share) * its.work + share * its.muon) + copying + its.lines * line


def main() -> None:
    """Count, print, record."""
    folder = Path(sys.argv[1])
    names = (folder / "names.txt").read_text("utf-8").split()
    text = (folder / "shakespeare.txt").read_text("utf-8")
    speed = json.loads((RECORDS / "speed.json").read_text("utf-8"))
    took = {
        (row["label"], row["threads"]): row["document"]
        for row in speed["rows"]
        if row["engine"] == "native"
    }
    tasks = {case: bench.task(case, names, text) for case in CASES}
    steps = {
        case: [took[case.label, n] * case.batch_size for n in (1, 2)]
        for case in CASES
    }  # fmt: skip
    lines = {case: counted(tasks[case], 2).lines for case in CASES}
    over = [
        (two - seconds(tasks[case], 2, one, 0.0)) / lines[case]
        for case, (one, two) in steps.items()
    ]
    line = statistics.median(over)
    print(f"{line * 1e9:.0f} ns a line ({min(over) * 1e9:.0f} to {max(over) * 1e9:.0f})")
    rows: list[dict[str, Any]] = []
    for case, (one, two) in steps.items():
        ratios = {n: one / seconds(tasks[case], n, one, line) for n in THREADS}
        its = {n: counted(tasks[case], n) for n in THREADS}
        row = {
            "label": case.label, "measured": one / two, "counted": ratios,
            "lines": {n: round(one.lines) for n, one in its.items()},
            "work": {n: one.work for n, one in its.items()},
        }  # fmt: skip
        rows.append(row)
        each = ", ".join(f"{n}: {ratio:.2f}" for n, ratio in ratios.items())
        print(f"{case.label:28} two measured {one / two:.2f}; counted {each}")
    record = {"speed": speed["date"], "nanoseconds": line * 1e9, "copy": COPY * 1e9, "rows": rows}
    (RECORDS / "threads.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
