"""The curves of the exercises in docs/learn: fifteen bugs, and the same training without one.

Every row is one training of `docs/learn/bugs.py`: its training loss, each point the mean of some
steps; its held-out loss; and the symptoms that `microgpt doctor` names, the most specific first.
Nothing depends on the clock; exercise 5 is another one every time: that is its bug.

    python benchmarks/exercises.py
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from microgpt import Run
from microgpt.doctor import Evidence, examine
from microgpt.runs.learning import Learning

ROOT = Path(__file__).resolve().parents[1]
RECORD = Path(__file__).parent / "records" / "exercises.json"
POINTS = 40

sys.path.insert(0, str(ROOT / "docs" / "learn"))

import bugs  # noqa: E402


def row(number: int, folder: Path) -> dict[str, Any]:
    """Train with a bug, and examine the run; where it has to repeat, beside a second one."""
    bug = bugs.BUGS[number - 1] if number else None
    run, again = (folder / name for name in ("run", "again"))
    bugs.train(number, run)
    second = None
    if bug and bug.symptom == "does-not-repeat":
        bugs.train(number, again)
        second = Run(again)
    found = examine(Evidence(Run(run), second)).found
    curves = Learning.of(Run(run).log, POINTS)
    return {
        "number": number, "steps": Run(run).log.steps, "symptoms": [*found],
        "training": [[step, round(loss, 4)] for step, loss in curves.training],
        "held_out": [[step, round(loss, 4)] for step, loss in curves.held_out],
    }  # fmt: skip


def main() -> None:
    rows = []
    for number in range(len(bugs.BUGS) + 1):
        with tempfile.TemporaryDirectory() as folder:
            rows.append(row(number, Path(folder)))
    record = {"date": time.strftime("%Y-%m-%d"), "steps": bugs.STEPS, "rows": rows}
    # A point of a curve on one line.
    text = re.sub(r"\[\s+([\d.]+),\s+([\d.]+)\s+\]", r"[\1, \2]", json.dumps(record, indent=1))
    RECORD.write_text(f"{text}\n", "utf-8")


if __name__ == "__main__":
    main()
