"""The model of a training that is still in memory: its folder is not read again.

In: a training. Out: a `Trained` model.
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
        trainer: the training; only its engine and its counts are referenced.
        settings: of its run.
        name: the model's name in messages: its folder, if it has one.
    """

    def __init__(self, trainer: Trainer, settings: Settings, name: str | Path) -> None:
        self.settings, self.tokenizer = settings, trainer.task.tokenizer
        self._engine, self._mixture, self._name = trainer.engine, trainer.mixture, name

    @cached_property
    def engine(self) -> Engine:
        """The engine with the GPT's parameters."""
        return self._engine

    @cached_property
    def gpt(self) -> Predictor:
        """The GPT alone, which raises a RunError if a result is not finite."""
        return Sound(self._engine, self._name)

    @cached_property
    def mixture(self) -> Mixture | None:
        """The GPT mixed with counts; None: it is not mixed."""
        return self._mixture.with_gpt(self.gpt) if self._mixture else None
