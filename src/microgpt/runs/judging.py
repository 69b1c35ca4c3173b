"""The judge of texts by a run: percentiles among its held-out documents, and which texts to flag.

In: a run, perhaps the share of good texts to flag. Out: a `Judge`, and sentences for the user on
its reliability.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from microgpt.errors import MicroGPTError, UsageError
from microgpt.runs import usual as usual_of_run
from microgpt.runs.checkpoint import REFERENCE
from microgpt.runs.run import Run
from microgpt.scoring.price import Pricer
from microgpt.scoring.reference import Judge
from microgpt.scoring.threshold import promise, threshold
from microgpt.scoring.usual import Usual

# Below this many held-out documents no percentiles are shown: they would be too coarse.
_FEW = 20


@dataclass(frozen=True, eq=False)
class Judging:
    """A judge, and sentences for its user.

    Attributes:
        judge: of texts.
        warning: why there are no percentiles, if the user should know; else "".
        promise: the share of good texts that will be flagged, and its assumptions; "" if no texts
            are flagged.
    """

    judge: Judge
    warning: str = ""
    promise: str = ""


def judging(run: Run, rate: float | None = None, *, kept: bool = False) -> Judging:
    """Return the judge of texts by a run.

    Args:
        run: its held-out documents are the reference.
        rate: the share of good texts to flag; None: no texts are flagged.
        kept: whether to go by what the run's folder has of them alone, and measure nothing.

    Raises:
        UsageError: a rate is given, but there are no held-out documents to set the threshold by.
    """
    why = warning = ""
    usual = None
    try:
        usual = _kept(run) if kept else run.usual
    except MicroGPTError as error:
        why = warning = str(error)
    if usual is None:
        if kept and usual_of_run.is_expected(run.settings):
            why = warning = f"{run.folder} has no {REFERENCE}, and it was not written."
        if rate is not None:
            raise UsageError(f"flag-rate needs held-out documents: {why or _none_held_out(run)}")
        mean = run.log.tail(50).mean
        return Judging(Judge(mean if math.isfinite(mean) else 0.0), warning)
    reference = usual.reference
    if rate is None:
        return Judging(Judge(usual.nats, reference if len(reference) >= _FEW else None))
    found = threshold(reference, rate)
    return Judging(Judge(usual.nats, reference, found), promise=promise(reference, found, rate))


def _kept(run: Run) -> Usual | None:
    return usual_of_run.kept(
        run.folder, usual_of_run.fingerprint(run.engine, run.mixture), run.settings
    )


def _none_held_out(run: Run) -> str:
    if run.settings.source.stream:
        return f"{run.folder} was trained on a stream, whose held-out part is one text."
    share = max(2 * run.settings.training.holdout, 0.1)
    return f"{run.folder} held none out. Train with --holdout {share:g}."


def open_pricer(
    folder: Path, engine: str = "auto", threads: int | None = None, device: str | None = None
) -> Pricer:
    """Open a run and return its pricer; a function of the module, so that it can be pickled."""
    return Run(folder, engine, threads, device).pricer
