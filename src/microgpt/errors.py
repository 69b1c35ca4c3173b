"""The errors and warnings that microgpt raises.

::

    ValueError
    └── UsageError        a caller's mistake: a value outside its domain
    MicroGPTError         a fault outside the program: in a file, a folder, a package, a training
    ├── DataError         text that cannot be read or has nothing to learn from
    ├── RunError          a run's folder that is missing, damaged or foreign
    │   └── InUseError    a folder that another process is writing to
    ├── SweepError        a sweep's folder or database that cannot be used
    ├── MissingExtra      an optional part that is not installed; an ImportError too
    └── DivergedError     a loss that is not finite
    UserWarning
    ├── TrainingWarning   a training that ended with a bad result
    └── TrackingWarning   a tracker that has not got all of a run

Every message reads ``<subject> must <condition>; got <value>.``, then the remedy if there is one.
The command line prints one line and exits with code 2, or 1 for a training with a bad result. Any
other exception is a bug, and keeps its traceback.
"""

from __future__ import annotations

import math


class UsageError(ValueError):
    """A value given by the caller lies outside its domain."""


class MicroGPTError(Exception):
    """A fault outside the program: in a file, a folder, an optional package, a training."""


class DataError(MicroGPTError):
    """Text that cannot be read, or that has nothing to learn from."""


class RunError(MicroGPTError):
    """A run's folder that is missing, damaged, foreign or in use."""


class InUseError(RunError):
    """A folder that another process is writing to."""


class RankError(MicroGPTError):
    """One of the processes that train a model together has failed."""


class LostRankError(RankError):
    """One of the processes that train a model together ended before the others."""


class AbsentRankError(RankError):
    """The other processes of a training do not come."""


class SweepError(MicroGPTError):
    """A sweep's folder or database that is missing, damaged, foreign or in use."""


class MissingExtra(MicroGPTError, ImportError):  # noqa: N818  (it names what is missing, not a failure)
    """An optional part of microgpt that is not installed."""


class DivergedError(MicroGPTError):
    """A loss is not finite.

    Args:
        step: the step of the loss.
        loss: NaN or infinity.
        rates: the learning rates, as flags: see `wording.rates`.
        checkpoint: the last good checkpoint, in words.

    >>> print(DivergedError(step=412, loss=float("nan"), rates="--lr 0.3"))
    the loss became nan at step 412. Try a smaller learning rate than --lr 0.3.
    """

    def __init__(self, step: int, loss: float, rates: str, checkpoint: str = "") -> None:
        self.step, self.loss, self.rates = step, loss, rates
        became = "nan" if math.isnan(loss) else "infinite"
        last = f"; the last good checkpoint is {checkpoint}" if checkpoint else ""
        super().__init__(
            f"the loss became {became} at step {step}. "
            f"Try a smaller learning rate than {rates}{last}."
        )


class TrainingWarning(UserWarning):
    """A training ended with a bad result: its loss is above blind guessing, for example."""


class TrackingWarning(UserWarning):
    """A tracker has not got all of a run; the run itself is whole."""
