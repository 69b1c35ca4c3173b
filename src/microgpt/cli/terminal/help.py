"""The layout of `--help`: one line for each flag, wrapped between words on a terminal only.

In: the parser's description of a command. Out: plain text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

from cyclopts.help import HelpPanel, PlainFormatter
from rich.console import Console, ConsoleOptions

from microgpt.cli.terminal.wrapped import HANGING, wrapped

_WIDE = 10_000
_WITHIN_A_PARAGRAPH = re.compile(r"(?<!\n)\n(?!\n)")
# In a group of flags, a line that does not begin with a flag continues the one above.
_GOES_ON = re.compile(r"^  (?=[a-z])", re.MULTILINE)


class Help:
    """Formats help: it lets the library's plain formatter write whole lines, then wraps them."""

    def __init__(self) -> None:
        self._plain = PlainFormatter()

    def __call__(self, console: Console, options: ConsoleOptions, panel: HelpPanel) -> None:
        """Write a group of flags."""
        text = _whole(lambda wide: self._plain(wide, wide.options, panel))
        _print(console, _GOES_ON.sub(HANGING, text) if panel.format == "parameter" else text)

    def render_usage(self, console: Console, options: ConsoleOptions, usage: Any) -> None:
        """Write the first line."""
        _print(console, _whole(lambda wide: self._plain.render_usage(wide, wide.options, usage)))

    def render_description(self, console: Console, options: ConsoleOptions, text: Any) -> None:
        """Write paragraphs, with the line breaks of the docstring removed."""
        written = _whole(lambda wide: self._plain.render_description(wide, wide.options, text))
        _print(console, _WITHIN_A_PARAGRAPH.sub(" ", written.rstrip("\n")) + "\n\n")


def _whole(write: Callable[[Console], None]) -> str:
    """Return what a function writes to a console that is wide enough for whole lines."""
    text = io.StringIO()
    write(Console(file=text, width=_WIDE, markup=False, highlight=False, emoji=False))
    return text.getvalue()


def _print(console: Console, text: str) -> None:
    for line in wrapped(text, console.width):
        console.print(line, soft_wrap=True)
