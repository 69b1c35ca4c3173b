"""`microgpt report`: an evaluation as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from microgpt.cli import flags
from microgpt.cli.evaluate import measured
from microgpt.cli.flags import flag, whole
from microgpt.cli.terminal.say import say
from microgpt.cli.train.summary import word
from microgpt.counting.named import kind_of
from microgpt.errors import UsageError
from microgpt.report import gather, render
from microgpt.runs.files import write_atomically
from microgpt.runs.folder import check_output
from microgpt.wording import figures, short


def report(
    run: flags.RunName = None,
    *files: flags.File,
    out: Annotated[
        Path | None,
        Parameter(name=["--out", "-o"]),
        flag("File to write. Default: report.html in the run's folder."),
    ] = None,
    text: Annotated[
        tuple[str, ...], flag("Text to show character by character; may be given more than once.")
    ] = (),
    number: Annotated[
        int, whole("How many documents to show with the lowest loss, and with the highest.")
    ] = 6,
    limit: Annotated[
        int | None, whole("Most documents to measure, drawn by the run's seed.")
    ] = None,
    reading: flags.Reading = flags.READING,
    machine: flags.Machine = flags.MACHINE,
) -> None:
    """Write a run's evaluation as one HTML file: baselines, parts of the loss, calibration.

    It needs no network and no scripts, and suits phones, paper, dark mode and screen readers.

    Without a file: on the run's held-out documents, or else on 1,000 of its training documents.

    Example: microgpt report runs/names-1 --text smith --text smiht -o report.html
    """
    if not 0 <= number <= 100:
        raise UsageError(f"number must be a whole number from 0 to 100; got {number}.")
    opened = machine.run(run)
    to = out or opened.folder / "report.html"
    check_output(to, opened.folder)
    found = measured(opened, reading.source(*files), limit)
    facts = gather(found, text, number)
    page = render(facts).encode("utf-8", "backslashreplace")
    write_atomically(to, page)
    gpts = kind_of(opened.settings.training.models)
    mixed = f", {gpts} + {facts.mixed_with}" if facts.mixed_with else ""
    say(f"{figures(facts.result.loss)} nats a {facts.unit} on {found.on.words}{mixed}.")
    say(f"Saved in {word(to)}, {short(len(page))} bytes. Open it in any browser.")
