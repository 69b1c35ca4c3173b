"""Train a GPT on your own lines of text in seconds, and see exactly how wrong it is.

Each public name is imported when it is first used: `import microgpt` alone loads nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from microgpt.config import GPTConfig, TrainConfig
    from microgpt.errors import DataError, DivergedError, MicroGPTError, RunError, UsageError
    from microgpt.evaluation import Evaluation
    from microgpt.loss import LossSum, cross_entropy
    from microgpt.runs.batches import score_batches
    from microgpt.runs.frame import logs, runs
    from microgpt.runs.run import Run, load
    from microgpt.runs.train import train
    from microgpt.sampling import Choice, Sample
    from microgpt.scoring.score import Score
    from microgpt.sweep.api import study
    from microgpt.training.presets import PRESETS

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "Choice",
    "DataError",
    "DivergedError",
    "Evaluation",
    "GPTConfig",
    "LossSum",
    "MicroGPTError",
    "Run",
    "RunError",
    "Sample",
    "Score",
    "TrainConfig",
    "UsageError",
    "__version__",
    "cross_entropy",
    "load",
    "logs",
    "runs",
    "score_batches",
    "study",
    "train",
]

_HOME = {
    "config": ("GPTConfig", "TrainConfig"),
    "errors": ("DataError", "DivergedError", "MicroGPTError", "RunError", "UsageError"),
    "evaluation": ("Evaluation",),
    "loss": ("LossSum", "cross_entropy"),
    "runs": ("runs",),
    "runs.batches": ("score_batches",),
    "runs.frame": ("logs",),
    "runs.run": ("Run", "load"),
    "runs.train": ("train",),
    "sampling": ("Choice", "Sample"),
    "scoring.score": ("Score",),
    "sweep.api": ("study",),
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
