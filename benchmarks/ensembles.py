"""One GPT on two cores beside two GPTs on a core each: held-out loss on names in equal time.

Nothing here reads a clock. What a budget in seconds allows was measured on a quiet machine: WORK is
the matrix products of one GPT on two threads, from the epochs in `records/race.json`. A GPT on one
thread makes 1 / GAIN of that in the same time, by its width. Every row trains with that number of
steps, seed by seed; its losses are of all held-out documents (a hash split), of the GPTs alone and
mixed with counts of five characters. "AVERAGED" rows hold the mean of the parameters after each of
the last steps, beside the last parameters.

    python benchmarks/ensembles.py FOLDER [ROW[@SEED] ...]      FOLDER: with names.txt
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from microgpt import model
from microgpt.config import GPTConfig, TrainConfig
from microgpt.counting.weight import fitted, mixed
from microgpt.data.corpus import Source, read
from microgpt.engines.contract import Engine, Floats, State
from microgpt.engines.native import BUILDS
from microgpt.training import budget
from microgpt.training.pace import learning_rates
from microgpt.training.task import Dataset, Task, tokenizer_for

RECORD = Path(__file__).parent / "records" / "ensembles.json"

WORK = {1: 7.2e10, 5: 4.57e11, 20: 1.75e12, 60: 6.0e12}
"""Floating-point operations of one GPT on two threads, by seconds."""

GAIN = {16: 1.2, 32: 1.43, 48: 1.5, 64: 1.58}
"""How many times as fast two threads are as one, by width."""

CHUNK = 50


@dataclass(frozen=True)
class Row:
    """What is trained.

    Attributes:
        seconds: the budget.
        models: how many GPTs, each on one thread; 1: on two.
        cores: how many there are: more models than that share them.
        seeds: how many trainings.
        others: settings in place of those that `budget.choose` chooses.
        averages: shares of the training over whose end parameters are averaged.
    """

    seconds: int
    models: int = 1
    cores: int = 2
    seeds: int = 5
    others: dict[str, Any] = field(default_factory=dict[str, Any])
    averages: tuple[float, ...] = ()

    def work(self, width: int) -> float:
        """Return the operations of each GPT."""
        if self.models == 1:
            return WORK[self.seconds]
        return WORK[self.seconds] / GAIN.get(width, 1.58) * min(self.cores / self.models, 1.0)


ROWS = {
    "1 s, one": Row(1),
    "1 s, two": Row(1, 2),
    "5 s, one": Row(5),
    "5 s, two": Row(5, 2),
    "20 s, one": Row(20),
    "20 s, two": Row(20, 2),
    "20 s, four": Row(20, 4, seeds=2),
    "60 s, two": Row(60, 2, seeds=1),
    "5 s, one, averaged": Row(5, averages=(0.02, 0.05, 0.1, 0.2)),
    "20 s, one, averaged": Row(20, seeds=2, averages=(0.02, 0.05, 0.1, 0.2)),
}


def names(folder: Path) -> Dataset:
    """Read names.txt, with a tenth held out by a hash."""
    corpus = read(Source(files=(str(folder / "names.txt"),)))
    return Dataset(corpus, tokenizer_for(None, corpus, "last", holdout=0.1), 0.1)


def configs(row: Row, dataset: Dataset, seed: int) -> tuple[GPTConfig, TrainConfig]:
    """Return the settings of a row: those chosen for its work, with steps in place of seconds."""
    lengths, V = np.diff(dataset.encoded.offsets), dataset.tokenizer.vocab_size
    width = row.others.get("n_embd") or 64
    choice = budget.choose(row.work(width), lengths, V, row.models)
    if choice.model["n_embd"] != width and "n_embd" not in row.others:
        choice = budget.choose(row.work(choice.model["n_embd"]), lengths, V, row.models)
    values: dict[str, Any] = {**choice.model, **choice.training, "models": row.models, **row.others}
    shape: dict[str, Any] = {
        name: its for name, its in values.items() if name in vars(GPTConfig(vocab_size=V))
    }
    config = GPTConfig(vocab_size=V, **shape)
    how: dict[str, Any] = {name: its for name, its in values.items() if name not in shape}
    training = TrainConfig(seed=seed, **how)
    batch = dataset.layout(config.block_size, training.long).batch
    step = training.batch_size * batch.positions / len(batch)
    step *= model.flops(config.n_layer, config.n_embd, V)
    return config, replace(training, steps=max(1, int(row.work(config.n_embd) / step)))


def train(task: Task, averages: tuple[float, ...]) -> dict[str, Floats]:
    """Train; return the held-out losses, of the last parameters and of each average."""
    engine, steps = task.open("native", threads=1), task.training.steps or 0
    engine.load(task.first_state())
    sums: dict[float, tuple[Any, int]] = {}
    for step in range(0, steps, CHUNK):
        stop = min(step + CHUNK, steps)
        lr_K = learning_rates(task.training, step + 1, stop)
        engine.train(task.plan.batches(step, stop - step), lr_K)
        for share in averages:
            if stop >= (1.0 - share) * steps:
                total, n = sums.get(share, (0.0, 0))
                sums[share] = total + engine.state().parameters.astype(np.float64), n + 1
    held_out = task.heldout.head(1 << 18)
    found = {"last": engine.losses(held_out)}
    for share, (total, n) in sums.items():
        found[f"mean of the last {share:.0%}"] = _losses(engine, total / n, task)
    return found


def _losses(engine: Engine, parameters: Floats, task: Task) -> Floats:
    engine.load(State.fresh(parameters))
    return engine.losses(task.heldout.head(1 << 18))


def measured(row: Row, dataset: Dataset, seed: int) -> list[dict[str, Any]]:
    """Train with a seed; return a record of the last parameters, and of each average."""
    task = Task(dataset, *configs(row, dataset, seed))
    counts = dataset.counts(task.model.block_size, task.training.long, 5)
    counts_N = counts.losses(task.heldout.head(1 << 18))
    settings = {"n_layer": task.model.n_layer, "n_embd": task.model.n_embd}
    for name in ("batch_size", "weight_decay", "dropout", "steps", "models"):
        settings[name] = getattr(task.training, name)
    settings |= {"seconds": row.seconds, "parameters": row.models * model.size(task.model)}
    found: list[dict[str, Any]] = []
    for kind, losses_N in train(task, row.averages).items():
        both = mixed(losses_N, counts_N, fitted(losses_N, counts_N))
        losses = {"loss": float(both.mean()), "alone": float(losses_N.mean())}
        found.append({"kind": kind, **settings, "seeds": {str(seed): losses}})
    return found


def record(rows: list[dict[str, Any]]) -> None:
    """Add seeds to the record's rows; a row with other settings is replaced."""
    kept: list[dict[str, Any]] = []
    if RECORD.exists():  # another process may have added to it
        kept = json.loads(RECORD.read_text("utf-8"))["rows"]
    for row in rows:
        same = [one for one in kept if {**one, "seeds": 0} == {**row, "seeds": 0}]
        row["seeds"] = {**(same[0]["seeds"] if same else {}), **row["seeds"]}
        key = row["label"], row["kind"]
        kept = [one for one in kept if (one["label"], one["kind"]) != key] + [row]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    values = {
        "date": time.strftime("%Y-%m-%d"), "commit": commit.strip(),
        "python": platform.python_version(), "machine": platform.machine(),
        "build": BUILDS[-1], "rows": kept,
    }  # fmt: skip
    RECORD.write_text(json.dumps(values, indent=2) + "\n", "utf-8")


def main() -> None:
    """Train, print, record."""
    dataset = names(Path(sys.argv[1]))
    for asked in sys.argv[2:] or [*ROWS]:
        label, _, only = asked.partition("@")
        for seed in [int(only)] if only else range(1, ROWS[label].seeds + 1):
            found = measured(ROWS[label], dataset, seed)
            rows: list[dict[str, Any]] = [{"label": label, **one} for one in found]
            for row in rows:
                losses = row["seeds"][str(seed)]
                shape = (
                    f"{row['models']} x {row['n_layer']} x {row['n_embd']}, {row['steps']} steps"
                )
                print(
                    f"{label:20} seed {seed}  {row['kind']:20} {shape:24} "
                    f"{losses['loss']:.4f}  alone {losses['alone']:.4f}",
                    flush=True,
                )
            record(rows)


if __name__ == "__main__":
    main()
