"""What else could lower the loss of `--seconds`: schedules, batch ramps, averages, other counts.

Every row is one GPT trained on names with the recipe for a budget, in fixed steps (see
`ensembles.py`), seed by seed, and mixed with counts of five characters. An average is the mean of
the parameters after every 50th of the last steps (LAWA, stochastic weight averaging). Other counts
are mixed with the GPT of the usual row.

    python benchmarks/schedules.py FOLDER [SECONDS [SEEDS]]      FOLDER: with names.txt
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ensembles import Row, configs, names

from microgpt.counting.weight import fitted, mixed
from microgpt.data.plan import Plan
from microgpt.engines.contract import Floats, State
from microgpt.engines.native import BUILDS
from microgpt.training.task import Dataset, Task

RECORD = Path(__file__).parent / "records" / "schedules.json"

SCHEDULES: dict[str, Callable[[Floats], Floats]] = {
    "linear to 0 (the usual)": lambda x: 1.0 - x,
    "linear to a tenth": lambda x: 1.0 - 0.9 * x,
    "linear to 0.3": lambda x: 1.0 - 0.7 * x,
    "cosine": lambda x: 0.5 * (1.0 + np.cos(np.pi * x)),
    "constant, then linear over 40 %": lambda x: np.minimum(1.0, (1.0 - x) / 0.4),
    "constant, then linear over 70 %": lambda x: np.minimum(1.0, (1.0 - x) / 0.7),
    "1 - sqrt": lambda x: 1.0 - np.sqrt(x),
    "square": lambda x: (1.0 - x) ** 2,
    "linear, 5 % warm-up": lambda x: np.minimum(x / 0.05 + 1e-3, 1.0) * (1.0 - x),
}
"""The learning rate's factor at a share of the training."""

RAMPS = {
    "batch 1/2 for 30 %": ((0.3, 0.5), (0.7, 1.0)),
    "batch 1/2 for 40 %, then 1.4": ((0.4, 0.5), (0.6, 1.4)),
}
"""Shares of the documents, and the batch size in each, times the recipe's."""

AVERAGES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Shares of the training over whose end parameters are averaged."""

CHUNK = 50


@dataclass(frozen=True)
class Kind:
    """A way to train: a schedule, a batch ramp, averages."""

    schedule: Callable[[Floats], Floats]
    ramp: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    averages: tuple[float, ...] = ()


def train(task: Task, kind: Kind) -> dict[str, Floats]:
    """Train; return the held-out losses, of the last parameters and of each average."""
    training, batch = task.training, task.layout.batch
    engine = task.open("native", threads=1)
    engine.load(task.first_state())
    documents, done = (training.steps or 0) * training.batch_size, 0
    sums: dict[float, tuple[Any, int]] = {}
    for share, times in kind.ramp:
        size = max(1, round(training.batch_size * times))
        plan, first = Plan(batch, size, training.seed, training.order), done // size
        steps = int(documents * share / size)
        for step in range(0, steps, CHUNK):
            n = min(CHUNK, steps - step)
            done_K = (done + size * np.arange(n)) / documents
            lr_K = training.lr * np.maximum(kind.schedule(done_K), 1e-6)
            engine.train(plan.batches(first + step, n), lr_K)
            done += size * n
            for over in kind.averages:
                if done >= (1.0 - over) * documents:
                    total, times_added = sums.get(over, (0.0, 0))
                    now = engine.state().parameters.astype(np.float64)
                    sums[over] = total + now, times_added + 1
    held_out = task.heldout.head(1 << 18)
    found = {"": engine.losses(held_out)}
    for over, (total, n) in sums.items():
        engine.load(State.fresh(total / n))
        found[f", mean of the last {over:.0%}"] = engine.losses(held_out)
    return found


def several(models: list[Floats]) -> float:
    """Return the loss of a mixture of several models, with the weights that minimise it (EM)."""
    p_MN = np.exp(-np.stack(models))
    weights_M = np.full(len(models), 1.0 / len(models))
    for _ in range(200):
        shares_MN = weights_M[:, None] * p_MN
        weights_M = (shares_MN / shares_MN.sum(axis=0)).mean(axis=1)
    return float(-np.log(weights_M @ p_MN).mean())


def measured(
    row: Row, dataset: Dataset, seeds: int
) -> Iterator[dict[str, list[tuple[float, float]]]]:
    """Train all kinds, seed by seed; yield by name the losses so far: mixed, of the GPT alone."""
    usual, *others = SCHEDULES.items()
    kinds = {usual[0]: Kind(usual[1], averages=AVERAGES)}
    kinds |= {name: Kind(schedule) for name, schedule in others}
    kinds["linear to a tenth"] = Kind(SCHEDULES["linear to a tenth"], averages=AVERAGES)
    kinds |= {name: Kind(usual[1], ramp) for name, ramp in RAMPS.items()}
    found: dict[str, list[tuple[float, float]]] = {}
    for seed in range(1, seeds + 1):
        task = Task(dataset, *configs(row, dataset, seed))
        held_out, block = task.heldout.head(1 << 18), task.model.block_size
        counts = {n: dataset.counts(block, "window", n).losses(held_out) for n in (5, 6, 7, 8)}

        def add(name: str, losses_N: Floats, counts_N: Floats) -> None:
            both = mixed(losses_N, counts_N, fitted(losses_N, counts_N)).mean()
            found.setdefault(name, []).append((float(both), float(losses_N.mean())))

        for name, kind in kinds.items():
            for suffix, losses_N in train(task, kind).items():
                add(name + suffix, losses_N, counts[5])
                if name + suffix != usual[0]:
                    continue
                for n in (6, 7, 8):
                    add(f"counts of {n}", losses_N, counts[n])
                loss = several([losses_N, counts[5], counts[6], counts[7]])
                found.setdefault("counts of 5, 6 and 7", []).append((loss, float(losses_N.mean())))
        yield found


def main() -> None:
    """Train, print, record."""
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    seeds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    for found in measured(Row(seconds), names(Path(sys.argv[1])), seeds):
        rows: list[Any] = []
        for name, each in found.items():
            losses, alone = ([*column] for column in zip(*each))
            spread, n = (min(losses), statistics.median(losses), max(losses)), len(each)
            own = statistics.median(alone)
            rows.append({"seconds": seconds, "kind": name, "n": n, "loss": spread, "alone": own})
            least, median, most = spread
            print(f"{name:45} {median:.4f} ({least:.4f} to {most:.4f})  alone {own:.4f}  n={n}")
        print(flush=True)
        record = {
            "date": time.strftime("%Y-%m-%d"), "commit": commit.strip(),
            "python": platform.python_version(), "machine": platform.machine(),
            "build": BUILDS[-1], "rows": rows,
        }  # fmt: skip
        RECORD.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
