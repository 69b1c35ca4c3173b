"""The recipe for a budget in seconds: width, depth, batch size, regularisation.

In: how fast this machine computes, for how long, on how much data. Out: a `ChosenRecipe`: the
settings, and the reason in a line. Nothing is searched when the program runs: a table and two laws,
fitted once on names and on Shakespeare, decide; docs/race.md has the measurements.

**Size.** With W floating-point operations a model of P parameters reads W / (6 P) positions. A
smaller model lacks capacity; a larger one reads too few positions. The best is near
P = sqrt(W / 100), 17 positions a parameter; `SHAPES` has the widths near it at which the engines
are fastest. An ensemble's GPTs are deeper for their work. **Models.** Two GPTs, each on half of the
processors, are better than one on all, unless time is so short that they have read too little.
**Regularisation.** Training for more epochs overfits more: dropout and weight decay grow with the
number of epochs. **Batch size.** It grows with the length of the training. **Counts.** With few
kinds of tokens the mixture is log-linear, with counts of two to eight tokens, seven in prose, whose
counts take more memory. With more it is linear: prose repeats itself at greater length than names
do, so seven tokens in a row are counted there, and five elsewhere.

Source of the first law's form: Hoffmann et al., "Training compute-optimal large language models"
(2022), who found some 20 positions a parameter, for models ten million times as large.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt import model
from microgpt.config import GPTConfig, MixtureName
from microgpt.data.batch import Batch
from microgpt.data.plan import Plan
from microgpt.engines.contract import Engine, State
from microgpt.training.presets import MODERN, MUON, Preset

SHAPES = (
    (0.0, 16, 1),
    (3e9, 16, 2),
    (1e10, 32, 1),
    (4e10, 32, 2),
    (3e11, 64, 2),
    (1.5e12, 64, 3),
    (4e12, 64, 4),
    (1.2e13, 64, 6),
    (4e13, 128, 4),
    (1e14, 128, 6),
    (4e14, 256, 4),
    (1e15, 256, 8),
)
"""(fewest floating-point operations of a training, width, layers)."""

ENSEMBLE_SHAPES = (
    *SHAPES[:4],
    (1.5e11, 32, 3),
    (7e11, 64, 3),
    (3e12, 64, 4),
    *SHAPES[7:],
)
"""The same for each GPT of an ensemble, which may overfit more: what they memorise averages out."""

TWO = 3e11
"""The fewest operations, of one GPT on all processors, for which two GPTs side by side are better.

With fewer a GPT on half of the processors has read too little."""


ALWAYS = Preset(
    "what every choice has",
    model={**MODERN, "n_head": 4},
    training={**MUON, "ngram": 5, "mixture": "linear"},
)
"""The settings of every chosen recipe; it mixes in counts, because they lower the loss."""

PROSE = {"ngram": 7}
"""The settings of a text that repeats itself at length."""

LOG_LINEAR_NGRAM = 8
"""The longest n-grams of a log-linear mixture, in tokens, in what is no prose."""

_PROSE_BLOCK, _PROSE_POSITIONS, _PROSE_VOCAB = 64, 1 << 22, 257

# A log-linear mixture takes time with every kind of token, and memory with the text; and some
# thousand held-out positions, a tenth of the text, to fit its weights on.
_LOG_LINEAR_POSITIONS, _LOG_LINEAR_VOCAB = (1 << 14, 1 << 22), 128

MEASURED = (
    "n_layer", "n_embd", "block_size", "models", "batch_size", "weight_decay", "dropout",
)  # fmt: skip
"""The settings that depend on the machine's speed and on the documents."""


@dataclass(frozen=True)
class ChosenRecipe:
    """A recipe, and the reason for it.

    Attributes:
        model: fields of GPTConfig.
        training: fields of TrainConfig.
        why: the reason, one line.
    """

    model: dict[str, Any]
    training: dict[str, Any]
    why: str


def choose(
    work: float,
    lengths: Sequence[int] | NDArray[np.int64],
    vocab_size: int,
    models: int = 1,
    mixture: MixtureName | None = None,
) -> ChosenRecipe:
    """Choose a recipe for an amount of work on documents of these lengths.

    Args:
        work: floating-point operations that the budget allows each GPT.
        lengths: positions of each training document.
        vocab_size: V.
        models: how many GPTs are trained side by side.
        mixture: of the GPTs and counts; None: it is chosen, too.

    >>> for seconds in (1, 5, 20, 60):
    ...     choice = choose(1e11 * seconds, [7] * 30_000, 27)
    ...     model, training = choice.model, choice.training
    ...     print(model["n_layer"], model["n_embd"], training["batch_size"], training["dropout"])
    2 32 58 0.0
    2 64 65 0.0
    3 64 107 0.04
    4 64 160 0.09
    """
    shapes = SHAPES if models == 1 else ENSEMBLE_SHAPES
    width, layers = next((w, n) for least, w, n in reversed(shapes) if work >= least)
    positions = work / model.flops(layers, width, vocab_size)
    lengths_D = np.asarray(lengths, dtype=np.int64)
    read = int(lengths_D.sum())
    epochs = positions / read
    batch = min(max(0.5 * math.sqrt(positions), 128.0), 8192.0)
    block = _block(lengths_D)
    # A document longer than the block counts as several windows.
    length = read / int((-(-lengths_D // block)).sum())
    training: dict[str, Any] = {
        "models": models,
        "batch_size": max(1, round(batch / length)),
        "weight_decay": round(min(0.1, 0.01 * epochs), 3),
        "dropout": round(min(max(0.05 * math.log2(max(epochs, 1.0) / 6.5), 0.0), 0.3), 2),
    }
    # Counts of seven take five times the bytes of those of five, 14 MB for a megabyte.
    if block >= _PROSE_BLOCK and read <= _PROSE_POSITIONS and vocab_size <= _PROSE_VOCAB:
        training |= PROSE
    if mixture is None:
        least, most = _LOG_LINEAR_POSITIONS
        is_small = vocab_size <= _LOG_LINEAR_VOCAB and least <= read <= most
        mixture = "log-linear" if is_small else "linear"
    if mixture == "log-linear":
        training = {"ngram": LOG_LINEAR_NGRAM, **training, "mixture": mixture}
    shape = {"n_layer": layers, "n_embd": width, "block_size": block}
    times = f"{epochs:.1f}" if epochs < 10 else f"{epochs:,.0f}"
    whose = f"for {models} GPTs side by side " if models > 1 else ""
    why = f"time {whose}to read the text {times} times"
    return ChosenRecipe({**ALWAYS.model, **shape}, {**ALWAYS.training, **training}, why)


def speed(engine: Engine, config: GPTConfig, data: Batch, seconds: float) -> float:
    """Measure the floating-point operations a second of a training; of an ensemble, of each GPT.

    Args:
        engine: opened for the config.
        config: the model's shape.
        data: documents like those of the training.
        seconds: about how long to measure.
    """
    models = len(engine.state().parameters) // model.size(config)
    drawn = np.random.RandomState(1).normal(0.0, 0.1, models * model.size(config))
    engine.load(State.fresh(drawn))
    plan = Plan(data, batch_size=len(data))
    step, lr = plan.batches(0, 1), np.array([1e-6])
    engine.train(step, lr)
    began, steps = time.perf_counter(), 0
    while not steps or time.perf_counter() - began < seconds:
        engine.train(step, lr)
        steps += 1
    took = time.perf_counter() - began
    each = model.flops(config.n_layer, config.n_embd, config.vocab_size)
    return steps * data.positions * each / took


def gain(epochs: float, won: float) -> float:
    """Estimate by how many nats a position doubling the time would lower the loss.

    That is a tenth of the gain over the bigram loss, divided by the epochs: it matches what
    doubling gained between 2 and 60 s on names to within a factor of two.

    Args:
        epochs: how many times the text was read.
        won: the bigram loss minus the model's, in nats.

    >>> round(gain(10.0, 0.5), 4)
    0.005
    """
    return 0.1 * max(won, 0.0) / max(epochs, 1.0)


def _block(lengths: NDArray[np.int64]) -> int:
    """Return the smallest power of two, 16 to 128, that 99.5 % of the documents fit in."""
    longest = float(np.quantile(lengths, 0.995))
    return 2 ** min(max(math.ceil(math.log2(longest)), 4), 7)
