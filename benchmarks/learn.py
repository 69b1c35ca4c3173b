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
from pathlib import Path

from process import circumstances

from microgpt import experiment
from microgpt.data.corpus import Source
from microgpt.experiment.attempt import Attempt
from microgpt.experiment.rows import cells, rows
from microgpt.experiment.trials import Trials
from microgpt.experiment.variants import TRIALS

RECORD = Path(__file__).parent / "records" / "learn.json"
SEEDS = (42, 1, 2, 3, 4)


def trained(trials: Trials) -> Iterator[Attempt]:
    for attempt in trials.attempts():
        for _ in attempt.train():
            pass
        yield attempt


def main(ideas: list[str]) -> None:
    base = experiment.new(Source())
    for idea in ideas or TRIALS:
        trials = Trials(idea, base, SEEDS, ("auto", None, None))
        found = list(rows(trials.trial, trained(trials)))
        for row in found:
            print(idea, *cells(trials.trial, row), sep=" | ", flush=True)
        record = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
        measured = {**circumstances(), "seeds": SEEDS, "steps": trials.first.steps}
        measured["batch_size"] = trials.first.batch_size
        record[idea] = {**measured, "rows": [asdict(row) for row in found]}
        record = {name: record[name] for name in TRIALS if name in record}
        RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
