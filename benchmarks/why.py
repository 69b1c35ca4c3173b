"""The results of `microgpt why --train` over several seeds: is one seed's result typical?

Every row is one objective, with plain gradient descent or the recipe's optimiser, on one text: the
median, the least and the most of its last point over the seeds. Nothing depends on the clock.

    python benchmarks/why.py FOLDER      FOLDER: with names.txt
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import asdict
from pathlib import Path

from microgpt import experiment
from microgpt.data.corpus import Source
from microgpt.experiment import Experiment
from microgpt.loss import OBJECTIVES

RECORD = Path(__file__).parent / "records" / "why.json"
SEEDS = (42, 1, 2, 3, 4)


def spread(values: list[float | None]) -> list[float] | None:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return [min(known), statistics.median(known), max(known)]


def main(folder: Path) -> None:
    texts = {"surnames": Source(), "names": Source(files=(str(folder / "names.txt"),))}
    rows = []
    for text, source in texts.items():
        opened = [Experiment(experiment.new(source, seed=seed)) for seed in SEEDS]
        for plain in (True, False):
            for name in OBJECTIVES:
                curves = [list(one.curve(name, plain=plain)) for one in opened]  # type: ignore[arg-type]
                ends = [asdict(points[-1]) for points in curves]
                kept = ("loss", "accuracy", "wrong", "wrong_weight", "stayed")
                row = {"text": text, "steps": "plain" if plain else "adam", "objective": name}
                row["n"] = len(SEEDS)
                row["letters"] = sum(
                    points[-1].loss < one.baselines["unigram"].mean
                    for one, points in zip(opened, curves)
                )
                row["slope"] = spread([points[0].slope for points in curves])
                rows.append({**row, **{key: spread([end[key] for end in ends]) for key in kept}})
                print(rows[-1])
    record = {"date": time.strftime("%Y-%m-%d"), "seeds": SEEDS, "rows": rows}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
