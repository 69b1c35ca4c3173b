"""Tables of the time and memory of whole processes, before a change and now.

In: a page with a place for them, and the records of benchmarks. Out: the page with present rows.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks" / "records"


def tables(text: str) -> str:
    """Put time and memory of processes, before a change and now, into the page on speed."""
    for name, cells, heads in (
        ("memory", _memory_cells, ("s", "of processors", "MB at most")),
        ("command", _command_cells, ("wall", "of processors", "times the engine's")),
    ):
        record = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
        parts = {part: record[part] for part in ("before", "now") if part in record}
        lines = []
        for part, rows in parts.items():
            commits, dates, loads = (
                sorted({row[key] for row in rows if row[key]}) for key in ("commit", "date", "load")
            )
            lines.append(
                f"{part.capitalize()}: commit {', '.join(commit[:7] for commit in commits)}, "
                f"{', '.join(dates)}; {rows[0]['processors']} processors, load average "
                f"{loads[0]:.0f} to {loads[-1]:.0f}."
            )
        lines += ["", f"| | n | {' | '.join(f'{p}: {head}' for p in parts for head in heads)} |"]
        lines.append(f"|---|---|{'---|' * len(heads) * len(parts)}")
        found = [
            {cells(row)[0]: row for row in sorted(rows, key=lambda row: row.get("size", 0))}
            for rows in parts.values()
        ]
        for label in dict.fromkeys(label for rows in found for label in rows):
            of = [rows.get(label) for rows in found]
            n = ", ".join(str(row["n"]) if row else "" for row in of)
            figures = [cell for row in of for cell in (cells(row)[1] if row else [""] * len(heads))]
            lines.append(f"| {' | '.join([label, n, *figures])} |")
        place = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- end -->)", re.DOTALL)
        text = place.sub("\n".join(lines) + "\n", text, count=1)
    return text


def _middle(values: list[float], form: str) -> str:
    """Show a median, with the least and the most if they differ."""
    low, middle, high = (format(value, form) for value in values)
    return middle if low == high else f"{middle} ({low} to {high})"


def _memory_cells(row: dict[str, Any]) -> tuple[str, list[str]]:
    label = f"{row['size']:g} MB, {row['lines'] / 1e6:.1f} million lines: `{row['command']}`"
    if not row["seconds"]:
        return label, [row["outcome"], "", ""]
    seconds, processor = (_middle(row[key], ".1f") for key in ("seconds", "processor"))
    # The memory of all processes together; where that is unknown, the largest process's.
    most = row["together"] if max(row["together"]) > max(row["megabytes"]) else row["megabytes"]
    killed = "" if row["outcome"] == "ended" else f", killed: {row['outcome']}"
    return label, [seconds + killed, processor, _middle(most, ",.0f")]


def _command_cells(row: dict[str, Any]) -> tuple[str, list[str]]:
    if row["kind"] == "start":
        cells = [f"{_middle(row[key], '.2f')} s" for key in ("seconds", "processor")]
        return f"`{row['label']}`, whole", [*cells, ""]
    scaled = [[1e6 * value for value in row[key]] for key in ("seconds", "processor")]
    cells = [f"{_middle(values, '.1f')} µs" for values in scaled]
    return f"`{row['label']}`, a step", [
        *cells,
        _middle(row["ratio"], ".2f") if "ratio" in row else "",
    ]
