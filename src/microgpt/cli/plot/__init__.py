"""`microgpt plot`: loss curves, with the baselines as lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from microgpt.cli import flags
from microgpt.cli.flags import flag
from microgpt.cli.plot.chart import Curve, draw, picture
from microgpt.cli.terminal.pictures import check_picture, write_picture
from microgpt.cli.terminal.say import note, say, say_json
from microgpt.errors import MicroGPTError, RunError
from microgpt.runs.folder import find_run
from microgpt.runs.run import Run
from microgpt.wording import name_of

POINTS = 40


def plot(
    *runs: Annotated[flags.Name, flag("Runs' folders, or names in runs/; else the newest.")],
    save: Annotated[Path | None, flag("Write a .png or .svg instead (needs matplotlib).")] = None,
    json: flags.Json = False,
) -> None:
    """Draw the loss curves of runs, with what blind guessing and counting would cost.

    Example: microgpt plot runs/names-1 runs/names-2 --save curves.svg
    """
    if save is not None:
        check_picture(save)
    opened = [Run(find_run(run)) for run in (runs or (None,))]
    curves = [curve(run) for run in opened]
    lines = _baselines(opened[0])
    if json:
        say_json({"curves": [vars(c) for c in curves], "baselines": lines})
    elif save is not None:
        write_picture(save, picture(curves, lines))
        say(f"Saved in {save}.")
    else:
        draw(curves, lines)


def curve(run: Run, points: int = POINTS) -> Curve:
    """Read a run's log into at most so many points, each the mean per position of its steps.

    Raises:
        RunError: the log has no line yet.
    """
    log = run.log
    if not log.lines:
        raise RunError(f"{run.folder}: its log has no step yet. Train it first.")
    steps, losses = zip(*log.curve(points))
    measured = [(line["step"], line["heldout"]) for line in log.heldout]
    heldout = [(step, told.get("gpt", told["loss"])) for step, told in measured]
    mixed = [(step, told["loss"]) for step, told in measured if "gpt" in told]
    return Curve(str(run.folder), [*steps], [*losses], heldout, mixed)


def _baselines(run: Run) -> dict[str, float]:
    """Measure the baselines on the run's held-out documents, or on those trained on."""
    try:
        trained, held_out = run.documents
        rungs = run.baselines(held_out or trained, seen=not held_out)
        rungs.pop("xz", None)
        n = run.ngram.n if held_out else 0
        return {name_of(name, n): total.mean for name, total in rungs.items()}
    except MicroGPTError as error:
        note(f"no baselines: {error}")
        return {}
