"""What all commands say with: a line, a JSON object, a note on standard error.

On a pipe lines are whole, plain, and written without rich, which takes longer to load than a short
command to run. On a terminal it wraps and colours them.
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
    """Print one line; a terminal wraps it between words, a pipe has it whole: at once, or soon."""
    if sys.stdout.isatty():
        from microgpt.cli.terminal.console import stdout

        stdout().print(line, style=style)
    else:
        text = str(line)
        sys.stdout.write(f"{text if shows_glyphs(sys.stdout) else decorated(text)}\n")
        if at_once:
            sys.stdout.flush()


def say_row(parts: Sequence[tuple[str, str]], between: str) -> None:
    """Print texts, each with its style, side by side, or below each other if they do not fit."""
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
    """Print commands to go on with, on one line where there is room."""
    say_row([(command, "") for command in commands], " · ")


def say_json(record: Mapping[str, Any]) -> None:
    """Print one JSON object on one line, at once; escaped on a terminal that is not Unicode.

    What is no finite number, as the perplexity of a model that has run away, is null.
    """
    from microgpt.evaluation.record import finite

    escaped = "utf" not in (sys.stdout.encoding or "").lower()
    print(json.dumps(finite(record), ensure_ascii=escaped), flush=True)


def say_lines(lines: Sequence[str]) -> None:
    """Print lines of JSON that are ready, at once."""
    if lines:
        print("\n".join(lines), flush=True)


def remark(sentence: str) -> None:
    """Say one sentence on standard error."""
    text = sentence if shows_glyphs(sys.stderr) else decorated(sentence)
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def note(sentence: str) -> None:
    """Say on standard error, as microgpt, what a person should know."""
    remark(f"microgpt: {printable(sentence)}")


def ellipsis() -> str:
    """Return what stands for what was left out."""
    return "…" if shows_glyphs(sys.stdout) else "..."
