"""`microgpt plot`: learning curves with baselines as lines; or what a setting does to losses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from microgpt.cli import flags
from microgpt.cli.flags import flag
from microgpt.cli.plot import chart, picture, study
from microgpt.cli.terminal.pictures import check_picture, write_picture
from microgpt.cli.terminal.say import note, say, say_json
from microgpt.errors import UsageError
from microgpt.runs.bands import STEP, bands, varying
from microgpt.runs.curves import curves, levels
from microgpt.runs.folder import find_run
from microgpt.runs.record import LOSSES, RESULTS, reads, row
from microgpt.runs.run import Run
from microgpt.runs.table import gather, select
from microgpt.wording import figures

POINTS = 40


def plot(
    *runs: Annotated[
        flags.Name,
        flag(
            "Runs, or names in runs/; with --x, --y or --by also folders that hold runs. Default: "
            "the newest run."
        ),
    ],
    x: Annotated[
        str | None,
        flag("Draw a result against this column, such as lr: any of microgpt runs. Default: step."),
    ] = None,
    y: Annotated[
        str | None,
        flag("The result to draw: any column; against steps loss or heldout. Default: heldout."),
    ] = None,
    by: Annotated[
        str | None, flag("Draw a line for each value of these columns, commas between them.")
    ] = None,
    band: Annotated[
        str | None,
        flag(
            "Join runs that differ in these columns alone: their mean, and a band of one standard "
            "deviation. Default: seed."
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        Parameter(help="Only runs for which this holds, such as n_embd=32.", negative=()),
    ] = None,
    save: Annotated[
        Path | None, flag("Write a .png or .svg file instead of drawing here; needs matplotlib.")
    ] = None,
    json: flags.Json = False,
) -> None:
    """Draw the loss curves of runs, or what a setting does to their losses.

    Learning curves are drawn with the losses of baselines.

    Example: microgpt plot runs/names-1 runs/names-2 --save curves.svg

    Example: microgpt plot runs/ --x lr --y heldout --by n_embd --band seed
    """
    if save is not None:
        check_picture(save)
    if any(value is not None for value in (x, y, by, band, where)):
        _study(runs, x or STEP, y or "heldout", _names(by), _names(band or "seed"), where, save,
               json=json)  # fmt: skip
        return
    opened = [Run(find_run(run)) for run in (runs or (None,))]
    drawn = [curves(run, POINTS) for run in opened]
    if compared := _by_bytes(opened):
        note(compared)
    lines, why = levels(opened[0])
    if why:
        note(f"no baselines: {why}")
    if json:
        say_json({"curves": [vars(c) for c in drawn], "baselines": lines})
    elif save is not None:
        write_picture(save, picture.curves_picture(drawn, lines))
        say(f"Saved in {save}.")
    else:
        chart.draw(drawn, lines)


def _by_bytes(opened: Sequence[Run]) -> str:
    """Say in bits a byte how runs that read different tokens compare; "": they read the same."""
    rows = [row(run) for run in opened]
    if len({*map(reads, rows)}) < 2:
        return ""
    known = [(r["run"], r["bits_per_byte"]) for r in rows if r["bits_per_byte"] is not None]
    each = " · ".join(f"{name} {figures(value, 3)}" for name, value in known) or "not known"
    return (
        "these runs read different tokens, whose losses cannot be compared. Held out, bits a byte: "
        f"{each}."
    )


def _study(
    runs: Sequence[str],
    x: str,
    y: str,
    by: Sequence[str],
    band: Sequence[str],
    where: Sequence[str] | None,
    save: Path | None,
    *,
    json: bool,
) -> None:
    rows = select(gather(runs, note), where or ())
    if not rows:
        raise UsageError("there must be runs to draw; got none. Try: microgpt runs")
    found = bands(rows, x, y, by)
    results = (*RESULTS, "bits_per_byte", "fingerprint", "paths", "files")
    others = varying(rows, (x, *by, *band), results)
    if others:
        note(
            f"runs that are joined differ in {', '.join(others)} too: the mean is over these as "
            "well. Name them in --by, or choose with --where."
        )
    over = ", ".join((*band, *others))
    if json:
        for one in found:
            say_json(one.to_json())
    elif save is not None:
        label = f"{y} (nats a {rows[0]['unit']})" if y in LOSSES else y
        write_picture(save, picture.bands_picture(found, x, label, over))
        say(f"Saved in {save}.")
    else:
        study.draw(found, x, y, over)


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]
