"""`microgpt export`: a run as a file that needs no microgpt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from microgpt.cli import flags
from microgpt.cli.flags import flag, whole
from microgpt.cli.terminal.say import note, say
from microgpt.cli.train.summary import word
from microgpt.export.html import Exported
from microgpt.export.html import export as to_html
from microgpt.runs.files import write_atomically
from microgpt.runs.folder import check_output
from microgpt.wording import count, short


def export(
    run: flags.RunName = None,
    *,
    to: Annotated[Literal["html"], flag("Kind of file: html, a page that computes.")] = "html",
    out: Annotated[
        Path | None,
        Parameter(name=["--out", "-o"]),
        flag("File to write. Default: the run's name and the kind, in this folder."),
    ] = None,
    documents: Annotated[
        int,
        whole("Most documents of the data in the file, with the highest and the lowest loss."),
    ] = 100,
    bits: Annotated[
        Literal[16, 32] | None,
        flag("Bits of each parameter. Default: 16 if they cost under 0.001 nats, else 32."),
    ] = None,
    machine: flags.Machine = flags.MACHINE,
) -> None:
    """Write a run as one file to give away: a page with the model inside.

    The page scores and draws texts in any browser, from the disk, without a network.

    Example: microgpt export runs/names-1 --to html -o names.html
    """
    opened = machine.run(run)
    target = out or Path(f"{opened.folder.resolve().name}.{to}")
    check_output(target, opened.folder)
    found = to_html(opened, documents, bits)
    write_atomically(target, found.page)
    _report(found, target, opened.tokenizer.unit)


def _report(found: Exported, target: Path, unit: str) -> None:
    if found.why:
        note(f"no losses of documents: {found.why}")
    its = found.weights
    cost = ""
    if its.bits == 16 and its.cost is not None:
        cost = f", which changes the GPT's loss by {its.cost:.0e} nats a {unit}"
    say(f"Parameters in {its.bits} bits{cost}; {count(found.documents, 'document')} of the data.")
    say(f"Saved in {word(target)}, {short(len(found.page))} bytes. Open it in any browser.")
