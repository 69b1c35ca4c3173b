"""Printing for all commands: a line, a JSON object, a note on standard error.

On a terminal rich wraps and colours lines. On a pipe they are whole, plain, and written without
rich, whose import takes longer than a short command.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from microgpt.cli.terminal.streams import decorated, shows_glyphs
from microgpt.wording import printable

if TYPE_CHECKING:
    from rich.text import Text


def say(line: str | Text = "", style: str | None = None, *, at_once: bool = True) -> None:
    """Print one line; a terminal wraps it. `at_once` flushes a pipe."""
    if sys.stdout.isatty():
        from microgpt.cli.terminal.console import stdout

        stdout().print(line, style=style)
    else:
        text = str(line)
        sys.stdout.write(f"{text if shows_glyphs(sys.stdout) else decorated(text)}\n")
        if at_once:
            sys.stdout.flush()


def say_row(parts: Sequence[tuple[str, str]], between: str) -> None:
    """Print (text, style) pairs side by side, or below each other if they do not fit."""
    if not sys.stdout.isatty():
        say("    " + between.join(text for text, _ in parts))
        return
    from rich.text import Text

    from microgpt.cli.terminal.console import stdout

    texts = [Text(text, style) for text, style in parts]
    row = Text("    ") + Text(between).join(texts)
    fits = row.cell_len <= stdout().width
    say(row if fits else Text("\n").join([Text("    ") + text for text in texts]))


def say_commands(*commands: str) -> None:
    """Print commands to try next, on one line if they fit."""
    say_row([(command, "") for command in commands], " · ")


def say_json(record: Mapping[str, Any]) -> None:
    """Print one JSON object on one line, at once; escaped on a terminal that is not Unicode.

    A number that is not finite, such as the perplexity of a diverged model, becomes null.
    """
    from microgpt.evaluation.record import finite

    escaped = "utf" not in (sys.stdout.encoding or "").lower()
    print(json.dumps(finite(record), ensure_ascii=escaped), flush=True)


def say_lines(lines: Sequence[str]) -> None:
    """Print finished lines of JSON, at once."""
    if lines:
        print("\n".join(lines), flush=True)


def remark(sentence: str) -> None:
    """Print one sentence on standard error."""
    text = sentence if shows_glyphs(sys.stderr) else decorated(sentence)
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def note(sentence: str) -> None:
    """Print one sentence on standard error, with "microgpt: " before it."""
    remark(f"microgpt: {printable(sentence)}")


def ellipsis() -> str:
    """Return the sign for an omission that standard output can show."""
    return "…" if shows_glyphs(sys.stdout) else "..."
