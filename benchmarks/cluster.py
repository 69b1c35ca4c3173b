"""Rows a second of `score_batches`: beside `microgpt score`, and on Ray with one and two workers.

Names are repeated to 100,000 rows, and for Ray to a million. The command runs on one thread, as a
batch does; what it takes for a single name, its start, is subtracted. A cluster is started anew for
each measurement and scores some rows first, so that its workers have the run open. All take turns.

    python benchmarks/cluster.py FILE [ROUNDS]       FILE: names, one a line; needs ray[data]
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import ray
import ray.data

import microgpt
from microgpt.engines import build_of
from microgpt.engines.machine import processors

RECORD = Path(__file__).parent / "records" / "cluster.json"
ROWS, MANY, BLOCK = 100_000, 1_000_000, 50_000


def seconds(work: Callable[[], object]) -> float:
    """Return how long a function takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def by_command(run: Path, *words: str) -> float:
    """Return the seconds of a process that scores on one thread."""
    command = [sys.executable, "-m", "microgpt", "score", str(run), *words, "--threads", "1"]
    return seconds(lambda: subprocess.run(command, check=True, capture_output=True))


def on_ray(score: Any, table: Any, workers: int) -> float:
    """Return the seconds that a cluster of so many workers takes."""
    ray.init(num_cpus=workers, include_dashboard=False, logging_level="error", log_to_driver=False)
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    blocks = [table.slice(first, BLOCK) for first in range(0, table.num_rows, BLOCK)]

    def scored(some: list[Any]) -> Any:
        data = ray.data.from_arrow(some)
        return data.map_batches(score, batch_format="pyarrow", batch_size=None).materialize()

    scored(blocks[:2])
    taken = seconds(lambda: scored(blocks))
    ray.shutdown()
    return taken


def main(file: str, rounds: int) -> None:
    """Measure, print, and write the record."""
    lines = [line for line in Path(file).read_text("utf-8").splitlines() if line.strip()]
    names = (lines * (MANY // len(lines) + 1))[:MANY]
    many = pa.table({"id": range(MANY), "name": names})
    found: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        run = folder / "run"
        microgpt.train(file, preset="microgpt", engine="native", holdout=0.1, out=run)
        given = folder / "names.csv"
        rows = (f"{i},{name}\n" for i, name in enumerate(names[:ROWS]))
        given.write_text("id,name\n" + "".join(rows), "utf-8")
        score = microgpt.score_batches(run, column="name")
        score(many.slice(0, 10))
        for _ in range(rounds):
            row = {
                "load": os.getloadavg()[0],
                "batches": seconds(lambda: score(many.slice(0, ROWS))),
                "start": by_command(run, "--text", "emma", "--format", "csv"),
            }
            for ending in ("csv", "parquet"):
                out = str(folder / f"out.{ending}")
                row[ending] = by_command(run, str(given), "--column", "name", "-o", out)
            row["alone"] = seconds(lambda: score(many))
            row |= {f"ray {workers}": on_ray(score, many, workers) for workers in (1, 2)}
            found.append(row)
            print(row, flush=True)
    record = {
        "date": time.strftime("%Y-%m-%d"), "processors": processors(), "build": build_of("native"),
        "file": Path(file).name, "ray": ray.__version__, "rows": ROWS, "many": MANY,
        "rounds": found,
    }  # fmt: skip
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5)
