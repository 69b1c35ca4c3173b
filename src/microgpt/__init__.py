"""Train a GPT on your own lines of text in seconds, and see exactly how wrong it is.

The names below stand in the order in which data flows through them. Each is loaded when it is first
asked for: `import microgpt` alone loads nothing.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from microgpt.config import GPTConfig, TrainConfig
    from microgpt.errors import DataError, DivergedError, MicroGPTError, RunError, UsageError
    from microgpt.evaluate import Evaluation, Score
    from microgpt.loss import LossSum, cross_entropy
    from microgpt.presets import PRESETS
    from microgpt.run import Run, load
    from microgpt.trained import train

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
    "presets": ("PRESETS",),
    "errors": ("DataError", "DivergedError", "MicroGPTError", "RunError", "UsageError"),
    "evaluate": ("Evaluation", "Score"),
    "loss": ("LossSum", "cross_entropy"),
    "run": ("Run", "load"),
    "trained": ("train",),
}


class _Package(ModuleType):
    """The package, whose names are loaded when they are asked for."""

    def __getattr__(self, name: str) -> Any:
        for home, names in _HOME.items():
            if name in names:
                value = getattr(import_module(f"microgpt.{home}"), name)
                super().__setattr__(name, value)
                return value
        raise AttributeError(f"module 'microgpt' has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        # Python sets a submodule's name here when it is loaded; `microgpt.train` is the function.
        if not (isinstance(value, ModuleType) and name in __all__):
            super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
