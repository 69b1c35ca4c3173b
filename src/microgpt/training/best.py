"""The best state of a training so far: the one that its held-out documents cost least with.

In: evaluations on the same documents. Out: at the end, the parameters to keep. A training that goes
on for too long learns its documents by heart, and gets worse on others; what it knew before that is
kept here, and in the checkpoint, with which it is written at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgpt.engines.contract import Array, Engine, State
from microgpt.loss import LossSum
from microgpt.training.progress import Checkpoint


@dataclass(eq=False)
class Best:
    """The best state, and what it cost.

    Attributes:
        loss: the sum that the documents cost with it; None: none was seen.
        step: after which it was; 0: none was seen.
        parameters: its.
    """

    loss: LossSum | None = None
    step: int = 0
    parameters: Array | None = None

    @classmethod
    def of(cls, saved: Checkpoint) -> Best:
        """Take it up from a checkpoint; one without its parameters stands at it."""
        if not saved.progress or not saved.progress.best:
            return cls()
        parameters = saved.state.parameters if saved.best is None else saved.best
        return cls(saved.progress.best, saved.progress.best_step, parameters)

    def see(self, loss: LossSum, engine: Engine) -> None:
        """Take in an evaluation."""
        if self.loss is None or loss.mean < self.loss.mean:
            state = engine.state()
            self.loss, self.step, self.parameters = loss, state.updates, state.parameters

    def restore(self, engine: Engine) -> None:
        """Give its parameters to an engine; moments and updates stay those of the last step."""
        if self.parameters is not None:
            last = engine.state()
            engine.load(State(self.parameters, last.slots, last.updates))
