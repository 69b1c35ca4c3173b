"""`microgpt plot`: loss curves, with the baselines as lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from microgpt.cli import flags
from microgpt.cli.flags import flag
from microgpt.cli.plot.chart import draw, picture
from microgpt.cli.terminal.pictures import check_picture, write_picture
from microgpt.cli.terminal.say import note, say, say_json
from microgpt.runs.curves import curves, levels
from microgpt.runs.folder import find_run
from microgpt.runs.run import Run

POINTS = 40


def plot(
    *runs: Annotated[
        flags.Name, flag("Folders of runs, or names in runs/. Default: the newest run.")
    ],
    save: Annotated[
        Path | None, flag("Write a .png or .svg file instead of drawing here; needs matplotlib.")
    ] = None,
    json: flags.Json = False,
) -> None:
    """Draw the loss curves of runs, with the losses of baselines.

    Example: microgpt plot runs/names-1 runs/names-2 --save curves.svg
    """
    if save is not None:
        check_picture(save)
    opened = [Run(find_run(run)) for run in (runs or (None,))]
    drawn = [curves(run, POINTS) for run in opened]
    lines, why = levels(opened[0])
    if why:
        note(f"no baselines: {why}")
    if json:
        say_json({"curves": [vars(c) for c in drawn], "baselines": lines})
    elif save is not None:
        write_picture(save, picture(drawn, lines))
        say(f"Saved in {save}.")
    else:
        draw(drawn, lines)
