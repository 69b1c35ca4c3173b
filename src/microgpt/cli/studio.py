"""`microgpt studio`: a page in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from microgpt.cli import flags
from microgpt.cli.flags import flag, whole
from microgpt.cli.terminal.say import say
from microgpt.runs.folder import find_run
from microgpt.runs.run import Run


def studio(
    run: Annotated[
        flags.Name | None, flag("Run to show first. Default: the newest in runs/.")
    ] = None,
    *,
    port: Annotated[
        int | None, whole("Port on this machine. Default: 8127 if it is free, else any free one.")
    ] = None,
    browser: Annotated[
        bool,
        Parameter(
            help="Open the page in a browser, or only print its address.", negative="--no-browser"
        ),
    ] = True,
) -> None:
    """Open a page in the browser: train while a slider moves, take the loss apart.

    Also: samples, what is inside a model, its documents, all runs and their curves.

    It is served on this machine alone, to the browser that opens its address, and works offline.

    Example: microgpt studio runs/names-1
    """
    from microgpt.studio.library import Library
    from microgpt.studio.server import Server

    named: Path | None = find_run(run) if run else None
    if named:
        Run(named)  # a damaged run is an error here, not on the page
    server = Server(Library(named=named), port)
    say(f"The studio is at {server.address}")
    say("Only this machine can open it, with this address once. Ctrl-C ends it.")
    if browser:
        import webbrowser

        webbrowser.open(server.address)
    server.run()
