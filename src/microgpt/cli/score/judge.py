"""What `microgpt score` judges by, and what it says of that before the first line."""

from __future__ import annotations

import math

from microgpt.cli.terminal.say import note, remark
from microgpt.errors import MicroGPTError, UsageError
from microgpt.runs.run import Run
from microgpt.runs.usual import Usual
from microgpt.scoring.judge import Judge
from microgpt.scoring.reference import ENOUGH, Reference
from microgpt.scoring.threshold import ABOVE, Threshold, threshold
from microgpt.wording import count

# Beside fewer texts "rarer than 50 %" says nothing.
_FEW = 20


def judge(run: Run, rate: float | None) -> Judge:
    """Return what judges texts, and say how sure it is.

    Args:
        run: whose held-out documents tell what is usual.
        rate: the share of good lines to flag; None: none.

    Raises:
        UsageError: a rate, and nothing to set a threshold by.
    """
    usual: Usual | None = None
    try:
        usual = run.usual
        share = run.settings.training.holdout
        why = f"{run.folder} held none out. Train with --holdout {max(2 * share, 0.1):g}."
        if run.settings.source.stream:
            why = f"{run.folder} was trained on a stream, whose held-out part is one text."
    except MicroGPTError as error:
        why = str(error)
        if rate is None:
            note(f"no percentiles: {why}")
    if usual is None:
        if rate is not None:
            raise UsageError(f"flag-rate needs held-out documents: {why}")
        mean = run.log.tail(50).mean
        return Judge(mean if math.isfinite(mean) else 0.0)
    reference = usual.reference
    if rate is not None:
        found = threshold(reference, rate)
        remark(_said(reference, found, rate))
        return Judge(usual.nats, reference, found)
    return Judge(usual.nats, reference if len(reference) >= _FEW else None)


def _said(usual: Reference, found: Threshold, rate: float) -> str:
    """Say what a threshold promises, by what, and what that takes for granted."""
    told, by = usual.repetition, count(usual.new, "held-out document")
    repeating = told.lines - told.once
    if repeating:
        by = f"{by} whose text is there once and {count(repeating, 'line')} whose text repeats,"
    is_one = len(found.usual.weights_C) == 1
    said = (
        f"Of good lines {found.expected:.2%} will be flagged ({found.low:.2%} to {found.high:.2%}, "
        f"95 times of 100), judging by {by} of {'all' if is_one else 'similar'} lengths, if good "
        f"lines come from where these did{' and repeat as they did' if repeating else ''}."
    )
    enough = math.ceil(ABOVE / rate)
    if is_one and enough > ENOUGH and (len(usual.weights_C) > 1 or len(usual) < enough):
        said += f" So low a rate takes {enough:,} texts of a length: all are judged together."
    return said
