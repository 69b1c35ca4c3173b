"""Where a training stands: all of it, at one moment.

In: a state and what belongs to it. Out: a `Checkpoint`, from which a training goes on exactly as if
it had never stopped; `runs.checkpoint` writes it down.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from microgpt.config.bounds import check
from microgpt.engines.contract import Array, State
from microgpt.loss import LossSum


@dataclass(frozen=True)
class Progress:
    """Where a training stands that has not ended, beside parameters, moments and updates.

    Attributes:
        lines: how many lines of the log tell of it; what stands behind these is of steps that the
            checkpoint has not made, or of an ending that was not reached.
        pending: the losses of steps that no line was due for yet.
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
        weight: of the counts that the model is mixed with; None: there are none.
        progress: None: the training has ended, and the parameters are those to keep.
        best: the parameters of `progress.best`, where `state` has moved on since.
        settings: the fingerprint of the recipe in `config.json`; None: it is of a version without.
        is_earlier: it is of a version that did not write where a training stands.
    """

    state: State
    weight: float | None = None
    progress: Progress | None = None
    best: Array | None = None
    settings: str | None = None
    is_earlier: bool = False
