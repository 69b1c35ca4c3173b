"""The best state of a training so far: the one with the lowest held-out loss.

In: evaluations on the same documents. Out: the parameters to keep at the end. A training that is
too long overfits: its held-out loss rises. The best earlier parameters are held here, and saved
with each checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgpt.engines.contract import Array, Engine, State
from microgpt.loss import LossSum
from microgpt.training.progress import Checkpoint


@dataclass(eq=False)
class Best:
    """The best state and its held-out loss.

    Attributes:
        loss: the sum of its held-out losses; None: none was measured.
        step: the step after which it was measured; 0: none was.
        parameters: of that state.
    """

    loss: LossSum | None = None
    step: int = 0
    parameters: Array | None = None

    @classmethod
    def of(cls, saved: Checkpoint) -> Best:
        """Restore from a checkpoint: its best parameters, or those of its state if it has none."""
        if not saved.progress or not saved.progress.best:
            return cls()
        parameters = saved.state.parameters if saved.best is None else saved.best
        return cls(saved.progress.best, saved.progress.best_step, parameters)

    def see(self, loss: LossSum, engine: Engine) -> None:
        """Record an evaluation, and the engine's parameters if it is the lowest."""
        if self.loss is None or loss.mean < self.loss.mean:
            state = engine.state()
            self.loss, self.step, self.parameters = loss, state.updates, state.parameters

    def restore(self, engine: Engine) -> None:
        """Load the best parameters into an engine; its moments and updates do not change."""
        if self.parameters is not None:
            last = engine.state()
            engine.load(State(self.parameters, last.slots, last.updates))
