"""The curves of a run beside others, under its name, and what to hold them against.

In: a run. Out: its learning, where there is any; the losses of models that only count.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgpt.errors import MicroGPTError, RunError
from microgpt.runs.learning import Curve, Learning
from microgpt.runs.run import Run
from microgpt.wording import ALONE, name_of


@dataclass(frozen=True)
class Curves:
    """A run's losses, each the mean over a share of the steps, and its evaluations.

    Attributes:
        heldout: what held-out documents cost the GPT.
        mixed: what they cost it together with the counts that it is mixed with, if it is.
    """

    name: str
    steps: list[float]
    losses: list[float]
    heldout: Curve
    mixed: Curve

    @property
    def own(self) -> str:
        """What the GPT's held-out losses are called."""
        return f"{ALONE}, held out" if self.mixed else "held out"


def curves(run: Run, points: int) -> Curves:
    """Read a run's log into at most so many points, each the mean per position of its steps.

    Raises:
        RunError: the log has no line yet.
    """
    if not run.log.lines:
        raise RunError(f"{run.folder}: its log has no step yet. Train it first.")
    learning = Learning.of(run.log, points)
    steps, losses = zip(*learning.training)
    return Curves(str(run.folder), [*steps], [*losses], learning.held_out, learning.mixed)


def levels(run: Run) -> tuple[dict[str, float], str]:
    """Measure what counting costs on the documents a run held out, or else was trained on.

    Returns:
        The losses by the names that people know, and why there are none if there are none.
    """
    try:
        trained, held_out = run.documents
        baselines = run.baselines(held_out or trained, seen=not held_out)
        n = run.ngram.n if held_out else 0
    except MicroGPTError as error:
        return {}, str(error)
    means = {name: total.mean for name, total in baselines.items() if name != "xz"}
    return {name_of(name, n): mean for name, mean in means.items()}, ""
