"""What `microgpt score` judges by, and what it says of that before the first line."""

from __future__ import annotations

from microgpt.cli.terminal.say import note, remark
from microgpt.runs.judging import judging
from microgpt.runs.run import Run
from microgpt.scoring.judge import Judge


def judge(run: Run, rate: float | None) -> Judge:
    """Return what judges texts, and say how sure it is: the arguments are those of `judging`."""
    found = judging(run, rate)
    if found.warning:
        note(f"no percentiles: {found.warning}")
    if found.promise:
        remark(found.promise)
    return found.judge
