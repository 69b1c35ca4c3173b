"""What all commands print with: consoles, numbers, bars, colours.

On a terminal there is colour; on a pipe, plain text without a limit of width.
"""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Mapping, Sequence
from typing import IO, Any, cast

from rich.console import Console
from rich.text import Text

from microgpt.cli.terminal.colours import THEME
from microgpt.cli.terminal.streams import Decorated, decorated, shows_glyphs
from microgpt.cli.terminal.tables import Rows
from microgpt.counting.ladder import Ladder
from microgpt.evaluation.record import finite
from microgpt.wording import ALONE, figures, name_of, printable, readable

_EIGHTHS = " ▁▂▃▄▅▆▇█"


def stdout() -> Console:
    """Return a console on standard output."""
    return _console(stderr=False)


def stderr() -> Console:
    """Return a console on standard error."""
    return _console(stderr=True)


class _Console(Console):
    """A console that tells its caller when the reader has gone; rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "the reader has gone")


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else 10_000
    file = None if shows_glyphs(stream) else cast("IO[str]", Decorated(stream))
    return _Console(
        file=file, stderr=stderr, width=width, theme=THEME, highlight=False, markup=False,
        emoji=False,
    )  # fmt: skip


def say(line: str | Text = "", style: str | None = None, *, at_once: bool = True) -> None:
    """Print one line; a terminal wraps it between words, a pipe has it whole: at once, or soon."""
    if sys.stdout.isatty():
        stdout().print(line, style=style)
    else:
        text = str(line)
        sys.stdout.write(f"{text if shows_glyphs(sys.stdout) else decorated(text)}\n")
        if at_once:
            sys.stdout.flush()


def say_json(record: Mapping[str, Any]) -> None:
    """Print one JSON object on one line, at once; escaped on a terminal that is not Unicode.

    What is no finite number, as the perplexity of a model that has run away, is null.
    """
    escaped = "utf" not in (sys.stdout.encoding or "").lower()
    print(json.dumps(finite(record), ensure_ascii=escaped), flush=True)


def say_lines(lines: Sequence[str]) -> None:
    """Print lines of JSON that are ready, at once."""
    if lines:
        print("\n".join(lines), flush=True)


def table(*columns: str, left: int = 1, least: Sequence[str] = ()) -> Rows:
    """Return a table: the first columns to the left, numbers to the right; see `Rows`."""
    return Rows(*columns, left=left, least=least)


def bar(value: float, top: float, width: int) -> str:
    """Draw a horizontal bar, whole at `top`.

    >>> bar(1.0, 2.0, 4)
    '██'
    """
    return "█" * round(width * min(value / top, 1.0)) if top > 0 else ""


def spark(values: Sequence[float], low: float, high: float) -> str:
    """Draw values as a row of small columns.

    >>> spark([0.0, 1.0, 2.0], 0.0, 2.0)
    '▁▅█'
    """
    span = high - low or 1.0
    levels = [1 + round(7 * min(max((v - low) / span, 0.0), 1.0)) for v in values]
    return "".join(_EIGHTHS[level] for level in levels)


def rungs(ladder: Ladder) -> Text:
    """Write the ladder on one line, the worst first, this model in its place."""
    steps = [
        (total.mean, f"{name_of(name, ladder.n)} {figures(total.mean, 2)}")
        for name, total in ladder.baselines.items()
    ]
    if ladder.gpt:
        steps.append((ladder.gpt.mean, f"{ALONE} {figures(ladder.gpt.mean, 2)}"))
    own = f"{ladder.name} {figures(ladder.model.mean, 2)} ●"
    steps.append((ladder.model.mean, own))
    rung = [Text(words, "good" if words == own else "") for _, words in sorted(steps, reverse=True)]
    return _in_a_row(rung, " ┃ ")


def say_commands(*commands: str) -> None:
    """Print commands to go on with, on one line where there is room."""
    say(_in_a_row([Text(command) for command in commands], " · "))


def _in_a_row(parts: Sequence[Text], between: str) -> Text:
    """Lay parts out side by side, or below each other where they do not fit."""
    row = Text("    ") + Text(between).join(parts)
    fits = row.cell_len <= stdout().width
    return row if fits else Text("\n").join([Text("    ") + part for part in parts])


def sample_words(texts: Sequence[str], seen: Sequence[bool]) -> str:
    """Write samples on one line, those that stand in the training data with an asterisk."""
    return "  ".join(
        (printable(text) or "(empty)") + ("*" if known else "") for text, known in zip(texts, seen)
    )


def say_samples(texts: Sequence[str]) -> None:
    """Print samples of a text that has no documents, some lines each, as text."""
    for text in texts:
        for line in readable(text).split("\n"):
            say(f"    {line}".rstrip())
        say()


def ellipsis() -> str:
    """Return what stands for what was left out."""
    return "…" if shows_glyphs(sys.stdout) else "..."


def width() -> int:
    """Return how many columns there are: the terminal's, or 100 on a pipe."""
    return stdout().width if sys.stdout.isatty() else 100
