"""What masks cost: reading, splitting and encoding a log with them, beside without.

The time is the processor's: what else the machine is at does not count. Rounds alternate.

    python benchmarks/masks.py [LINES [ROUNDS]]
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from microgpt.data import corpus
from microgpt.data.corpus import Source
from microgpt.data.tokenizer.masks import KINDS, parse
from microgpt.engines.machine import processors
from microgpt.training.task import Dataset, tokenizer_for

RECORD = Path(__file__).parent / "records" / "masks.json"
MASKS = ("", "digits", "uuid,ip,dates,hex", ",".join(KINDS))


def line(rng: random.Random) -> str:
    """Write a line with a time, an address, a request's number, and three others."""
    time_of_day = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
    return (
        f"2026-11-{rng.randrange(1, 29):02} {time_of_day},{rng.randrange(1000):03} "
        f"10.0.{rng.randrange(256)}.{rng.randrange(256)} INFO http GET /users/"
        f"{rng.randrange(100_000)} 200 {rng.randrange(50)}ms request {rng.getrandbits(32):08x} "
        "of the customer was handled by worker number two"
    )


def seconds(path: Path, mask: str) -> float:
    """Return the seconds of the processor that the file takes until a training can begin."""
    began = time.process_time()
    read = corpus.read(Source(files=(str(path),)))
    tokens = tokenizer_for("characters", read, "last", parse(mask or None))
    _ = Dataset(read, tokens, 0.1).encoded
    return time.process_time() - began


def main(lines: int = 300_000, rounds: int = 5) -> None:
    """Measure, print, and write the record."""
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.log")
        path.write_text("\n".join(line(rng) for _ in range(lines)))
        megabytes = path.stat().st_size / 1e6
        took = {mask: list[float]() for mask in MASKS}
        for _ in range(rounds):
            for mask, its in took.items():
                its.append(seconds(path, mask))
    rows = [
        {
            "mask": mask,
            "seconds": round(statistics.median(its), 3),
            "times": [
                round(find(one / plain for one, plain in zip(its, took[""])), 2)
                for find in (statistics.median, min, max)
            ],
        }
        for mask, its in took.items()
    ]
    record = {
        "date": time.strftime("%Y-%m-%d"), "megabytes": round(megabytes, 1), "rounds": rounds,
        "processors": processors(), "rows": rows,
    }  # fmt: skip
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    for row in rows:
        print(row)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
