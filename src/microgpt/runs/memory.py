"""A complete training in memory, and its run's files on request.

In: a prepared training. Out: a `MemoryRun`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from microgpt.errors import DivergedError
from microgpt.runs import checkpoint
from microgpt.runs.counts import save_counts
from microgpt.runs.files import write_atomically
from microgpt.runs.log import LOG, Gathered, heldout_line
from microgpt.runs.trained import Trained
from microgpt.training.loop import Steps
from microgpt.training.progress import Checkpoint
from microgpt.wording import rates

if TYPE_CHECKING:
    from microgpt.runs.prepared import Prepared


class MemoryRun(Trained):
    """A run without a folder. Making one trains the model; it does not hold the documents.

    Args:
        made: the prepared training.

    Raises:
        DivergedError: the loss is not finite.
    """

    def __init__(self, made: Prepared) -> None:
        trainer, settings = made.trainer, made.settings
        gathered = Gathered(settings.log_every)
        self._lines, self._usual = list[str](), None
        try:
            for event in trainer:
                is_steps = isinstance(event, Steps)
                self._lines += (
                    gathered.take(event) if is_steps else [json.dumps(heldout_line(event))]
                )
            trainer.check()
        except DivergedError as error:
            blamed = rates(settings.training, settings.asked)
            raise DivergedError(error.step, error.loss, blamed) from None
        self._lines += gathered.settle()
        super().__init__(trainer, settings, "the model")
        if trainer.task.heldout:
            from microgpt.runs import usual  # which loads scoring

            self._usual = usual.at_end(trainer, settings)

    def write(self, folder: Path) -> None:
        """Write the run's files into an empty folder, as a training with a folder does."""
        about = checkpoint.fingerprint(folder, self.settings, self.tokenizer)
        if self.mixture:
            save_counts(folder, self.mixture.ngram, about)
        fitted = self.mixture.fitted if self.mixture else None
        ended = Checkpoint(self.engine.state(), fitted, settings=about)
        checkpoint.save(folder, self.settings.model, ended)
        checkpoint.write_settings(folder, self.settings, self.tokenizer)
        write_atomically(folder / LOG, "".join(f"{line}\n" for line in self._lines).encode())
        if self._usual:
            from microgpt.runs import usual

            of = usual.fingerprint(self.engine, self.mixture)
            usual.write(folder, self._usual, of)
