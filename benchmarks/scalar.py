"""The speed of the scalar engine, with and without its shortcuts: rows, and a record.

All times are of preset `microgpt` on the embedded names, measured in turn within one run, so that
their ratios hold on a noisy machine. A figure is the median of the rounds, with the lowest and the
highest beside it.

    python benchmarks/scalar.py [ROUNDS]
"""

from __future__ import annotations

import json
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import numpy as np

from microgpt import model
from microgpt.autograd import Value
from microgpt.config import GPTConfig, TrainConfig
from microgpt.data import corpus
from microgpt.data.batch import lay_out
from microgpt.data.plan import Plan
from microgpt.data.shuffle import shuffled
from microgpt.data.tokenizer import Characters, encode_all
from microgpt.engines import open_engine, scalar
from microgpt.engines.contract import State
from microgpt.loss import cross_entropy_by_the_book
from microgpt.optim import Optimizer
from microgpt.runs import checkpoint
from microgpt.training.presets import preset
from microgpt.training.progress import Checkpoint

STEPS = 10


def naive_dot(xs: list[Value], ys: list[Value]) -> Value:
    """Multiply and add one pair after the other, with a node for each operation."""
    total = xs[0] * ys[0]
    for x, y in zip(xs[1:], ys[1:]):
        total = total + x * y
    return total


def by_the_book(_: scalar.ScalarOps, logits_TV: list[list[Value]], targets: list[int]) -> object:
    """Compute the losses node by node."""
    return [cross_entropy_by_the_book(row, target) for row, target in zip(logits_TV, targets)]


def main() -> None:
    """Measure, print, record."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    recipe = preset("microgpt")
    documents = corpus.read(corpus.Source()).documents
    tokens = Characters.of(documents, recipe.bos)
    config = GPTConfig(vocab_size=tokens.vocab_size, **recipe.model)
    training = TrainConfig(**recipe.training)
    layout = lay_out(encode_all(tokens, documents), tokens.bos, config.block_size, training.long)
    plan = Plan(layout.batch, training.batch_size, training.seed, training.order)
    rng = random.Random(training.seed)
    shuffled(len(layout.batch), rng)
    engine = open_engine("scalar", config, Optimizer.of(training))
    engine.load(State.fresh(model.initial(config, rng)))
    batches = plan.batches(0, STEPS)
    lr = np.full(STEPS, training.lr)

    def decode() -> None:
        decoder = engine.decoder(1)
        for _ in range(STEPS):
            decoder.push([0])

    def step_with(**patches: object) -> Callable[[], object]:
        def run() -> object:
            with mock.patch.multiple(scalar, **patches):
                return engine.train(batches, lr)

        return run

    def step_by_the_book() -> object:
        with mock.patch.object(scalar.ScalarOps, "cross_entropy", by_the_book):
            return step_with(dot=naive_dot, without_collector=nullcontext)()

    with tempfile.TemporaryDirectory() as folder:
        rows: dict[str, Callable[[], object]] = {
            "train step": lambda: engine.train(batches, lr),
            "train step, collector on": step_with(without_collector=nullcontext),
            "train step, a node a product, collector on": step_by_the_book,
            "losses of a document": lambda: engine.losses(batches),
            "decoder, a token": decode,
            "checkpoint, a save": lambda: [
                checkpoint.save(Path(folder), config, Checkpoint(engine.state()))
                for _ in range(STEPS)
            ],
        }
        times: dict[str, list[float]] = {name: [] for name in rows}
        for _ in range(rounds):
            for name, run in rows.items():
                began = time.perf_counter()
                run()
                times[name].append((time.perf_counter() - began) / STEPS * 1e3)

    first = statistics.median(times["train step"])
    record = []
    for name, values in times.items():
        median = statistics.median(values)
        print(
            f"{name:44} {median:9.3f} ms   {min(values):.3f} to {max(values):.3f}   "
            f"{median / first:7.2f} x a step"
        )
        record.append({"row": name, "ms": median, "low": min(values), "high": max(values)})
    about = {"n": rounds, "python": platform.python_version(), "machine": platform.machine()}
    path = Path(__file__).parent / "records" / "scalar.json"
    path.write_text(json.dumps({**about, "rows": record}, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
