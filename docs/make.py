"""Write the generated parts of the docs: transcripts, the reference, tables, pictures.

In: `README.md`, the pages beside this file and those of the examples, in which a block that begins
with ``$`` shows a command. Out: the same pages with the commands' present output, `cli.md`,
`images/`, and the examples' notebooks, executed. All commands run in one empty folder, in the order
of the pages. `records.py` makes tables from the records in `benchmarks/`, `course.py` those of the
course's index. A test fails while any of this is out of date.

    python docs/make.py
"""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

import course
import notebook
import records
import symptoms
from matplotlib.figure import Figure

from microgpt.cli.front import COMMANDS
from microgpt.cli.terminal.pictures import COLOURS
from microgpt.cli.why.ideas import IDEAS
from microgpt.loss import OBJECTIVES

DOCS = Path(__file__).resolve().parent
LEARN = tuple(path for name in IDEAS if (path := DOCS / "learn" / f"{name}.md").exists())
INDEX = DOCS / "learn" / "README.md"
EXERCISES = DOCS / "learn" / "exercises.md"
PAGES = (
    DOCS.parent / "README.md", INDEX, *LEARN, EXERCISES, DOCS / "evaluate.md", DOCS / "score.md",
)  # fmt: skip
EXAMPLES = tuple(
    DOCS.parent / "examples" / f"{name}.md"
    for name in ("surnames", "misspelt", "codes", "hosts", "logs", "products", "study")
)
IMAGES = DOCS / "images"
_OUTPUT = """\
What goes to a file or a pipe is UTF-8, whatever the locale, without colours and without a limit of
width. A terminal gets its own encoding, and colours unless `NO_COLOR` is set. The code is 0, 2 for
a mistake or a bad input, 130 for an interruption. A reader that goes away ends a command quietly;
`train` and `sweep` go on without it."""
# One process for all pages: starting one for each would take longer than the work itself.
_HELP = """\
import sys
from microgpt.cli.app import run
for name in sys.argv[1:]:
    run([*name.split(), "--help"])
    print("\\f")
"""
_BLOCK = re.compile(r"(?<=```console\n)\$ .*?(?=```)", re.DOTALL)


def run(command: str, folder: Path) -> str:
    """Return what a command prints on a pipe, prose wrapped at 100 columns."""
    program, *words = shlex.split(command)
    if program == "python":
        words = [sys.executable, str(DOCS.parent / words[0])]
    else:
        words = [sys.executable, "-m", "microgpt", *words]
    return wrapped(printed(words, folder))


def printed(words: list[str], folder: Path) -> str:
    """Return what a program prints on pipes."""
    env = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def wrapped(text: str) -> str:
    """Wrap the prose of a text at 100 columns."""
    lines = text.splitlines()
    return "\n".join(part for line in lines for part in folded(line.rstrip())).rstrip("\n")


def folded(line: str) -> list[str]:
    """Wrap a line of prose to the page's width; return other lines unchanged."""
    indent = line[: len(line) - len(line.lstrip())]
    if line.startswith("{") or "  " in line.strip():
        return [line]
    hanging = indent and f"{indent}    "
    return textwrap.wrap(line, 100, subsequent_indent=hanging, break_on_hyphens=False) or [""]


def page(text: str, folder: Path) -> str:
    """Run the commands of a page and put their output behind them."""

    def block(match: re.Match[str]) -> str:
        commands = [line for line in match[0].splitlines() if line.startswith("$ ")]
        shown = [f"{command}\n{run(command[2:], folder)}\n" for command in commands]
        return "\n".join(shown)

    return _BLOCK.sub(block, text)


def reference(folder: Path) -> str:
    """Write the command-line reference from `--help`."""
    parts = [
        "# Command line\n\nWritten by `docs/make.py` from `--help`; do not edit.\n",
        f"{_OUTPUT}\n",
    ]
    names = ["", *COMMANDS]
    names.insert(names.index("data") + 1, "data prepare")
    pages = printed([sys.executable, "-c", _HELP, *names], folder).split("\f\n")
    for name, page in zip(names, pages):
        parts.append(f"## {f'microgpt {name}'.strip()}\n\n```text\n{wrapped(page)}\n```\n")
    return "\n".join(parts)


def race_picture(path: Path) -> None:
    """Draw held-out loss against seconds, a line for each split."""
    record = json.loads((records.FOLDER / "race.json").read_text("utf-8"))
    figure = Figure(figsize=(8, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, colour, mark in zip(("names", "surnames", "shakespeare"), COLOURS, "os^"):
        rows = [row for row in record["rows"] if row["split"] == name]
        if not rows:
            continue
        losses = list(zip(*(row["loss"] for row in rows)))
        spread = [[middle - low for low, middle in zip(losses[0], losses[1])]]
        spread.append([high - middle for middle, high in zip(losses[1], losses[2])])
        seconds = [row["budget"] for row in rows]
        axes.errorbar(seconds, losses[1], spread, color=colour, marker=mark, capsize=3, label=name)
        axes.axhline(record["counts"][name], color=colour, linestyle=":", linewidth=1)
    axes.set(xscale="log", xlabel="seconds of training", ylabel="held out, nats a character")
    axes.set_title("Dotted: counts of five in a row alone", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def losses_picture(path: Path) -> None:
    """Draw the three losses and their gradients' sizes against p."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    p = [10 ** (-4 + 4 * i / 400) for i in range(401)]
    for objective, colour, dash in zip(OBJECTIVES.values(), COLOURS, ("-", "--", "-.")):
        nats = [-math.log(x) for x in p]
        values = [objective.value(n) for n in nats]
        push = [objective.weight(n) * -math.expm1(-n) for n in nats]
        left.semilogx(p, values, dash, color=colour, label=objective.formula)
        right.semilogx(p, push, dash, color=colour, label=objective.formula)
    left.set(xlabel="p, the probability of what came", title="The loss")
    right.set(xlabel="p", title="How hard it pushes on the target's logit")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Write everything."""
    IMAGES.mkdir(exist_ok=True)
    losses_picture(IMAGES / "losses.svg")
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        for path in (*PAGES, *EXAMPLES):
            path.write_text(page(path.read_text("utf-8"), folder), "utf-8", newline="\n")
        for name, rows in records.TABLES.items():
            path = DOCS / name
            path.write_text(rows(path.read_text("utf-8")), "utf-8", newline="\n")
        INDEX.write_text(course.index(INDEX.read_text("utf-8")), "utf-8", newline="\n")
        EXERCISES.write_text(symptoms.tables(EXERCISES.read_text("utf-8")), "utf-8", newline="\n")
        symptoms.picture(IMAGES / "bugs.svg")
        race_picture(IMAGES / "race.svg")
        (DOCS / "cli.md").write_text(reference(folder), "utf-8", newline="\n")
        notebook.write(folder)
        run(f"microgpt why --train --save {IMAGES / 'why.svg'}", folder)
        run(f"microgpt plot names-1 --save {IMAGES / 'curve.svg'}", folder)


if __name__ == "__main__":
    main()
