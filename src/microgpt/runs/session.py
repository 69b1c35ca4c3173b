"""A training with the folder that it is recorded in.

In: the parts that `prepare` makes. Out: the training's events, `Steps` and `HeldOut`, in order.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from microgpt.config import GPTConfig, TrainConfig
from microgpt.counting.ladder import Ladder
from microgpt.data.tokenizer import Tokenizer
from microgpt.runs.recorder import Recorder
from microgpt.training.heldout import HeldOut
from microgpt.training.loop import Steps
from microgpt.training.task import Task

if TYPE_CHECKING:
    from microgpt.runs.prepared import Prepared


class Session:
    """A training in its folder: iterating over it trains, records and yields events.

    `prepare.new` and `prepare.resume` make one. Its folder is locked until it is closed: use it in
    a `with` statement.

    Attributes:
        settings: the run's.
        corpus: the documents, and notes on their files.
        trainer: the training.
        recorder: writes log and checkpoints.
        why: the reason for the recipe, if it was chosen for a budget.
        measured: the speeds of engines, if one was chosen by them.
        needs: what the training needs; None: it is resumed.
        reading: seconds it took to read and encode the documents.
        folder: the run's.
    """

    def __init__(self, made: Prepared, recorder: Recorder, stack: ExitStack) -> None:
        self.settings, self.corpus, self.trainer = made.settings, made.corpus, made.trainer
        self.why, self.measured, self.reading = made.why, made.measured, made.reading
        self.needs, self.recorder = made.needs, recorder
        self.folder, self._stack = recorder.folder, stack

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[Steps | HeldOut]:
        """Train, write log and checkpoints, yield the events.

        Raises:
            DivergedError: the loss is not finite; the message names the last good checkpoint.
            OSError: a file cannot be written; the last good checkpoint stays.
        """
        return iter(self.recorder)

    @property
    def task(self) -> Task:
        """The documents and the settings of the training."""
        return self.trainer.task

    @property
    def model(self) -> GPTConfig:
        """The model's settings."""
        return self.settings.model

    @property
    def training(self) -> TrainConfig:
        """The training's settings."""
        return self.settings.training

    @property
    def tokenizer(self) -> Tokenizer:
        """The run's tokenizer."""
        return self.task.tokenizer

    @property
    def updates(self) -> int:
        """Updates made so far."""
        return self.trainer.updates

    def stop(self) -> None:
        """Stop after the current chunk of steps; the state is then saved."""
        self.trainer.stop()

    def ladder(self) -> Ladder:
        """Return the losses of the model and of the baselines: see `Trainer.ladder`."""
        return self.trainer.ladder()
