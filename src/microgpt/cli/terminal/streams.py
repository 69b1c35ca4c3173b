"""What commands write to: UTF-8 for files and pipes, and what to do when a reader goes away.

In: the two outputs as Python opened them. Out: an `Output` in the place of each. What is said to
people goes through `decorated` where no more than ASCII can be expected to be shown.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

# How it shows that a reader has gone: of a pipe, of one on Windows, of a terminal.
_GONE = (errno.EPIPE, errno.EINVAL, errno.EIO)

# A curve is drawn in dots, two beside each other and four above: the upper ones, the lower, both.
_DOTS = {
    0x2800 + dots: ord(" '.:"[bool(dots & 0b00011011) + 2 * bool(dots & 0b11100100)])
    for dots in range(256)
}
_ASCII = _DOTS | str.maketrans("▁▂▃▄▅▆▇█┃●⏎␣", ".:-=+*%#|<$_")
# Between two letters it belongs to the text, as in Catalan's "col·lecció".
_BETWEEN = re.compile(r"(?<!\w)[·±](?!\w)")


class Output(io.TextIOWrapper):
    """Standard output or standard error.

    A file or a pipe gets UTF-8, whatever the locale's encoding: what is written may be data. A
    terminal gets its own encoding, and what that lacks as an escape.

    Args:
        stream: as Python opened it; it can not be used afterwards.
        outlived: whether what is going on does not end with the reader.

    Attributes:
        glyphs: whether more than ASCII can be expected to be shown.
    """

    def __init__(self, stream: io.TextIOWrapper[Any], *, outlived: bool = False) -> None:
        self.glyphs = shows_glyphs(stream)
        self._outlived, self._goes_on = outlived, ""
        self._failed: OSError | None = None
        encoding = stream.encoding if stream.isatty() else "utf-8"
        by_line, at_once = stream.line_buffering, stream.write_through
        buffer = stream.detach()
        super().__init__(buffer, encoding, "backslashreplace", None, by_line, at_once)

    def write(self, text: str, /) -> int:
        """Write text, if anyone is there to read it."""
        try:
            return super().write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Hand over what has been written."""
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    @contextmanager
    def outliving(self, goes_on: str) -> Generator[None]:
        """Let what is done in it come to its end when the output does not, and say so.

        Args:
            goes_on: what goes on, in words.

        Raises:
            OSError: at the end, if the output failed although someone was there to read it.
        """
        self._outlived, self._goes_on = True, goes_on
        try:
            yield
        finally:
            self._outlived = False
        if self._failed:
            raise self._failed

    def _lose(self, error: OSError) -> None:
        """Write to nowhere from now on, or let the error through."""
        if not self._outlived:
            raise error
        discard(self)
        gone = error.errno in _GONE
        self._failed = None if gone else OSError(error.errno, error.strerror, "standard output")
        if self._goes_on:
            why = "nobody reads the output any more" if gone else "the output cannot be written"
            sys.stderr.write(f"microgpt: {why}; {self._goes_on}\n")


def opened(stream: TextIO | None, *, outlived: bool = False) -> TextIO:
    """Return what to write to in place of an output; one that was closed goes nowhere."""
    stream = stream or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (to the end)
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # a notebook's, say
    return Output(cast("io.TextIOWrapper[Any]", stream), outlived=outlived)


def discard(stream: TextIO) -> None:
    """Send what is left in a stream, and all that will come, nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@contextmanager
def outliving(goes_on: str) -> Generator[None]:
    """Let what is done in it come to its end when standard output does not: see `Output`."""
    if isinstance(sys.stdout, Output):
        with sys.stdout.outliving(goes_on):
            yield
    else:
        yield


def is_interactive() -> bool:
    """Return whether standard output is a terminal on which a bar can be drawn anew."""
    return sys.stdout.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def shows_glyphs(stream: TextIO) -> bool:
    """Return whether bars and marks can be expected to be shown: the locale's encoding tells."""
    if isinstance(stream, Output):
        return stream.glyphs
    return codecs.lookup(stream.encoding or "utf-8").name.startswith("utf")


def decorated(text: str) -> str:
    """Return what is said to people with its decorations in ASCII.

    >>> decorated("letters 2.95 ┃ this model 2.02 ●   ▁█ · col·lecció")
    'letters 2.95 | this model 2.02 <   .# | col·lecció'
    """
    between = _BETWEEN.sub(lambda mark: "|" if mark[0] == "·" else "+-", text)
    return between.translate(_ASCII)


class Decorated(io.TextIOBase):
    """A stream whose decorations come in ASCII, for a console to write to."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What the console draws its own bars with."""
        return "ascii"

    def write(self, text: str, /) -> int:
        """Write text."""
        return self._stream.write(decorated(text))

    def flush(self) -> None:
        """Hand over what has been written."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return its number."""
        return self._stream.fileno()
