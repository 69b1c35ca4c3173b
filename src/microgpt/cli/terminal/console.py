"""Consoles of the library rich, for standard output and standard error.

On a pipe a console writes plain text of any width. Importing this module imports rich.
"""

from __future__ import annotations

import errno
import sys
from typing import IO, cast

from rich.console import Console

from microgpt.cli.terminal.colours import THEME
from microgpt.cli.terminal.streams import Decorated, shows_glyphs

_PIPE = 10_000


def stdout() -> Console:
    """Return a console on standard output."""
    return _console(stderr=False)


def stderr() -> Console:
    """Return a console on standard error."""
    return _console(stderr=True)


def width() -> int:
    """Return the number of columns: the terminal's, or 100 on a pipe."""
    return stdout().width if sys.stdout.isatty() else 100


class _Console(Console):
    """A console that raises BrokenPipeError when a pipe is closed; rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "the reader has gone")


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPE
    file = None if shows_glyphs(stream) else cast("IO[str]", Decorated(stream))
    return _Console(
        file=file, stderr=stderr, width=width, theme=THEME, highlight=False, markup=False,
        emoji=False,
    )  # fmt: skip
