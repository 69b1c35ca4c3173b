"""One long text: windows shifted from epoch to epoch, context carried into a window, longer counts.

The recipes of 10 and of 120 seconds are trained for a fixed number of steps on one thread, so that
nothing depends on the clock; each state is measured on the last tenth of the text in several ways.
GPT: with no context, with half a block and with three quarters of one. Mixed, with no and with half
a block: the same with counts of n tokens, counted in windows side by side (as microgpt did before)
or in the whole text.

    python benchmarks/streams.py FOLDER [SECONDS:SEEDS ...]      FOLDER: with shakespeare.txt
"""

from __future__ import annotations

import json
import platform
import random
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from microgpt import model
from microgpt.config import GPTConfig, TrainConfig
from microgpt.counting.ngram import NGram
from microgpt.counting.weight import fitted, mixed
from microgpt.data.batch import Batch, Batches, lay_out, whole
from microgpt.data.corpus import Source, read
from microgpt.data.encoded import Offsets
from microgpt.data.measured import with_context
from microgpt.data.plan import Plan
from microgpt.data.shuffle import shuffled
from microgpt.data.tokenizer import Characters, encode_all
from microgpt.engines.contract import Engine
from microgpt.engines.native import BUILDS
from microgpt.training import budget
from microgpt.training.loop import train
from microgpt.training.pace import Pace
from microgpt.training.task import Dataset, Task

RECORD = Path(__file__).parent / "records" / "streams.json"
CASES = ("10:5", "120:5")
# Floating-point operations a second, as two threads had them when docs/race.md was measured.
SPEED = 8e10
COUNTS = (5, 6, 7, 8)


@dataclass(frozen=True, eq=False)
class Shifted(Plan):
    """A plan of one text whose windows begin at another place in each epoch but the first."""

    block: int = 128

    def batches(self, first: int, steps: int, rank: int = 0, world: int = 1) -> Batches:
        """Return the batches of some steps."""
        begun, at, stop = 0, first * self.batch_size, (first + steps) * self.batch_size
        starts, stops = list[Offsets](), list[Offsets]()
        for epoch in range(1 << 20):
            rng = random.Random(1000 * epoch + self.seed)
            offset = rng.randrange(1, self.block) if epoch else self.block
            edges = np.arange(offset, self.data.positions, self.block)
            edges = np.concatenate([[0], edges, [self.data.positions]])
            order = shuffled(len(edges) - 1, rng)
            its = order[max(at - begun, 0) : max(stop - begun, 0)]
            starts.append(edges[its])
            stops.append(edges[its + 1])
            begun += len(edges) - 1
            if begun >= stop:
                break
        begin = np.concatenate(starts)
        taken = self.data.copied(begin, np.concatenate(stops) - begin)
        steps_K = np.arange(steps + 1) * self.batch_size
        return Batches(taken.tokens_N, taken.targets_N, taken.documents, steps_K)


def windows(texts: Batch, block: int, context: int) -> Batch:
    """Split one text into windows with this much context."""
    later = np.arange(block, texts.positions, block - context)
    edges = np.concatenate([[0], later, [texts.positions]])
    context_W = np.full(len(edges) - 1, context)
    context_W[0] = 0
    return with_context(texts, edges[:-1], np.diff(edges), context_W, block)


def trained(task: Task, *, is_shifted: bool) -> Engine:
    """Train on one thread."""
    engine, training = task.open("native", threads=1), task.training
    engine.load(task.first_state())
    plan = task.plan
    if is_shifted:
        its = (task.layout.texts, plan.batch_size, plan.seed, plan.order)
        plan = Shifted(*its, task.model.block_size)
    for steps in train(engine, plan, training, Pace(training)):
        assert steps.settled
    return engine


def measured(engine: Engine, task: Task) -> dict[str, float]:
    """Measure a trained GPT, alone and mixed."""
    tokens, block = task.tokenizer, task.model.block_size
    texts = whole(encode_all(tokens, task.dataset.heldout_documents))
    found, gpt = dict[str, float](), dict[str, Any]()
    for name, context in (("none", 0), ("half", block // 2), ("three quarters", 3 * block // 4)):
        batch = windows(texts, block, context)
        gpt[name] = batch.counted(engine.losses(batch))
        found[f"gpt, {name}"] = float(gpt[name].mean())
    del gpt["three quarters"]

    def mix(label: str, counts: NGram, others: Batch) -> None:
        counts_N = counts.losses(others)
        found[label] = float(counts_N.mean())
        for name, gpt_N in gpt.items():
            loss_N = mixed(gpt_N, counts_N, fitted(gpt_N, counts_N))
            found[f"gpt, {name} + {label}"] = float(loss_N.mean())

    def ngram(batch: Batch, n: int) -> NGram:
        return NGram.of(batch, tokens.vocab_size, tokens.bos, n)

    beside = lay_out(encode_all(tokens, task.dataset.heldout_documents), tokens.bos, block).batch
    mix("5 in windows", ngram(task.layout.batch, 5), beside)
    for n in COUNTS:
        mix(f"{n}", ngram(task.layout.texts, n), texts)
    return found


def main() -> None:
    """Train, measure, print, record."""
    path = Path(sys.argv[1]) / "shakespeare.txt"
    data = read(Source(files=(str(path),), stream=True))
    dataset = Dataset(data, Characters.of(data.documents), 0.1)
    V, lengths_D = dataset.tokenizer.vocab_size, np.diff(dataset.encoded.offsets)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    rows = list[dict[str, Any]]()
    for case in sys.argv[2:] or CASES:
        seconds, seeds = map(int, case.split(":"))
        chosen = budget.choose(SPEED * seconds, lengths_D, V)
        config = GPTConfig(vocab_size=V, **chosen.model)
        positions = SPEED * seconds / model.flops(config.n_layer, config.n_embd, V)
        steps = round(positions / (chosen.training["batch_size"] * config.block_size))
        training = TrainConfig(steps=steps, **chosen.training)
        for is_shifted in (False, True):
            found, took = list[dict[str, float]](), list[float]()
            for seed in range(1, seeds + 1):
                task = Task(dataset, config, replace(training, seed=seed))
                began = time.process_time()
                engine = trained(task, is_shifted=is_shifted)
                took.append(time.process_time() - began)
                found.append(measured(engine, task))
            losses = {key: [one[key] for one in found] for key in found[0]}
            epochs = positions / dataset.encoded.offsets[-1]
            row = {
                "seconds": seconds, "steps": steps, "epochs": epochs, "shifted": is_shifted,
                "n_layer": config.n_layer, "n_embd": config.n_embd, "process": took,
                "losses": losses,
            }  # fmt: skip
            rows.append(row)
            print(f"{seconds} s, {epochs:.1f} epochs, shifted: {is_shifted}", flush=True)
            for key, values in losses.items():
                spread = f"({min(values):.4f} to {max(values):.4f})"
                print(f"  {key:32} {statistics.mean(values):.4f} {spread}", flush=True)
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
