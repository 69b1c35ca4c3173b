"""The generated parts of the page of exercises: pictures, tables, answers.

In: the exercises, the record of their curves, the doctor's symptoms. Out: the page with them, and a
picture.
"""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import processes
from matplotlib.figure import Figure

from microgpt.cli.terminal.pictures import COLOURS
from microgpt.doctor import SYMPTOMS

sys.path.insert(0, str(Path(__file__).parent / "learn"))

from bugs import BUGS

MOST = 6.0


def record() -> dict[str, Any]:
    """Read the record of the exercises."""
    return json.loads((processes.FOLDER / "exercises.json").read_text("utf-8"))


def tables(text: str) -> str:
    """Put what was measured, the exercises with their answers, and the suspects into the page."""
    for name, lines in (
        ("rows", _measured()), ("exercises", _exercises()), ("suspects", _suspects()),
    ):  # fmt: skip
        place = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end {name} -->)", re.DOTALL)
        text = place.sub(lambda _, its=lines: "\n".join(its) + "\n", text)
    return text


def _measured() -> list[str]:
    told = record()
    lines = [
        f"{told['steps']} steps on 400 names of at most six letters, one training each; "
        f"{told['date']}. Each training loss is the mean of the last {told['steps'] // 40} steps.",
        "",
        "| exercise | steps | training loss, first | last | held out, last |",
        "|---|---|---|---|---|",
    ]
    for row in told["rows"]:
        ends = [row["training"][0][1], row["training"][-1][1], row["held_out"][-1][1]]
        cells = [row["number"] or "none: sound", row["steps"], *map(_loss, ends)]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _loss(loss: float) -> str:
    return f"{loss:.4f}" if loss < 100 else f"{loss:,.0f}"


def _exercises() -> list[str]:
    lines = list[str]()
    for bug, row in zip(BUGS, record()["rows"][1:]):
        lines += [
            f"### Exercise {row['number']}", "", bug.shows, "",
            "<details><summary>Hint</summary>", "", bug.hint, "", "</details>", "",
            "<details><summary>Answer</summary>", "",
            f"**{bug.title[0].upper()}{bug.title[1:]}**, in `src/microgpt/{bug.file}`:", "",
            "```diff", f"- {bug.line.strip()}", f"+ {bug.broken.strip()}", "```", "",
            bug.why, "",
            f"`microgpt doctor` names: {', '.join(f'`{name}`' for name in row['symptoms'])}.", "",
            "</details>", "",
        ]  # fmt: skip
    return lines


def _suspects() -> list[str]:
    lines = ["| `microgpt doctor` | what the run shows | suspects | read |", "|---|---|---|---|"]
    for name, symptom in SYMPTOMS.items():
        page = f"[{symptom.idea}]({symptom.idea}.md)"
        lines.append(f"| `{name}` | {symptom.title} | {symptom.cause} | {page} |")
    return lines


def picture(path: Path) -> None:
    """Draw the curves of all exercises, each beside that of the sound training."""
    sound, *rows = record()["rows"]
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    panels = figure.subplots(3, 5, sharex=True, sharey=True).ravel()
    for axes, row in zip(panels, rows):
        _curve(axes, sound["training"], "0.75", "-", "training, sound")
        _curve(axes, row["training"], COLOURS[0], "-", "training")
        _curve(axes, row["held_out"], COLOURS[1], "--", "held out")
        axes.axhline(math.log(27), color="0.5", linestyle=":", linewidth=1)
        axes.set_title(str(row["number"]), fontsize=10, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        ends = (("training", row["training"][-1][1]), ("held out", row["held_out"][-1][1]))
        above = "\n".join(f"{name} ends at {loss:,.0f}" for name, loss in ends if loss > MOST)
        axes.annotate(above, (1, 1), xycoords="axes fraction", ha="right", va="top", fontsize=8)
    panels[0].set(ylim=(0.0, MOST))
    figure.supxlabel("steps")
    figure.supylabel("nats a character")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=3,
                  frameon=False)  # fmt: skip
    figure.savefig(path, metadata={"Date": None})


def _curve(axes: Any, points: list[list[float]], colour: str, dash: str, name: str) -> None:
    axes.plot(*zip(*points), dash, color=colour, label=name, linewidth=1.6)
