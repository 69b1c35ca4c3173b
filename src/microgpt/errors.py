"""What can go wrong, as types.

::

    ValueError
    └── UsageError        a caller's mistake: a value outside its domain
    MicroGPTError         the world's: what was met is not what it should be
    ├── DataError         text that cannot be read or has nothing to learn from
    ├── RunError          a run's folder that is missing, damaged or foreign
    │   └── InUseError    ... or that another process is writing to
    ├── SweepError        a sweep's folder or database that cannot be used
    ├── MissingExtra      an optional part that is not installed; an ImportError too
    └── DivergedError     a loss that is no longer a number
    UserWarning
    └── TrainingWarning   a training that came to its end, but to no good one

Every message reads ``<subject> must <condition>; got <value>.``, then the remedy if there is one.
The command line prints these as one line and ends with exit code 2, or 1 where a training came to
no good; anything else is a bug of ours and keeps its traceback.
"""

from __future__ import annotations

import math


class UsageError(ValueError):
    """A value given by the caller lies outside its domain."""


class MicroGPTError(Exception):
    """The world is not as it should be: a file, a folder, a missing package."""


class DataError(MicroGPTError):
    """Text that cannot be read, or that has nothing to learn from."""


class RunError(MicroGPTError):
    """A run's folder that is missing, damaged, foreign or in use."""


class InUseError(RunError):
    """A folder that another process is writing to."""


class SweepError(MicroGPTError):
    """A sweep's folder or database that is missing, damaged, foreign or in use."""


class MissingExtra(MicroGPTError, ImportError):  # noqa: N818  (it names what is missing, not a failure)
    """An optional part of microgpt that is not installed."""


class DivergedError(MicroGPTError):
    """The loss is no longer a finite number.

    Args:
        step: whose loss it was.
        loss: nan or infinite.
        rates: the learning rates as they were set, in words: `wording.rates`.
        checkpoint: the last good one, in words.

    >>> print(DivergedError(step=412, loss=float("nan"), rates="--lr 0.3"))
    the loss became nan at step 412. Try a smaller learning rate than --lr 0.3.
    """

    def __init__(self, step: int, loss: float, rates: str, checkpoint: str = "") -> None:
        self.step, self.loss, self.rates = step, loss, rates
        became = "nan" if math.isnan(loss) else "infinite"
        kept = f"; the last good checkpoint is {checkpoint}" if checkpoint else ""
        super().__init__(
            f"the loss became {became} at step {step}. "
            f"Try a smaller learning rate than {rates}{kept}."
        )


class TrainingWarning(UserWarning):
    """A training came to its end, but to no good one: its loss is above blind guessing, say."""
