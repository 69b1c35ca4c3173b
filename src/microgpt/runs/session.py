"""A training and the folder that it is recorded in.

In: what `prepare` has put together. Out: `Steps` and `HeldOut`s, one after the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from microgpt.config import GPTConfig, TrainConfig
from microgpt.counting.ladder import Ladder
from microgpt.data.corpus import Corpus
from microgpt.data.tokenizer import Tokenizer
from microgpt.runs.recorder import Recorder
from microgpt.runs.settings import Settings
from microgpt.training.heldout import HeldOut
from microgpt.training.loop import Steps
from microgpt.training.task import Task
from microgpt.training.trainer import Trainer


class Session:
    """A training in its folder. Iterate over it; `stop` it; read `trainer` and `ladder` off it.

    `prepare.new` and `prepare.resume` make one. It holds its folder until it is closed: use it in a
    `with`.

    Attributes:
        settings: the run's.
        corpus: the documents, and what is to be said of their files.
        trainer: the training.
        recorder: what writes it down.
        why: what its recipe was chosen by, if it was.
        prepared: seconds it took to choose that, and to count.
        reading: seconds it took before that to read the documents and encode them.
        folder: the run's.
    """

    def __init__(
        self,
        settings: Settings,
        data: Corpus,
        trainer: Trainer,
        recorder: Recorder,
        stack: ExitStack,
        why: str | None = None,
        prepared: float = 0.0,
        reading: float = 0.0,
    ) -> None:
        self.settings, self.corpus, self.trainer, self.recorder = settings, data, trainer, recorder
        self.why, self.prepared, self.reading = why, prepared, reading
        self.folder, self._stack = recorder.folder, stack

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[Steps | HeldOut]:
        """Train, keep log and checkpoint, yield what happens.

        Raises:
            DivergedError: the loss is not finite; the last good checkpoint is kept and named.
            OSError: the disk is full, say; the last good checkpoint is kept.
        """
        return iter(self.recorder)

    @property
    def task(self) -> Task:
        """What the training began with."""
        return self.trainer.task

    @property
    def model(self) -> GPTConfig:
        """The model's shape."""
        return self.settings.model

    @property
    def training(self) -> TrainConfig:
        """The recipe."""
        return self.settings.training

    @property
    def tokenizer(self) -> Tokenizer:
        """What makes token ids of text."""
        return self.task.tokenizer

    @property
    def updates(self) -> int:
        """Updates made so far."""
        return self.trainer.updates

    def stop(self) -> None:
        """End at the next step where the engine stands still; that is then saved."""
        self.trainer.stop()

    def ladder(self) -> Ladder:
        """Compare the model with counting: see `Trainer.ladder`."""
        return self.trainer.ladder()
