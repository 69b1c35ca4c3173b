"""A training with the folder that it is recorded in.

In: the parts that `prepare` makes. Out: the training's events, `Steps` and `HeldOut`, in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    from microgpt.runs.tracking.contract import Status
    from microgpt.runs.tracking.process import Tracking


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

    def __init__(
        self,
        made: Prepared,
        recorder: Recorder,
        stack: ExitStack,
        tracking: Tracking | None = None,
    ) -> None:
        self.settings, self.corpus, self.trainer = made.settings, made.corpus, made.trainer
        self.why, self.measured, self.reading = made.why, made.measured, made.reading
        self.needs, self.recorder = made.needs, recorder
        self.folder, self._stack, self._tracking = recorder.folder, stack, tracking

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A second Ctrl-C ends at once, and the trackers with it.
        if kind is None or issubclass(kind, Exception):
            self.tracked(is_failed=kind is not None)
        self._stack.close()

    def __iter__(self) -> Iterator[Steps | HeldOut]:
        """Train, write log and checkpoints, yield the events.

        Raises:
            DivergedError: the loss is not finite; the message names the last good checkpoint.
            OSError: a file cannot be written; the last good checkpoint stays.
        """
        recorder, tracking = self.recorder, self._tracking
        if tracking is None:
            yield from recorder
            return
        tracking.tell(recorder.covered)
        try:
            for event in recorder:
                yield event
                tracking.tell(recorder.covered)
        finally:
            tracking.tell(recorder.covered)

    def tracked(
        self, waiting: Callable[[str], None] | None = None, *, is_failed: bool = False
    ) -> list[str]:
        """Wait for the trackers at the end of the training, a bounded time.

        Args:
            waiting: called with a sentence if they take longer than a second.
            is_failed: whether an error has ended the training.

        Returns:
            A sentence for each tracker that has not got all of the run.
        """
        if self._tracking is None:
            return []
        status: Status = (
            "finished" if self.trainer.has_ended else "failed" if is_failed else "stopped"
        )
        return self._tracking.finish(status, waiting)

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

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self.trainer.pace.is_stopped

    def stop(self) -> None:
        """Stop after the current chunk of steps; the state is then saved."""
        self.trainer.stop()

    def ladder(self) -> Ladder:
        """Return the losses of the model and of the baselines: see `Trainer.ladder`."""
        return self.trainer.ladder()
