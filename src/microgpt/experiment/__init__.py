"""The objectives compared: one model, trained with each from one initial state on the same batches.

In: a source of text and a preset, or a run's folder. Out: an `Experiment`, whose curves show nats
and accuracy on the same held-out positions, whatever was minimised. It trains with the recipe's own
optimizer and with plain gradient descent, ``parameters -= rate * gradient``: Adam divides a
gradient by its running size, which compensates a w(p) that is small everywhere, but not one that is
small at some positions only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from microgpt.config import GPTConfig, ObjectiveName, TrainConfig, check_count
from microgpt.counting.ladder import ladder
from microgpt.data import corpus
from microgpt.data.corpus import Corpus, Source
from microgpt.data.tokenizer import Tokenizer
from microgpt.engines import about
from microgpt.engines.contract import Engine
from microgpt.errors import DataError, DivergedError
from microgpt.experiment.point import SURE_AND_WRONG, Point, measure
from microgpt.loss import LossSum
from microgpt.optim import learning_rate
from microgpt.runs import checkpoint
from microgpt.runs.documents import read_again
from microgpt.training.heldout import ENOUGH, HeldOutDocuments
from microgpt.training.presets import preset
from microgpt.training.task import Dataset, Task, tokenizer_for
from microgpt.wording import rates

__all__ = [
    "PLAIN_RATE",
    "STEPS",
    "SURE_AND_WRONG",
    "Experiment",
    "Point",
    "measure",
    "new",
    "of_run",
]

STEPS = 1000
"""Steps of each training, at most, unless the caller sets their number."""

PLAIN_RATE = 0.1
"""The learning rate at the first step of plain gradient descent. At ten times this rate `-log p`
diverges on the batches of the preset "microgpt"."""

# The scalar engine's steps and held-out positions: they take it half a minute.
_FEW_STEPS, _FEW_POSITIONS = 100, 100
# With an eps this large Adam's divisor is constant: it is plain gradient descent, in any engine.
_LARGE = 1e4
# How many times a training is measured; more often at its beginning.
_MARKS = 24


class Experiment:
    """A model and its data, to be trained with each objective.

    Args:
        data: the documents.
        tokens: their tokenizer.
        config: the model's settings.
        training: the training's settings; its objective and its n-gram counts are not used.
        engine: by name.
        threads: for the engine.
        device: for the engine.

    Attributes:
        corpus: the documents.
        measured: the held-out positions on which all curves are measured.
        baselines: the baselines' losses on these.
        quarter: the step after a quarter of the training.

    Raises:
        UsageError, DataError: a setting or the data is invalid.
    """

    def __init__(
        self,
        data: Corpus,
        tokens: Tokenizer,
        config: GPTConfig,
        training: TrainConfig,
        engine: str = "auto",
        threads: int | None = None,
        device: str | None = None,
    ) -> None:
        is_fast = about(engine).is_fast
        steps = training.steps or 1
        self.corpus = data
        self.config = config
        self.training = replace(training, seconds=None, ngram=0, holdout=training.holdout or 0.1)
        dataset = Dataset(data, tokens, self.training.holdout)
        self._task = Task(dataset, config, self.training)
        self.documents, held_out = len(dataset.train_documents), dataset.heldout_documents
        if not held_out:
            raise DataError(
                f"documents must be enough to hold some out; got {self.documents}, and "
                f"holdout={self.training.holdout:g} holds out none. Try more text."
            )
        self._opening = (engine, threads, device)
        documents = HeldOutDocuments(held_out, tokens, config.block_size, training.seed)
        self.measured = documents.head(ENOUGH if is_fast else _FEW_POSITIONS)
        self.baselines: dict[str, LossSum] = ladder(self._task.layout.batch, self.measured, tokens)
        self.quarter = steps // 4
        self.marks = sorted({0, self.quarter, *(round(steps ** (i / _MARKS)) for i in range(25))})
        self.engine = self.opened("cross-entropy", plain=False).name

    def opened(self, objective: ObjectiveName, *, plain: bool) -> Engine:
        """Open an engine in the initial state, the same for all objectives to the last bit."""
        training = self.how(objective, plain=plain)
        engine = replace(self._task, training=training).open(*self._opening)
        engine.load(self._task.first_state())
        return engine

    def how(self, objective: ObjectiveName, *, plain: bool) -> TrainConfig:
        """Return the recipe with an objective, and with plain gradient descent if asked."""
        training = replace(self.training, loss=objective)
        if not plain:
            return training
        return replace(
            training, optimizer="adam", beta1=0.0, eps=_LARGE, lr=PLAIN_RATE * _LARGE,
            weight_decay=0.0,
        )  # fmt: skip

    def curve(self, objective: ObjectiveName, *, plain: bool) -> Iterator[Point]:
        """Train with an objective; yield the points of its curve.

        Raises:
            DivergedError: the loss is not finite.
        """
        training, engine = self.how(objective, plain=plain), self.opened(objective, plain=plain)
        early: NDArray[np.bool_] | None = None
        at = 0
        for mark in self.marks:
            while at < mark:
                # In short calls: Ctrl-C is handled between two of them.
                piece = min(mark - at, self.marks[-1] // 50 + 1)
                lr_K = [learning_rate(training, at + k, 0.0) for k in range(1, piece + 1)]
                sums = engine.train(self._task.plan.batches(at, piece), np.array(lr_K))
                at += len(sums)
                if not math.isfinite(sums[-1].nats):
                    blamed = f"{PLAIN_RATE:g}" if plain else rates(training)
                    raise DivergedError(at, sums[-1].mean, blamed)
            point, wrong_N = measure(engine, self.measured, objective, mark)
            if early is not None and early.any():
                point = replace(point, stayed=float(wrong_N[early].mean()))
            if mark == self.quarter:
                early = wrong_N
            yield point


def new(
    source: Source,
    preset_name: str = "microgpt",
    steps: int | None = None,
    seed: int | None = None,
    engine: str = "auto",
    threads: int | None = None,
    device: str | None = None,
) -> Experiment:
    """Prepare an experiment on a data set, with a preset's model and training.

    Args:
        source: where the documents are.
        preset_name: the preset.
        steps: of each training; None: the preset's, 1,000 at most, or 100 on the scalar engine.
        seed: of the documents' order and the initial values; None: the preset's.
        engine: by name, or "auto".
        threads: for the engine.
        device: for the engine.

    Raises:
        UsageError, DataError: a setting or the data is invalid.
    """
    begin = preset(preset_name)
    training = _short(TrainConfig(**begin.training), steps, seed, engine)
    data = corpus.read(source)
    tokens = tokenizer_for("characters", data, begin.bos)
    config = GPTConfig(vocab_size=tokens.vocab_size, **begin.model)
    return Experiment(data, tokens, config, training, engine, threads, device)


def of_run(
    folder: Path,
    steps: int | None = None,
    seed: int | None = None,
    engine: str = "auto",
    threads: int | None = None,
    device: str | None = None,
) -> Experiment:
    """Prepare an experiment on a run's documents, with its settings; it trains from the start.

    Args:
        folder: the run's.
        steps: of each training; None: the run's, as in `new`.
        seed: of the documents' order and the initial values; None: the run's.
        engine: by name, or "auto".
        threads: for the engine.
        device: for the engine.

    Raises:
        UsageError, DataError, RunError: a setting, the data or the run is invalid.
    """
    settings, tokens = checkpoint.read_settings(folder)
    training = _short(settings.training, steps, seed, engine)
    data = read_again(folder, settings)
    return Experiment(data, tokens, settings.model, training, engine, threads, device)


def _short(training: TrainConfig, steps: int | None, seed: int | None, engine: str) -> TrainConfig:
    """Set steps and seed; None: the recipe's own, with at most STEPS steps."""
    most = STEPS if about(engine).is_fast else _FEW_STEPS
    if steps is None:
        steps = min(training.steps or most, most)
    check_count("steps", steps)
    return replace(training, steps=steps, seed=training.seed if seed is None else seed)
