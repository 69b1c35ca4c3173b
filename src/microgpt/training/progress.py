"""All of a training at one moment.

In: a state and the progress of its training. Out: a `Checkpoint`, from which the training resumes
exactly as if it had never stopped; `runs.checkpoint` writes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from microgpt.config.bounds import check
from microgpt.counting.fitted import Fitted
from microgpt.engines.contract import Array, State
from microgpt.loss import LossSum


@dataclass(frozen=True)
class Progress:
    """The progress of a training that has not ended, beside parameters, moments and updates.

    Attributes:
        lines: how many lines of the log belong to it; later lines are of steps that the checkpoint
            does not have, or of an ending that was not completed.
        pending: the losses of steps that are in no line of the log yet.
        lr: the learning rate of the last step.
        seconds: how long it has taken.
        best: the lowest held-out loss so far; None: none was measured.
        best_step: the step after which it was measured; 0: none.
    """

    lines: int = 0
    pending: LossSum = field(default_factory=LossSum)
    lr: float = 0.0
    seconds: float = 0.0
    best: LossSum | None = None
    best_step: int = 0

    def __post_init__(self) -> None:
        for name, total in (("pending", self.pending), ("best", self.best or LossSum())):
            check("positions", total.positions, name)
        check("lines", self.lines)
        check("updates", self.best_step, "best_step")


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """What a checkpoint file holds, all of it written at once.

    Attributes:
        state: parameters, moments, updates.
        fitted: in the mixture with counts; None: there is none.
        progress: of the training; None: it has ended, and the parameters are the final ones.
        best: the parameters of `progress.best`, if `state` is a later one.
        settings: the fingerprint of the recipe in `config.json`; None: an early version of microgpt
            wrote no fingerprint.
        is_earlier: whether an early version of microgpt wrote it, without progress.
    """

    state: State
    fitted: Fitted | None = None
    progress: Progress | None = None
    best: Array | None = None
    settings: str | None = None
    is_earlier: bool = False
