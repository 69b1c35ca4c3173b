"""Every text of a file priced by a model that did not learn from it.

In: texts. Out: what each different one costs, and where it surprises most. The texts are shared
out among a few folds by a hash, so that all copies of a text are in one; for each fold a model,
with its counts and its alphabet, learns from the others alone. A mistake that stands in the file,
however often, is therefore new to the model that prices it.

A training takes as long as it is told to, or as long as pays: for the first fold a short one is
tried, by the size of the text, then another for twice as long, and so on, until twice the time
lowers the held-out loss by less than `PAYS`. The others take as long.

What surprises is what costs more than it was expected to: a run of positions whose sum of (loss -
entropy - usual loss) is largest, a maximal scoring segment (see `scoring.spans`). Without the
entropy that is a bound: it tells cheaply which texts need not be looked at.

Source: cross-validation, Stone, "Cross-validatory choice and assessment of statistical
predictions", JRSS B 36 (1974).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from math import inf, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from microgpt.config.bounds import Real, Whole
from microgpt.data.alike import Alike
from microgpt.data.split import numbers
from microgpt.data.texts import Texts
from microgpt.engines.contract import Floats
from microgpt.errors import DataError
from microgpt.runs import prepared
from microgpt.scoring.price import Priced, Pricer
from microgpt.training.loop import Steps
from microgpt.training.trainer import Trainer
from microgpt.wording import count

Ints = NDArray[np.int64]

FOLDS = 5
FEWEST = 20
"""Different texts, at least: among fewer nothing is unusual."""

PAYS = 0.05
"""Nats a position that twice the time must gain."""

# Seconds of the first training that is tried: for so many characters one, at least and at most.
_CHARACTERS, _LEAST, _MOST = 400_000, 0.5, 16.0
# Of a training, unless more are asked for.
_LONGEST = 64.0
# Other than that of the documents held out: in each training some of them are.
_SALT = b"folds"
# Texts priced at once: their losses at every position are held.
_TEXTS = 8192
# Texts that are looked at closely at once.
_CLOSELY = 2048


@dataclass(frozen=True)
class Training:
    """How far the trainings are.

    Attributes:
        fold: the number of the one under way, from 1.
        folds: how many there are.
        budget: its seconds.
        seconds: how many of these have passed.
    """

    fold: int
    folds: int
    budget: float
    seconds: float


@dataclass(frozen=True, eq=False)
class Surprising:
    """The texts that surprise most.

    Attributes:
        texts_D: their numbers among the different ones, in order.
        surprises_D: what the most surprising part of each costs above what is expected and usual.
        percentiles_D: how many of 100 of the different texts surprise less.
        starts_D: the first character of that part.
        stops_D: the character after its last; the end of a text counts as a character.
    """

    texts_D: Ints
    surprises_D: Floats
    percentiles_D: Floats
    starts_D: Ints
    stops_D: Ints


class Crossed:
    """Texts priced across folds. Iterate over it to train; then read what each text costs.

    Args:
        texts: of the rows, none of them blank.
        folds: how many models are trained, each on the texts of all folds but one.
        seconds: for all trainings together; None: as long as pays.
        settings: of every training, as `microgpt.train` takes them: engine, threads, seed.

    Attributes:
        alike: which rows have the same text.
        texts_U: the different ones, in the order in which they first come.
        folds_U: which fold each is in.
        means_U: what each costs a position.
        lengths_U: in characters.
        unknown_U: how many characters stand in no text of the other folds.
        bounds_U: no part of the text surprises more than this, in nats.
        usual: what a position costs, the mean of all.
        tried: the seconds of each training that was tried, and its held-out loss.

    Raises:
        DataError: there are too few different texts.
        UsageError: there are fewer than two folds, or no seconds.
    """

    def __init__(
        self, texts: Texts, folds: int = FOLDS, seconds: float | None = None, **settings: Any
    ) -> None:
        Whole(2, 1000).check("folds", folds)
        if seconds is not None:
            Real(0.0, inf, low_open=True).check("seconds", seconds)
        self._texts, self._seconds, self._settings = texts, seconds, settings
        self.alike = Alike.of(texts)
        self.texts_U = texts.take(self.alike.firsts_U)
        U = len(self.texts_U)
        if U < FEWEST:
            raise DataError(
                f"there must be at least {FEWEST} different texts to tell which are unusual; got "
                f"{count(U, 'text')}."
            )
        numbers_U = (numbers(self.texts_U, _SALT) * folds).astype(np.int64)
        # Of few texts a fold may be empty.
        _, self.folds_U = np.unique(numbers_U, return_inverse=True)
        self.means_U, self.bounds_U = np.zeros(U), np.zeros(U)
        self.lengths_U, self.unknown_U = np.zeros(U, np.int64), np.zeros(U, np.int64)
        self.usual = 0.0
        self.tried: list[tuple[float, float]] = []
        self._pricers: list[Pricer] = []

    @property
    def folds(self) -> int:
        """How many there are."""
        return int(self.folds_U.max()) + 1

    def __iter__(self) -> Iterator[Training]:
        """Train a model for each fold, then price the texts of each.

        Raises:
            DivergedError: a loss is no longer finite.
        """
        seconds = self._seconds / self.folds if self._seconds else None
        for fold in range(self.folds):
            if seconds is None:
                trainer = yield from self._as_long_as_pays(fold)
                seconds = self.tried[-1][0]
            else:
                trainer = yield from self._trained(fold, seconds)
            task = trainer.task
            self._pricers.append(Pricer(trainer.predictor, task.tokenizer, task.model.block_size))
        nats, positions = 0.0, 0
        for some, priced in self._priced():
            self.means_U[some], self.lengths_U[some] = priced.means_D, priced.laid.lengths_D
            self.unknown_U[some] = priced.laid.unknown_D
            nats, positions = nats + float(priced.losses_N.sum()), positions + len(priced.losses_N)
        self.usual = nats / positions
        for some, priced in self._priced():
            self.bounds_U[some] = priced.surprises(self.usual)

    def _as_long_as_pays(self, fold: int) -> Generator[Training, None, Trainer]:
        """Train anew for twice as long until that gains too little; return the last one."""
        size = max(self._texts.characters, 1) / _CHARACTERS
        seconds = min(max(2.0 ** round(log2(size)), _LEAST), _MOST)
        while True:
            trainer = yield from self._trained(fold, seconds)
            heldout = trainer.last_heldout
            loss = heldout.sum.mean if heldout else 0.0
            before = self.tried[-1][1] if self.tried else inf
            self.tried.append((seconds, loss))
            if before - loss < PAYS or heldout is None or 2 * seconds > _LONGEST:
                return trainer
            seconds *= 2

    def _trained(self, fold: int, seconds: float) -> Generator[Training, None, Trainer]:
        """Train on all folds but one."""
        others = self._texts.take(np.flatnonzero(self.folds_U[self.alike.number_D] != fold))
        trainer = prepared.in_memory(others, seconds=seconds, **self._settings).trainer
        for event in trainer:
            if isinstance(event, Steps):
                yield Training(fold + 1, self.folds, seconds, min(event.seconds, seconds))
        return trainer

    def _priced(self) -> Iterator[tuple[Ints, Priced]]:
        """Yield all different texts, some at a time, with their prices by their fold's model."""
        for fold, pricer in enumerate(self._pricers):
            its = np.flatnonzero(self.folds_U == fold)
            for some in np.split(its, range(_TEXTS, len(its), _TEXTS)):
                yield some, pricer.price(self.texts_U.take(some))

    def pricer(self, fold: int) -> Pricer:
        """Return what prices the texts of a fold."""
        return self._pricers[fold]

    def surprising(self, top: int) -> Surprising:
        """Return the texts that surprise most, the first one first.

        Args:
            top: how many.
        """
        U = len(self.texts_U)
        order = np.argsort(-self.bounds_U, kind="stable")
        surprises_U = np.full(U, -inf)
        starts_U, stops_U = np.zeros(U, np.int64), np.zeros(U, np.int64)
        for first in range(0, U, _CLOSELY):
            looked_at = surprises_U[order[:first]]
            # What is not looked at yet surprises no more than this.
            if first >= top and np.partition(looked_at, -top)[-top] >= self.bounds_U[order[first]]:
                break
            some = order[first : first + _CLOSELY]
            for fold, pricer in enumerate(self._pricers):
                its = some[self.folds_U[some] == fold]
                if not len(its):
                    continue
                priced = pricer.unexpected(self.texts_U.take(its))
                surprises_U[its] = priced.surprises(self.usual)
                starts_U[its], stops_U[its] = priced.spans(self.usual)
        best = np.argsort(-surprises_U, kind="stable")[:top]
        # How many cost less: all that do not cost as much.
        as_much = np.searchsorted(np.sort(-surprises_U[best]), -surprises_U[best], side="right")
        percentiles = 100.0 * (U - as_much) / U
        # Where nothing costs more than usual, nothing surprises.
        surprises = np.maximum(surprises_U[best], 0.0)
        return Surprising(best, surprises, percentiles, starts_U[best], stops_U[best])
