"""Warnings at the end of a training that has not gone well.

In: a `Trainer` at its end. Out: a sentence if its loss is above that of blind guessing (ln V), or
if the counts weigh more than the GPT in a mixture; else None.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from microgpt.counting.ladder import uniform
from microgpt.errors import TrainingWarning
from microgpt.loss import OBJECTIVES
from microgpt.wording import as_flag, figures, rates

if TYPE_CHECKING:
    from microgpt.config import TrainConfig
    from microgpt.training.trainer import Trainer

# A loss this many times the first one is far above it; this many times ln V, above blind guessing.
_FAR, _ABOVE = 3.0, 1.05
# After fewer steps the loss may be above blind guessing only because it has not fallen yet.
_ENOUGH = 50
# If the first loss is more than this many times ln V, the initial values are too large.
_LARGE = 1.5
# Standard errors by which a mean may differ by chance.
_ERRORS = 3.0


def divergence(trainer: Trainer, asked: Collection[str] = ()) -> str | None:
    """Return a warning that a training diverged, and what to try; None: it did not.

    The GPT's own loss decides, in a mixture too: the mean of the last 50 steps must not be far
    above that of the first step, nor above ln V, blind guessing, by more than chance.
    """
    steps, first = trainer.tail.steps, trainer.tail.first
    if not steps or not first:
        return None
    blind, began, ended = uniform(trainer.task.model.vocab_size), first.mean, trainer.tail.sum.mean
    if trainer.last_heldout and steps == 1:
        ended = max(ended, trainer.last_heldout.own.mean)  # measured after the only update
    if not is_diverged(blind, began, ended, steps, _error(trainer)):
        return None
    is_far = ended > _FAR * max(began, blind)
    remedy = _remedy(trainer.task.training, asked, is_far, began / blind)
    kept = f" What is kept is the state after step {trainer.kept:,}." if trainer.kept else ""
    return (
        f"the loss ended at {figures(ended)} nats: blind guessing costs {figures(blind, 2)}, "
        f"and it began at {figures(began, 2)}. {remedy}{kept}"
    )


def is_diverged(blind: float, began: float, ended: float, steps: int, error: float) -> bool:
    """Return whether a loss ended far above where it began, or above that of blind guessing.

    Args:
        blind: the loss of blind guessing.
        began: the first loss.
        ended: the mean of the last steps.
        steps: how many these are.
        error: the standard error of that mean.
    """
    is_far = ended > _FAR * max(began, blind)
    return is_far or (steps >= _ENOUGH and ended > _ABOVE * blind + _ERRORS * error)


def overweight(trainer: Trainer) -> str | None:
    """Return a warning that the counts weigh more than the GPT in a mixture; None: they do not."""
    mixture = trainer.mixture
    if not mixture or (mixture.fitted.weight or 0.0) <= 0.5:
        return None
    counts = mixture.named(trainer.task.tokenizer.unit)
    return (
        f"{counts} weigh more than the GPT: most of what this model knows is counted. "
        "Train for longer, or see the GPT alone with --ngram 0."
    )


def warn(trainer: Trainer, asked: Collection[str], stacklevel: int) -> None:
    """Issue both warnings to a Python caller."""
    for said in (divergence(trainer, asked), overweight(trainer)):
        if said:
            warnings.warn(said, TrainingWarning, stacklevel=stacklevel)


def _remedy(training: TrainConfig, asked: Collection[str], is_far: bool, began: float) -> str:
    if training.loss != "cross-entropy":
        formula = OBJECTIVES[training.loss].formula
        return (
            f"{formula} does not push on what is sure and wrong. "
            f"Try {as_flag('loss', 'cross-entropy')}."
        )
    if began > _LARGE and not is_far:
        return "It began too high: try a smaller --init-std, or more steps."
    return f"Try a smaller learning rate than {rates(training, asked)}."


def _error(trainer: Trainer) -> float:
    """Return the standard error of the mean of the last steps."""
    means = [total.mean for total in trainer.tail.parts]
    if len(means) > 1:
        return float(np.std(means, ddof=1)) / math.sqrt(len(means))
    # One line of the log sums all steps: assume a standard deviation of one nat a position.
    return 1.0 / math.sqrt(trainer.tail.sum.positions)
