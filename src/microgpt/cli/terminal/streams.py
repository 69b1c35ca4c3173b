"""Standard output and standard error: UTF-8 for files and pipes, and closed pipes.

In: the two streams as Python opened them. Out: an `Output` in place of each. If a terminal can
probably show ASCII only, `decorated` replaces bars and marks.
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

# The errors of writing to a closed pipe, on Windows too, and to a closed terminal.
_GONE = (errno.EPIPE, errno.EINVAL, errno.EIO)

# Curves are drawn in Braille dots, 2 x 4 a character: upper dots become ', lower ones ., both :.
_DOTS = {
    0x2800 + dots: ord(" '.:"[bool(dots & 0b00011011) + 2 * bool(dots & 0b11100100)])
    for dots in range(256)
}
_ASCII = _DOTS | str.maketrans("▁▂▃▄▅▆▇█┃●⏎␣", ".:-=+*%#|<$_")
# Between two letters the dot belongs to a word, as in Catalan's "col·lecció".
_BETWEEN = re.compile(r"(?<!\w)[·±](?!\w)")


class Output(io.TextIOWrapper):
    """Standard output or standard error.

    A file or a pipe gets UTF-8, whatever the locale's encoding: the output may be data. A terminal
    gets its own encoding, and escapes for characters that this lacks.

    Args:
        stream: as Python opened it; it cannot be used afterwards.
        outlived: whether the program goes on if writing fails.

    Attributes:
        glyphs: whether more than ASCII can probably be shown.
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
        """Write text; drop it if writing has failed before and the program goes on."""
        try:
            return super().write(text)
        except OSError as error:
            self._lose(error)
            return len(text)

    def flush(self) -> None:
        """Flush the buffer."""
        try:
            super().flush()
        except OSError as error:
            self._lose(error)

    @contextmanager
    def outliving(self, goes_on: str) -> Generator[None]:
        """Let the work inside go on if writing fails, and print that it does.

        Args:
            goes_on: the work that goes on, in words.

        Raises:
            OSError: at the end, if writing failed for another reason than a closed pipe.
        """
        self._outlived, self._goes_on = True, goes_on
        try:
            yield
        finally:
            self._outlived = False
        if self._failed:
            raise self._failed

    def _lose(self, error: OSError) -> None:
        """Discard all output from now on; or raise the error, if the program does not go on."""
        if not self._outlived:
            raise error
        discard(self)
        gone = error.errno in _GONE
        self._failed = None if gone else OSError(error.errno, error.strerror, "standard output")
        if self._goes_on:
            why = "nobody reads the output any more" if gone else "the output cannot be written"
            sys.stderr.write(f"microgpt: {why}; {self._goes_on}\n")


def opened(stream: TextIO | None, *, outlived: bool = False) -> TextIO:
    """Return an `Output` in place of a stream; for a closed one, output is discarded."""
    stream = stream or Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  (to the end)
    if not isinstance(stream, io.TextIOWrapper):
        return stream  # for example a notebook's
    return Output(cast("io.TextIOWrapper[Any]", stream), outlived=outlived)


def discard(stream: TextIO) -> None:
    """Discard what is left in a stream's buffer, and all later output."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@contextmanager
def outliving(goes_on: str) -> Generator[None]:
    """Let the work inside go on if writing to standard output fails: see `Output.outliving`."""
    if isinstance(sys.stdout, Output):
        with sys.stdout.outliving(goes_on):
            yield
    else:
        yield


def is_interactive() -> bool:
    """Return whether standard output is a terminal on which a progress bar can be redrawn."""
    return sys.stdout.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def shows_glyphs(stream: TextIO) -> bool:
    """Return whether a stream can probably show bars and marks, by the locale's encoding."""
    if isinstance(stream, Output):
        return stream.glyphs
    return codecs.lookup(stream.encoding or "utf-8").name.startswith("utf")


def decorated(text: str) -> str:
    """Return text with its bars and marks replaced by ASCII.

    >>> decorated("letters 2.95 ┃ this model 2.02 ●   ▁█ · col·lecció")
    'letters 2.95 | this model 2.02 <   .# | col·lecció'
    """
    between = _BETWEEN.sub(lambda mark: "|" if mark[0] == "·" else "+-", text)
    return between.translate(_ASCII)


class Decorated(io.TextIOBase):
    """A stream for a console that replaces bars and marks by ASCII."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The encoding by which the console chooses the characters of its own bars."""
        return "ascii"

    def write(self, text: str, /) -> int:
        """Write text."""
        return self._stream.write(decorated(text))

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream.isatty()

    def fileno(self) -> int:
        """Return the stream's file descriptor."""
        return self._stream.fileno()
