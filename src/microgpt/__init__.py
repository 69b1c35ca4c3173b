"""Train a GPT on your own lines of text in seconds, and see exactly how wrong it is.

The names below stand in the order in which data flows through them.
"""

from microgpt.config import PRESETS, GPTConfig, TrainConfig
from microgpt.errors import DataError, DivergedError, MicroGPTError, RunError, UsageError
from microgpt.evaluate import Evaluation, Score
from microgpt.loss import LossSum, cross_entropy
from microgpt.run import Run, load, train

__all__ = [
    "PRESETS",
    "DataError",
    "DivergedError",
    "Evaluation",
    "GPTConfig",
    "LossSum",
    "MicroGPTError",
    "Run",
    "RunError",
    "Score",
    "TrainConfig",
    "UsageError",
    "cross_entropy",
    "load",
    "train",
]
