"""A benchmark of engines: how fast each trains some models, timed within one run.

In: cases, text to train on. Out: `Row`s. Speed is in floating-point operations a second, to compare
it with the processor's peak; counted are::

    6 (12 L D^2 + V D)      for each position: matrix products, forward and twice that backward
    12 L D                  for each pair of positions, one of which attends to the other
    14                      for each parameter and step: Adam
    11                      instead, for each parameter of the layers' matrices: Muon
    156 L D^3               and for each step: Muon's matrix products

A multiply-add is two operations; norms, softmax and the loss are not counted. Of a product that is
symmetric half is counted. Muon's five iterations on a D by D matrix need 10 D^3 multiply-adds: two
symmetric products and one other each. On a matrix of 4 D by D, three and two iterations at a time
need 19 D^3: twice its Gram matrix, 2 D^3, and a product with it, 4 D^3, and 14 symmetric products
of D by D. A layer has four of the former and two of the latter.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from microgpt import model
from microgpt.config import GPTConfig, OptimizerName, TrainConfig
from microgpt.data.batch import Batches
from microgpt.data.corpus import from_texts
from microgpt.data.plan import Plan
from microgpt.data.tokenizer import Characters
from microgpt.engines.contract import Floats, State
from microgpt.loss.sums import Sums
from microgpt.training.presets import Preset, preset
from microgpt.training.task import Dataset, Task, open_for

ROUNDS = 7


@dataclass(frozen=True)
class Case:
    """A model and a batch size.

    A `stream` is one long text, read in windows of the block. A preset's other settings are its
    own: the model's, the optimizer and dropout.
    """

    n_embd: int
    batch_size: int
    n_layer: int = 1
    block_size: int = 16
    stream: bool = False
    preset: str = ""

    @classmethod
    def of(cls, name: str) -> Case:
        """Return a preset as it trains on names.

        >>> Case.of("micro").label
        'micro: 2 x 32, batch 80'
        """
        kind, size = preset(name).model, preset(name).training["batch_size"]
        return cls(kind["n_embd"], size, kind["n_layer"], kind["block_size"], preset=name)

    @property
    def label(self) -> str:
        """A description of the case."""
        layers = f"{self.n_layer} x " if self.n_layer > 1 else ""
        if self.preset:
            return f"{self.preset}: {layers}{self.n_embd}, batch {self.batch_size}"
        return f"{layers}{self.n_embd}, block {self.block_size}, batch {self.batch_size}"


CASES = (
    *(Case(width, size) for width in (16, 32, 64, 128) for size in (1, 16)),
    Case(128, 12, n_layer=4, block_size=64, stream=True),
    Case(64, 32, n_layer=4),
    *map(Case.of, ("micro", "small", "medium")),
)


@dataclass(frozen=True)
class Row:
    """The measurements of a case.

    Attributes:
        label: the case.
        engine: the engine's name.
        threads: how many threads it used.
        document: seconds a document, the median of the rounds.
        low, high: the least and the most seconds a document of a round.
        token: seconds a position.
        speed: GFLOP/s, by the formula above.
        limit: seconds a document at one core's peak of multiply-adds; None: the peak is unknown.
    """

    label: str
    engine: str
    threads: int
    document: float
    low: float
    high: float
    token: float
    speed: float
    limit: float | None


def operations(config: GPTConfig, batches: Batches, optimizer: OptimizerName = "adam") -> float:
    """Count the floating-point operations of the steps of a training.

    >>> from microgpt.data.batch import lay_out
    >>> batch = lay_out([[0, 1]], bos=2, block_size=4).batch
    >>> steps = Plan(batch).batches(0, 1)
    >>> config = GPTConfig(vocab_size=3, n_embd=4, n_head=1)
    >>> operations(config, steps) == 6 * (12 * 16 + 12) * 3 + 12 * 4 * 6 + 14 * model.size(config)
    True
    """
    L, D, V = config.n_layer, config.n_embd, config.vocab_size
    lengths = np.diff(batches.documents)
    pairs = int((lengths * (lengths + 1) // 2).sum())
    products = model.flops(L, D, V) * batches.positions
    update = 14 * model.size(config)
    if optimizer == "muon":
        update += 156 * L * D**3 - (14 - 11) * 12 * L * D**2
    return products + 12 * L * D * pairs + update * batches.n_steps


def task(case: Case, names: Sequence[str], text: str) -> Task:
    """Return the task of a case: a training before its first step."""
    documents = from_texts([text] if case.stream else names)
    tokens = Characters.of(documents.documents)
    recipe = preset(case.preset) if case.preset else Preset("")
    shape = {"n_layer": case.n_layer, "n_embd": case.n_embd, "block_size": case.block_size}
    settings: dict[str, Any] = {**recipe.model, **shape, "vocab_size": tokens.vocab_size}
    training: dict[str, Any] = {**recipe.training, "batch_size": case.batch_size}
    config, how = GPTConfig(**settings), TrainConfig(**training)
    return Task(Dataset(documents, tokens, 0.0), config, how)


class Trains(Protocol):
    """The methods of an engine that the benchmark calls."""

    def load(self, state: State) -> None:
        """Load a copy of a state."""
        ...

    def train(self, batches: Batches, lr_K: Floats) -> Sums:
        """Make K updates."""
        ...


def engine(name: str, config: GPTConfig, training: TrainConfig, threads: int) -> Trains:
    """Open an engine."""
    return open_for(name, config, training, threads)


def rows(
    cases: Sequence[Case],
    names: Sequence[str],
    text: str,
    engines: Sequence[tuple[str, int]],
    peak: float | None,
    seconds: float = 0.1,
    opened: Callable[[str, GPTConfig, TrainConfig, int], Trains] = engine,
) -> Iterator[Row]:
    """Measure each case with each engine; in every round each engine is timed once.

    Args:
        cases: the models to train.
        names: the documents of cases that are not streams.
        text: the text of streams.
        engines: (name, threads) of each engine.
        peak: GFLOP/s of one core at most; None: unknown.
        seconds: about how long a round of one engine takes.
        opened: opens an engine.

    Raises:
        ArithmeticError: the engines' losses differ, so that they do not compute the same model.
    """
    for case in cases:
        trained = task(case, names, text)
        config, plan, start = trained.model, trained.plan, trained.first_state()
        training = trained.training
        trainers = [opened(name, config, training, threads) for name, threads in engines]
        losses = [_first_loss(trains, start, plan) for trains in trainers]
        if max(losses) - min(losses) > 1e-3 * max(losses):
            raise ArithmeticError(f"the losses of {case.label} must be one; got {losses}.")
        works = [_work(trains, plan, seconds) for trains in trainers]
        times: list[list[float]] = [[] for _ in works]
        for _ in range(ROUNDS):
            for took, (_, work) in zip(times, works):
                began = time.perf_counter()
                work()
                took.append(time.perf_counter() - began)
        for (name, threads), took, (batches, _) in zip(engines, times, works):
            n, counted = len(batches), operations(config, batches, training.optimizer)
            middle = statistics.median(took)
            yield Row(
                case.label,
                name,
                threads,
                middle / n,
                min(took) / n,
                max(took) / n,
                middle / batches.positions,
                counted / middle / 1e9,
                counted / n / peak / 1e9 if peak else None,
            )


def _first_loss(trains: Trains, start: State, plan: Plan) -> float:
    """Return the loss of the second step, which depends on the first update."""
    trains.load(start)
    return trains.train(plan.batches(0, 2), np.full(2, 1e-4))[-1].mean


def _work(trains: Trains, plan: Plan, seconds: float) -> tuple[Batches, Callable[[], object]]:
    """Return batches that take about `seconds`, and a function that trains on them, warmed up."""
    few = plan.batches(0, 2)
    began = time.perf_counter()
    trains.train(few, np.full(2, 1e-4))
    steps = max(2, int(seconds / (time.perf_counter() - began) * 2))
    batches = plan.batches(0, min(steps, 20_000))
    lr_K = np.full(batches.n_steps, 1e-4)
    trains.train(batches, lr_K)
    return batches, lambda: trains.train(batches, lr_K)
