"""What judges texts by a run: how rare they are beside those it held out, and which are flagged.

In: a run, perhaps a share of good texts to flag. Out: a `Judge`, and in sentences how sure it is.
Nothing is printed: whoever asks shows them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from microgpt.errors import MicroGPTError, UsageError
from microgpt.runs.run import Run
from microgpt.scoring.judge import Judge, promise
from microgpt.scoring.price import Pricer
from microgpt.scoring.threshold import threshold

# Beside fewer texts "rarer than 50 %" says nothing.
_FEW = 20


@dataclass(frozen=True, eq=False)
class Judging:
    """A judge, and what a person should know of it.

    Attributes:
        judge: of texts.
        warning: why there are no percentiles, if it should be said; else "".
        promise: what share of good texts will be flagged, and what that takes for granted; "" where
            none are.
    """

    judge: Judge
    warning: str = ""
    promise: str = ""


def judging(run: Run, rate: float | None = None) -> Judging:
    """Return what judges texts by a run.

    Args:
        run: its held-out documents show what is usual.
        rate: the share of good texts to flag; None: none.

    Raises:
        UsageError: a rate, and nothing to set a threshold by.
    """
    why = warning = ""
    usual = None
    try:
        usual = run.usual
    except MicroGPTError as error:
        why = warning = str(error)
    if usual is None:
        if rate is not None:
            raise UsageError(f"flag-rate needs held-out documents: {why or _none_held_out(run)}")
        mean = run.log.tail(50).mean
        return Judging(Judge(mean if math.isfinite(mean) else 0.0), warning)
    reference = usual.reference
    if rate is None:
        return Judging(Judge(usual.nats, reference if len(reference) >= _FEW else None))
    found = threshold(reference, rate)
    return Judging(Judge(usual.nats, reference, found), promise=promise(reference, found, rate))


def _none_held_out(run: Run) -> str:
    if run.settings.source.stream:
        return f"{run.folder} was trained on a stream, whose held-out part is one text."
    share = max(2 * run.settings.training.holdout, 0.1)
    return f"{run.folder} held none out. Train with --holdout {share:g}."


def open_pricer(
    folder: Path, engine: str = "auto", threads: int | None = None, device: str | None = None
) -> Pricer:
    """Return what prices texts by a run: a function that another process can be sent."""
    return Run(folder, engine, threads, device).pricer
