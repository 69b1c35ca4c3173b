"""A training's events into its folder: the log, the checkpoint, what usual lines cost.

In: a `Trainer`, the files of its folder. Out: the same events, written down as they pass.

All that a training is lies in one file, replaced at once: parameters, moments, the best state, how
many lines of the log tell of it, and whether it has ended. Whatever else is on the disk (lines of
steps that came later, an evaluation of an end that was not reached) a resumed training takes away
and makes again, the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from microgpt.errors import DivergedError
from microgpt.runs import checkpoint
from microgpt.runs.counts import save_counts
from microgpt.runs.log import Log, LogWriter, loss_sum
from microgpt.runs.settings import Settings
from microgpt.training.heldout import HeldOut
from microgpt.training.loop import Steps
from microgpt.training.progress import Checkpoint, Progress
from microgpt.training.trainer import Trainer
from microgpt.wording import rates


class Recorder:
    """Writes down what a training does.

    Args:
        folder: the run's, held against other trainings.
        trainer: the training.
        settings: the run's.
        saved: the checkpoint that the training goes on from; None: it begins.

    Attributes:
        log: the lines.
        updates: how many the newest checkpoint has made.
    """

    def __init__(
        self, folder: Path, trainer: Trainer, settings: Settings, saved: Checkpoint | None = None
    ) -> None:
        self.folder, self.trainer, self._settings = folder, trainer, settings
        self._about = checkpoint.fingerprint(folder, settings, trainer.task.tokenizer)
        if trainer.mixture:
            save_counts(folder, trainer.mixture.ngram, self._about)
        progress = saved.progress if saved else Progress()
        self.updates = trainer.updates
        self.log = LogWriter(folder, settings.log_every, self.updates, progress)
        if saved:
            trainer.resume(saved)
            self._recall(self.log.before, progress)

    def _recall(self, log: Log, progress: Progress | None) -> None:
        """Tell the training what the log has of its earlier part."""
        trainer = self.trainer
        for before, line in zip([{"step": 0}, *log.lines], log.lines):
            trainer.tail.add(line["step"] - before["step"], loss_sum(line))
        if progress and progress.pending.positions:
            trainer.tail.add(trainer.updates - log.steps, progress.pending)
        if log.heldout:
            trainer.last_heldout = trainer.task.heldout.told(log.heldout[-1])

    def __iter__(self) -> Iterator[Steps | HeldOut]:
        """Pass on the events of the training, each when it is written down.

        Raises:
            DivergedError: the loss is not finite; the last good checkpoint is kept and named.
            OSError: the disk is full, say; the last good checkpoint is kept.
        """
        trainer = self.trainer
        has_begun = not trainer.has_ended
        try:
            for event in trainer:
                if isinstance(event, Steps):
                    self.log.steps(event)
                else:
                    self.log.heldout(event)
                yield event
                if trainer.is_settled and trainer.pace.save_is_due(trainer.updates):
                    self.save()
            if has_begun:
                self._finish()
        except DivergedError as error:
            self.log.flush()
            kept = f"{self.folder} (step {self.updates})"
            blamed = rates(trainer.task.training, self._settings.asked)
            raise DivergedError(error.step, error.loss, blamed, kept) from None

    def _finish(self) -> None:
        """Save at the end: of a training that has come to its own, what usual lines cost too."""
        trainer, task = self.trainer, self.trainer.task
        if trainer.has_ended:
            # What is held out of a stream is the end of one text: it is no line among others.
            if task.heldout and not self._settings.source.stream:
                from microgpt.runs import usual  # which loads scoring

                found = usual.at_end(trainer, self._settings)
                if found:
                    of = usual.fingerprint(trainer.engine, trainer.mixture)
                    usual.write(self.folder, found, of)
            self.log.settle()
        self.save()

    def save(self) -> None:
        """Write log and checkpoint; the checkpoint before stays until the new one is whole.

        Raises:
            DivergedError: the state is no good one.
            OSError: the disk is full, say.
        """
        pace = self.trainer.pace
        began = pace.now()
        # The log first: it must tell of every step that the checkpoint has made.
        self.log.flush()
        made = self.trainer.checkpoint(self.log.lines, self.log.pending)
        checkpoint.save(self.folder, self._settings.model, replace(made, settings=self._about))
        self.updates = made.state.updates
        pace.saved(began)
