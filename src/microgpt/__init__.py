"""Train a GPT on your own lines of text in seconds, and see exactly how wrong it is.

The names below stand in the order in which data flows through them. Each is loaded when it is first
asked for: `import microgpt` alone loads nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from microgpt.config import GPTConfig, TrainConfig
    from microgpt.errors import DataError, DivergedError, MicroGPTError, RunError, UsageError
    from microgpt.evaluation import Evaluation
    from microgpt.loss import LossSum, cross_entropy
    from microgpt.runs.run import Run, load
    from microgpt.runs.trained import train
    from microgpt.scoring.score import Score
    from microgpt.training.presets import PRESETS

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

_HOME = {
    "config": ("GPTConfig", "TrainConfig"),
    "errors": ("DataError", "DivergedError", "MicroGPTError", "RunError", "UsageError"),
    "evaluation": ("Evaluation",),
    "loss": ("LossSum", "cross_entropy"),
    "runs.run": ("Run", "load"),
    "runs.trained": ("train",),
    "scoring.score": ("Score",),
    "training.presets": ("PRESETS",),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOME.items():
        if name in names:
            value = getattr(import_module(f"microgpt.{home}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'microgpt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
