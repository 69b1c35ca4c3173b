"""The recorder of a training: it writes the training's events to a run's folder.

In: a `Trainer`, a folder. Out: the trainer's events, passed on once they are written to the log.

The checkpoint, one file that is replaced atomically, has all that resuming needs: parameters,
moments, the best state, how many lines of the log belong to it, whether the training has ended. A
resumed training removes log lines of later steps and makes these steps again, with the same result.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from microgpt.errors import DivergedError, LostRankError
from microgpt.runs import checkpoint
from microgpt.runs.counts import save_counts
from microgpt.runs.log import Log, LogWriter, loss_sum
from microgpt.runs.settings import Settings
from microgpt.training.heldout import HeldOut
from microgpt.training.loop import Steps
from microgpt.training.progress import Checkpoint, Progress
from microgpt.training.trainer import Trainer
from microgpt.wording import path_word, rates


class Recorder:
    """Writes a training's events to its folder.

    Args:
        folder: the run's, locked by the caller.
        trainer: the training.
        settings: the run's.
        saved: the checkpoint to resume from; None: the training is new.

    Attributes:
        log: writes the log.
        updates: how many updates the newest checkpoint has.
        covered: how many lines of the log it covers.
    """

    def __init__(
        self, folder: Path, trainer: Trainer, settings: Settings, saved: Checkpoint | None = None
    ) -> None:
        self.folder, self.trainer, self._settings = folder, trainer, settings
        self._about = checkpoint.fingerprint(folder, settings, trainer.task.tokenizer)
        if trainer.mixture:
            save_counts(folder, trainer.mixture.ngram, self._about)
        progress = saved.progress if saved else Progress()
        self.updates, self.covered = trainer.updates, 0
        self.log = LogWriter(folder, settings.log_every, self.updates, progress)
        if saved:
            trainer.resume(saved)
            self.covered = self.log.lines
            self._recall(self.log.before, progress)

    def _recall(self, log: Log, progress: Progress | None) -> None:
        """Restore the trainer's last losses and last evaluation from the log."""
        trainer = self.trainer
        for before, line in zip([{"step": 0}, *log.lines], log.lines):
            trainer.tail.add(line["step"] - before["step"], loss_sum(line))
        if progress and progress.pending.positions:
            trainer.tail.add(trainer.updates - log.steps, progress.pending)
        if log.heldout:
            trainer.last_heldout = trainer.task.heldout.told(log.heldout[-1])

    def __iter__(self) -> Iterator[Steps | HeldOut]:
        """Train, and yield each event once it is written to the log.

        Raises:
            DivergedError: the loss is not finite; the message names the last good checkpoint.
            OSError: a file cannot be written; the last good checkpoint stays.
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
        except LostRankError as error:
            self.log.flush()
            raise lost(error, self.folder, self.updates) from error

    def _finish(self) -> None:
        """Save at the end; of a complete training, measure and write the usual losses too."""
        trainer, task = self.trainer, self.trainer.task
        if trainer.has_ended:
            # The held-out part of a stream is a single text: it has no percentiles.
            if task.heldout and not self._settings.source.stream:
                from microgpt.runs import usual  # which loads scoring

                found = usual.at_end(trainer, self._settings)
                if found:
                    of = usual.fingerprint(trainer.engine, trainer.mixture)
                    usual.write(self.folder, found, of)
            self.log.settle()
        self.save()

    def save(self) -> None:
        """Write log and checkpoint; the old checkpoint stays until the new one is complete.

        Raises:
            DivergedError: the state is not finite.
            OSError: a file cannot be written.
        """
        pace = self.trainer.pace
        began = pace.now()
        # The log first: it must have a line for every step of the checkpoint, or pending losses.
        self.log.flush()
        made = self.trainer.checkpoint(self.log.lines, self.log.pending)
        checkpoint.save(self.folder, self._settings.model, replace(made, settings=self._about))
        self.updates, self.covered = made.state.updates, self.log.lines
        pace.saved(began)


def lost(error: LostRankError, folder: Path, step: int | None = None) -> LostRankError:
    """Return the error of a training that has lost a rank: with its last good checkpoint."""
    saved = f"the checkpoint of step {step:,}" if step is not None else "the last checkpoint"
    return LostRankError(
        f"{error}; {saved} is whole. Go on with: microgpt train --resume {path_word(folder)}"
    )
