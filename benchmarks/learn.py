"""The experiments of the course over several seeds: `microgpt why IDEA --train`, measured.

Every row is one variant on the embedded names, by the preset "microgpt": its numbers with each
seed. Only milliseconds depend on the clock.

    python benchmarks/learn.py [IDEA ...]      no idea: all that have an experiment
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from process import circumstances

from microgpt import experiment
from microgpt.data.corpus import Source
from microgpt.experiment.attempt import Attempt
from microgpt.experiment.rows import cells, rows
from microgpt.experiment.trainings import Trainings
from microgpt.experiment.variants import COMPARISONS

RECORD = Path(__file__).parent / "records" / "learn.json"
SEEDS = (42, 1, 2, 3, 4)


def trained(trainings: Trainings) -> Iterator[Attempt]:
    for attempt in trainings.attempts():
        for _ in attempt.train():
            pass
        yield attempt


def main(ideas: list[str]) -> None:
    base = experiment.new(Source())
    for idea in ideas or COMPARISONS:
        trainings = Trainings(idea, base, SEEDS, ("auto", None, None))
        found = list(rows(trainings.comparison, trained(trainings)))
        for row in found:
            print(idea, *cells(trainings.comparison, row), sep=" | ", flush=True)
        record = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
        measured = {
            **circumstances(),
            "torch": version("torch"),
            "seeds": SEEDS,
            "steps": trainings.first.steps,
        }
        measured["batch_size"] = trainings.first.batch_size
        record[idea] = {**measured, "rows": [asdict(row) for row in found]}
        record = {name: record[name] for name in COMPARISONS if name in record}
        RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
