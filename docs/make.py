"""Write what in the docs comes from the program: transcripts, the reference, pictures.

In: `README.md`, the pages beside this file and the examples', in which a block that begins with
``$`` shows a command. Out: the same pages with what the commands print now, `cli.md`, and
`images/`. All commands run in one empty folder, in the order of the pages. The tables of the pages
in `TABLES` are those of the records in `benchmarks/`. A test fails while any of it is stale.

    python docs/make.py
"""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from matplotlib.figure import Figure

from microgpt.cli import COMMANDS
from microgpt.cli.plot import COLOURS
from microgpt.loss import OBJECTIVES

DOCS = Path(__file__).resolve().parent
PAGES = (
    DOCS.parent / "README.md", DOCS / "loss.md", DOCS / "evaluate.md", DOCS / "score.md",
)  # fmt: skip
EXAMPLES = tuple(
    DOCS.parent / "examples" / f"{name}.md"
    for name in ("surnames", "misspelt", "codes", "hosts", "logs")
)
IMAGES = DOCS / "images"
RECORDS = DOCS.parent / "benchmarks" / "records"
_TABLE = re.compile(r"(?<=<!-- rows -->\n).*?(?=<!-- end -->)", re.DOTALL)
_BLOCK = re.compile(r"(?<=```console\n)\$ .*?(?=```)", re.DOTALL)


def run(command: str, folder: Path) -> str:
    """Return what a command prints on a pipe, 100 columns wide."""
    program, *words = shlex.split(command)
    if program == "python":
        words = [sys.executable, str(DOCS.parent / words[0])]
    else:
        words = [sys.executable, "-m", "microgpt", *words]
    env = {**os.environ, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")


def page(text: str, folder: Path) -> str:
    """Run the commands of a page and put what they print behind them."""

    def block(match: re.Match[str]) -> str:
        commands = [line for line in match[0].splitlines() if line.startswith("$ ")]
        shown = [f"{command}\n{run(command[2:], folder)}\n" for command in commands]
        return "\n".join(shown)

    return _BLOCK.sub(block, text)


def reference(folder: Path) -> str:
    """Write the command-line reference from `--help`."""
    parts = ["# Command line\n\nWritten by `docs/make.py` from `--help`; do not edit.\n"]
    for name in ("", *COMMANDS):
        words = f"microgpt {name}".strip()
        parts.append(f"## {words}\n\n```text\n{run(f'{words} --help', folder)}\n```\n")
    return "\n".join(parts)


def speed(text: str) -> str:
    """Put the rows of the record into the page on speed."""
    record = json.loads((RECORDS / "speed.json").read_text("utf-8"))
    ours, others = {}, {}
    for row in record["rows"]:
        kind = ours if row["engine"] == "native" else others
        kind.setdefault(row["label"], []).append(row)
    lines = [
        f"A core's peak: {record['peak']:.0f} GFLOP/s. Medians of {record['n']} rounds, "
        f"{record['date']}; {record['build']}, PyTorch {record['torch']}.",
        "",
        "| layers x width | threads | µs a document | µs a token | GFLOP/s | times the limit |"
        " PyTorch eager | `torch.compile` |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for label, rows in ours.items():
        for row in rows:
            cells = [label, row["threads"], f"{row['document'] * 1e6:.2f}"]
            cells += [f"{row['token'] * 1e6:.3f}", f"{row['speed']:.0f}"]
            cells.append(f"{row['document'] / row['limit']:.2f}")
            # Beside one thread only: theirs are on one.
            beside = others.get(label, []) if row["threads"] == 1 else [None, None]
            cells += [f"{r['document'] / row['document']:.1f}x" if r else "" for r in beside]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return _TABLE.sub("\n".join(lines) + "\n", text)


def race(text: str) -> str:
    """Put the rows of the record into the page on the race."""
    record = json.loads((RECORDS / "race.json").read_text("utf-8"))
    lines = [
        f"Medians, with the least and the most; {record['date']}, {record['threads']} threads, "
        f"{record['build']}, commit {record['commit'][:7]}.",
        "",
        "| split | `--seconds` | seeds | nats a character | training, s | process, s | read |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        low, middle, high = row["loss"]
        cells = [row["split"], row["budget"], row["n"]]
        cells.append(f"{middle:.4f}" + (f" ({low:.4f} to {high:.4f})" if row["n"] > 1 else ""))
        cells += [f"{row['seconds'][1]:.2f}", f"{row['process'][1]:.1f}"]
        cells.append(f"{row['epochs'][1]:.1f} times")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    alone = ", ".join(f"{name} {loss:.3f}" for name, loss in record["counts"].items())
    lines += ["", f"Counts of five in a row alone: {alone}."]
    return _TABLE.sub("\n".join(lines) + "\n", text)


def losses(text: str) -> str:
    """Put the rows of the record into the page on the loss."""
    record = json.loads((RECORDS / "why.json").read_text("utf-8"))

    def cell(values: list[float] | None, form: str) -> str:
        if values is None:
            return ""
        low, middle, high = (format(value, form) for value in values)
        return f"{middle} ({low} to {high})" if low != high else middle

    lines = [
        "| text | steps | loss | nats | the likeliest came | p < 0.01 | w there | stayed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        cells = [row["text"], row["steps"], OBJECTIVES[row["objective"]].formula]
        cells += [cell(row["loss"], ".2f"), cell(row["accuracy"], ".1%"), cell(row["wrong"], ".0%")]
        cells += [cell(row["wrong_weight"], ".1g"), cell(row["stayed"], ".0%")]
        lines.append("| " + " | ".join(cells) + " |")
    return _TABLE.sub("\n".join(lines) + "\n", text)


def compressed(text: str) -> str:
    """Put the rows of the record into the page on compression."""
    record = json.loads((RECORDS / "compress.json").read_text("utf-8"))
    lines = [
        f"One training each; {record['date']}, {record['threads']} threads, {record['build']}.",
        "",
        "| text | bytes | nats a character | its losses, bytes | code | header | gzip -9 | xz -9e |"
        " xz -9e behind the rest | there, s | back, s |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in record["rows"]:
        cells = [f"{row['text']}, {row['file']}", f"{row['bytes']:,}", f"{row['loss']:.4f}"]
        cells += [f"{row['losses']:,.1f}", f"{row['compressed'] - row['header']:,}", row["header"]]
        cells += [f"{row['gzip']:,}", f"{row['xz']:,}"]
        cells.append(f"{row['seen']:,}" if "seen" in row else "")
        cells += [f"{row[way]:.1f}" for way in ("seconds", "seconds_back")]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    models = {row["text"]: f"{row['text']} {row['model']:,} bytes" for row in record["rows"]}
    lines += ["", f"The models, which no column counts: {', '.join(models.values())}."]
    return _TABLE.sub("\n".join(lines) + "\n", text)


def scored(text: str) -> str:
    """Put the rows of the record into the page on scores."""
    record = json.loads((RECORDS / "score.json").read_text("utf-8"))

    def middle(values: list[float], digits: int, factor: float = 1.0) -> str:
        low, high = (f"{factor * end(values):.{digits}f}" for end in (min, max))
        return f"{factor * statistics.median(values):.{digits}f} ({low} to {high})"

    flags = record["flags"]
    lines = [
        "| asked for | told, the mean of all | flagged, of lines never seen |"
        " of these with two letters exchanged | splits |",
        "|---|---|---|---|---|",
    ]
    for rate in sorted({row["rate"] for row in flags}):
        some = [row for row in flags if row["rate"] == rate]
        told = statistics.mean(float(row["said"].split("%")[0].split()[-1]) for row in some)
        cells = [f"{rate:.0%}", f"{told:.2f} %"]
        cells += [
            f"{middle([row[key] for row in some], 2, 100)} %"
            for key in ("flagged", "swapped_flagged")
        ]
        lines.append(f"| {' | '.join([*cells, str(len(some))])} |")
    lines += [
        "",
        f"Medians, with the least and the most; {record['date']}, {record['threads']} processors,"
        f" {record['build']}.",
        "",
        "| lines | characters a line | rows | million characters a second | with the ends |"
        " from start to end | megabytes, for four times as much |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in record["speeds"]:
        cells = [row["text"], f"{row['characters_a_line']:.1f}", row["format"]]
        cells += [
            middle(row[f"{key}_per_second"], 1, 1e-6)
            for key in ("characters", "positions", "whole_characters")
        ]
        cells.append(", ".join(f"{size:.0f}" for size in row["megabytes"]))
        lines.append(f"| {' | '.join(cells)} |")
    return _TABLE.sub("\n".join(lines) + "\n", text)


def race_picture(path: Path) -> None:
    """Draw held-out loss against seconds, a line a split."""
    record = json.loads((RECORDS / "race.json").read_text("utf-8"))
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
    """Draw the three losses, and how hard each pushes, against p."""
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
    right.set(xlabel="p", title="How hard it pushes on the right logit")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


TABLES = {
    "speed.md": speed, "loss.md": losses, "race.md": race, "compress.md": compressed,
    "score.md": scored,
}  # fmt: skip
"""Pages with a table of a record, and what writes it."""


def main() -> None:
    """Write everything."""
    IMAGES.mkdir(exist_ok=True)
    losses_picture(IMAGES / "losses.svg")
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        for path in (*PAGES, *EXAMPLES):
            path.write_text(page(path.read_text("utf-8"), folder), "utf-8", newline="\n")
        for name, rows in TABLES.items():
            path = DOCS / name
            path.write_text(rows(path.read_text("utf-8")), "utf-8", newline="\n")
        race_picture(IMAGES / "race.svg")
        (DOCS / "cli.md").write_text(reference(folder), "utf-8", newline="\n")
        run(f"microgpt why --train --save {IMAGES / 'why.svg'}", folder)
        run(f"microgpt plot names-1 --save {IMAGES / 'curve.svg'}", folder)


if __name__ == "__main__":
    main()
