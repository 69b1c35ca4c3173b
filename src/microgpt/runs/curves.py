"""The learning curves of a run, and the baselines to compare them with.

In: a run. Out: its losses by step; the losses of counting models.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgpt.errors import MicroGPTError, RunError
from microgpt.runs.learning import Curve, Learning
from microgpt.runs.run import Run
from microgpt.wording import ALONE, name_of


@dataclass(frozen=True)
class Curves:
    """A run's training losses and its evaluations.

    Attributes:
        name: the run's folder.
        steps: of the points of the training curve.
        losses: there, each the mean over an equal share of the steps.
        heldout: the GPT's held-out losses.
        mixed: the held-out losses of the GPT mixed with counts; empty: it is not mixed.
        unit: the name of a token, in which losses are.
    """

    name: str
    steps: list[float]
    losses: list[float]
    heldout: Curve
    mixed: Curve
    unit: str = "character"

    @property
    def own(self) -> str:
        """The label of the GPT's held-out losses."""
        return f"{ALONE}, held out" if self.mixed else "held out"


def curves(run: Run, points: int) -> Curves:
    """Read a run's log into at most `points` points, each the mean per position of its steps.

    Raises:
        RunError: the log has no line yet.
    """
    if not run.log.lines:
        raise RunError(f"{run.folder}: its log has no step yet. Train it first.")
    learning = Learning.of(run.log, points)
    steps, losses = zip(*learning.training)
    held_out, mixed, unit = learning.held_out, learning.mixed, run.tokenizer.unit
    return Curves(str(run.folder), [*steps], [*losses], held_out, mixed, unit)


def levels(run: Run) -> tuple[dict[str, float], str]:
    """Measure counting models on the documents a run held out, or else was trained on.

    Returns:
        The losses by their labels; and, if they cannot be measured, the reason, else "".
    """
    try:
        trained, held_out = run.documents
        baselines = run.baselines(held_out or trained, seen=not held_out)
        n = run.ngram.n if held_out else 0
    except MicroGPTError as error:
        return {}, str(error)
    means = {name: total.mean for name, total in baselines.items() if name != "xz"}
    return {name_of(name, n): mean for name, mean in means.items()}, ""
