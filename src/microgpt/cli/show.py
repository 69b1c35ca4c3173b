"""What all commands print with: consoles, numbers, bars, colours.

On a terminal there is colour; on a pipe, plain text without a limit of width.
"""

from __future__ import annotations

import errno
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from microgpt.alphabet import printable
from microgpt.baselines import Ladder
from microgpt.checkpoint import CONFIG
from microgpt.errors import RunError
from microgpt.folder import RUNS
from microgpt.words import level, name_of

# One hue from pale to strong: readable for the colour-blind, and the number is always there too.
_SURPRISE = ("default", "color(223)", "color(215)", "color(208)", "color(202)", "bold color(196)")
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
    return _Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def say(line: str | Text = "", style: str | None = None, *, at_once: bool = True) -> None:
    """Print one line; a terminal wraps it between words, a pipe has it whole: at once, or soon."""
    if sys.stdout.isatty():
        stdout().print(line, style=style)
    else:
        sys.stdout.write(f"{line}\n")
        if at_once:
            sys.stdout.flush()


def say_json(record: Mapping[str, Any]) -> None:
    """Print one JSON object on one line, at once; escaped where the output is not Unicode."""
    escaped = "utf" not in (sys.stdout.encoding or "").lower()
    print(json.dumps(record, ensure_ascii=escaped), flush=True)


def table(*columns: str, left: int = 1) -> Table:
    """Return a table without borders: the first columns to the left, numbers to the right."""
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for i, column in enumerate(columns):
        made.add_column(column, justify="left" if i < left else "right", overflow="fold")
    return made


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


def surprise_style(nats: float) -> str:
    """Return a colour for a number of nats."""
    return _SURPRISE[level(nats)]


def rungs(ladder: Ladder) -> Text:
    """Write the ladder on one line, the worst first, this model in its place."""
    steps = [
        (total.mean, f"{name_of(name, ladder.n)} {total.mean:.2f}")
        for name, total in ladder.baselines.items()
    ]
    steps.append((ladder.model.mean, f"this model {ladder.model.mean:.2f} ●"))
    line = Text("    ")
    for i, (_, words) in enumerate(sorted(steps, reverse=True)):
        line.append(" ┃ " if i else "")
        line.append(words, "bold green" if words.startswith("this model") else "")
    return line


def sample_words(texts: Sequence[str], seen: Sequence[bool]) -> str:
    """Write samples on one line, those that stand in the training data with an asterisk."""
    return "  ".join(
        (printable(text) or "(empty)") + ("*" if known else "") for text, known in zip(texts, seen)
    )


def find_run(run: str | None) -> Path:
    """Return a run's folder: the one named, a name among runs/, or the newest there.

    Raises:
        RunError: there is none; the message names those there are.
    """
    here = all_runs()
    if run is None:
        if not here:
            raise RunError(f"no runs in {RUNS}/ yet. Try: microgpt train")
        return here[-1]
    for folder in (Path(run), RUNS / run):
        if folder.exists():
            return folder
    names = ", ".join(map(str, reversed(here[-5:])))
    hint = f"Runs here: {names}." if here else "Try: microgpt train"
    raise RunError(f"{run}: no such run. {hint}")


def all_runs() -> list[Path]:
    """Return the runs in runs/, the newest last."""
    configs = RUNS.glob(f"*/{CONFIG}")
    return [path.parent for path in sorted(configs, key=lambda path: path.stat().st_mtime_ns)]


def width() -> int:
    """Return how many columns there are: the terminal's, or 100 on a pipe."""
    return shutil.get_terminal_size((100, 24)).columns if sys.stdout.isatty() else 100
