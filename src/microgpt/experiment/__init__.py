"""The objectives compared: one model, trained with each from one initial state on the same batches.

In: documents and settings. Out: an `Experiment`, whose curves show nats and accuracy on the same
held-out positions, whatever was minimised. It trains with the recipe's own optimizer and with plain
gradient descent, ``parameters -= rate * gradient``: Adam divides a gradient by its running size,
which compensates a w(p) that is small everywhere, but not one that is small at some positions only.
`trainings` compares models with and without a part in the same way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from microgpt.config import ObjectiveName, TrainConfig
from microgpt.counting.ladder import ladder
from microgpt.engines import about
from microgpt.engines.contract import Engine
from microgpt.errors import DivergedError
from microgpt.experiment import base
from microgpt.experiment.base import FEW_POSITIONS, STEPS, Base, new, of_run
from microgpt.experiment.point import SURE_AND_WRONG, Point, measure
from microgpt.loss import LossSum
from microgpt.training.heldout import ENOUGH, HeldOutDocuments
from microgpt.training.pace import learning_rates
from microgpt.training.task import Task
from microgpt.wording import rates

__all__ = [
    "PLAIN_RATE",
    "STEPS",
    "SURE_AND_WRONG",
    "Base",
    "Experiment",
    "Point",
    "measure",
    "new",
    "of_run",
]

PLAIN_RATE = 0.1
"""The learning rate at the first step of plain gradient descent. At ten times this rate `-log p`
diverges on the batches of the preset "microgpt"."""

# How many times a training is measured; more often at its beginning.
_MARKS = 24


class Experiment:
    """A model and its data, to be trained with each objective.

    Args:
        on: the documents and the settings; the training's objective is not used.
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
        on: Base,
        engine: str = "auto",
        threads: int | None = None,
        device: str | None = None,
    ) -> None:
        is_fast = about(engine).is_fast
        self.corpus, self.config, self.training = on.corpus, on.config, on.training
        steps, tokens = self.training.steps or 1, on.tokenizer
        self._task = Task(on.dataset, self.config, self.training)
        self.documents, held_out = len(on.dataset.train_documents), on.dataset.heldout_documents
        self._opening = (engine, threads, device)
        documents = HeldOutDocuments(held_out, tokens, self.config.block_size, self.training.seed)
        self.measured = documents.head(ENOUGH if is_fast else FEW_POSITIONS)
        self.baselines: dict[str, LossSum] = ladder(self._task.layout.texts, self.measured, tokens)
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
        return base.plain(training, PLAIN_RATE) if plain else training

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
                lr_K = learning_rates(training, at + 1, at + piece)
                sums = engine.train(self._task.plan.batches(at, piece), lr_K)
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
