"""The best state of a training so far: the one that its held-out documents cost least with.

In: evaluations on the same documents. Out: at the end, the parameters to keep. A training that goes
on for too long learns its documents by heart, and gets worse on others; what it knew before that is
kept here, and in a file beside the checkpoint where that has moved on.
"""

from __future__ import annotations

from pathlib import Path

from microgpt import checkpoint
from microgpt.config import GPTConfig
from microgpt.engines.contract import Engine, State
from microgpt.loss import LossSum

FILE = "best.safetensors"


class Best:
    """The best state, and what it cost.

    Args:
        folder: the run's; what an earlier part of the training has written is read.
        config: the model's shape.

    Attributes:
        loss: the sum that the documents cost with it; None: none was seen.
    """

    def __init__(self, folder: Path, config: GPTConfig) -> None:
        self._folder, self._config = folder, config
        self.loss: LossSum | None = None
        self._state: State | None = None
        self._written = 0
        if (folder / FILE).exists():
            self._state = checkpoint.load(folder, config, FILE)
            self.loss = checkpoint.load_notes(folder, FILE)[0]
            self._written = self._state.updates

    @property
    def step(self) -> int:
        """After which step it was; 0: none was seen."""
        return self._state.updates if self._state else 0

    def see(self, loss: LossSum, engine: Engine) -> None:
        """Take in an evaluation."""
        if self.loss is None or loss.mean < self.loss.mean:
            self.loss, self._state = loss, engine.state()

    def write(self, updates: int) -> None:
        """Write it down if the training has gone on since."""
        if self._state and self._written < self.step < updates:
            checkpoint.save(self._folder, self._config, self._state, self.loss, FILE)
            self._written = self.step

    def restore(self, engine: Engine) -> None:
        """Give its parameters to an engine; moments and updates stay those of the last step."""
        if self._state:
            last = engine.state()
            engine.load(State(self._state.parameters, last.m, last.v, last.updates))

    def forget(self) -> None:
        """Remove the file: the checkpoint has what is to be kept."""
        (self._folder / FILE).unlink(missing_ok=True)
