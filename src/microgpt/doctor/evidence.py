"""What the doctor looks at: a run's log, settings and checkpoint; its documents; a replay.

In: a run. Out: arrays of the log, and what follows from the rest, each made when it is first asked
for.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from microgpt.config import GPTConfig, TrainConfig
from microgpt.counting.ladder import enough, uniform
from microgpt.data.batch import Batch
from microgpt.doctor.finding import UnseenError
from microgpt.doctor.replay import Replay, replayed
from microgpt.engines.contract import Floats, State
from microgpt.errors import MicroGPTError, RunError, UsageError
from microgpt.loss import LossSum
from microgpt.runs import checkpoint
from microgpt.runs.documents import read_again
from microgpt.runs.log import Log, loss_sum
from microgpt.runs.run import Run
from microgpt.training.heldout import HeldOut
from microgpt.training.progress import Checkpoint
from microgpt.training.task import Dataset, Task


class Evidence:
    """A run, as the doctor sees it.

    Args:
        run: its engine is the one to replay with.
        again: a second run with the same settings; None: there is none.

    Raises:
        UsageError: the second run has other settings, or another engine trained it.
    """

    def __init__(self, run: Run, again: Run | None = None) -> None:
        self.run, self.again = run, again
        if again is not None and _recipe(again) != _recipe(run):
            raise UsageError(
                f"the second run must have the settings of the first one, {run.folder}; "
                f"{again.folder} has others."
            )

    def check(self) -> None:
        """Read what every run must have.

        Raises:
            RunError: the log or the checkpoint is missing or damaged, or the log has no step.
        """
        _ = self.log, self.saved

    @property
    def model(self) -> GPTConfig:
        """The model's settings."""
        return self.run.settings.model

    @property
    def training(self) -> TrainConfig:
        """The training's settings."""
        return self.run.settings.training

    @cached_property
    def log(self) -> Log:
        """The log, with at least one line of training."""
        log = self.run.log
        if not log.lines:
            raise RunError(f"{self.run.folder}: the log has no step yet. Train the run first.")
        return log

    @cached_property
    def sums(self) -> list[LossSum]:
        """The losses of each line of the log."""
        return [loss_sum(line) for line in self.log.lines]

    @cached_property
    def steps_L(self) -> NDArray[np.int64]:
        """The last step of each line."""
        return np.array([line["step"] for line in self.log.lines], np.int64)

    @cached_property
    def losses_L(self) -> Floats:
        """The loss of each line, nats a position."""
        return np.array([total.mean for total in self.sums])

    @cached_property
    def lr_L(self) -> Floats:
        """The learning rate of each line's last step."""
        return np.array([line["lr"] for line in self.log.lines])

    @property
    def is_coarse(self) -> bool:
        """Whether it may have been computed in bfloat16."""
        coarse = self.training.precision in ("auto", "bfloat16")
        return self.run.settings.engine == "torch" and coarse

    @property
    def blind(self) -> float:
        """The loss of blind guessing, ln V."""
        return uniform(self.model.vocab_size)

    def part(self, tenth: int) -> LossSum:
        """Return the losses of one tenth of the log's lines, at least one line; -1: the last."""
        n = len(self.sums)
        first = tenth % 10 * n // 10
        return sum(self.sums[first : max((tenth % 10 + 1) * n // 10, first + 1)], LossSum())

    @cached_property
    def end(self) -> LossSum:
        """The losses of the last tenth of the log."""
        return self.part(-1)

    @cached_property
    def error(self) -> float:
        """The standard error of `end`; of few lines it is estimated from the spread of all."""
        n = max(len(self.sums) // 10, 1)
        last = self.losses_L[-n:] if n >= 5 else self.losses_L
        spread = float(np.std(last, ddof=1)) if len(last) > 1 else 1.0
        return spread / n**0.5

    @cached_property
    def saved(self) -> Checkpoint:
        """The checkpoint."""
        return checkpoint.load(self.run.folder, self.model, self.run.settings.training.models)

    @property
    def has_ended(self) -> bool:
        """Whether the training is complete."""
        return self.saved.progress is None and not self.saved.is_earlier

    @property
    def kept(self) -> int | None:
        """The step of the state that the training has kept, if that is not the last one's."""
        lines = self.run.log.heldout
        return lines[-1]["heldout"].get("kept") if lines and self.has_ended else None

    @property
    def task(self) -> Task:
        """The training before its first step.

        Raises:
            RunError, DataError: its documents are missing, or have changed.
        """
        if isinstance(self._task, MicroGPTError):
            raise self._task
        return self._task

    @cached_property
    def _task(self) -> Task | MicroGPTError:
        """The task, or the error of reading its documents: they are read once."""
        try:
            corpus = read_again(self.run.folder, self.run.settings)
            dataset = Dataset(corpus, self.run.tokenizer, self.training.holdout)
        except MicroGPTError as error:
            return error
        return Task(dataset, self.model, self.training)

    @cached_property
    def first(self) -> State:
        """The state before the first update."""
        return self.task.first_state()

    @property
    def documents(self) -> Batch:
        """The training documents, fitted to the block; of very many, some."""
        return enough(self.task.layout.batch)

    @cached_property
    def measured(self) -> list[HeldOut]:
        """The evaluations on held-out documents, in the order of the log."""
        if not self.run.log.heldout:
            raise UnseenError("No held-out loss was measured.")
        return [*map(HeldOut.of, self.run.log.heldout)]

    @cached_property
    def _replay(self) -> Replay | UnseenError:
        try:
            return replayed(
                self.task, self.first, self.log, self.run.computes_with, is_coarse=self.is_coarse
            )
        except UnseenError as why:
            return why

    @property
    def replay(self) -> Replay:
        """The first steps, made again.

        Raises:
            UnseenError: a step takes too long, or its learning rate is not known.
        """
        if isinstance(self._replay, UnseenError):
            raise self._replay
        return self._replay


def _recipe(run: Run) -> tuple[object, ...]:
    """Return what two trainings must share to have the same losses."""
    settings = run.settings
    return (
        settings.model, settings.training, settings.fingerprint, settings.engine,
        settings.log_every,
    )  # fmt: skip
