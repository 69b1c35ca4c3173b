"""The model of a training as it stands in memory: what its folder has is not read again.

In: a training. Out: a `Trained`.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from microgpt.counting.mixture import Mixture
from microgpt.engines.contract import Engine, Predictor
from microgpt.runs.model import Model
from microgpt.runs.settings import Settings
from microgpt.runs.sound import Sound
from microgpt.training.trainer import Trainer


class Trained(Model):
    """The model of a training.

    Args:
        trainer: the training; nothing but its engine and its counts is held.
        settings: of its run.
        name: what a message calls the model: its folder, if it has one.
    """

    def __init__(self, trainer: Trainer, settings: Settings, name: str | Path) -> None:
        self.settings, self.tokenizer = settings, trainer.task.tokenizer
        self._engine, self._mixture, self._name = trainer.engine, trainer.mixture, name

    @cached_property
    def engine(self) -> Engine:
        """The GPT, ready to compute, or to be trained on."""
        return self._engine

    @cached_property
    def gpt(self) -> Predictor:
        """The GPT alone, which raises a RunError if a result is not finite."""
        return Sound(self._engine, self._name)

    @cached_property
    def mixture(self) -> Mixture | None:
        """The GPT mixed with counts; None: it is not."""
        mixed = self._mixture
        return Mixture(self.gpt, mixed.ngram, mixed.weight) if mixed else None
