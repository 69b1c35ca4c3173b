"""Large files: seconds and peak memory of whole processes, as rows and a record.

The lines are names of two words, drawn with a fixed seed from the surnames shipped with
microgpt: 100 MB are 7 million of them. A process that exceeds a limit is killed, and its row says
so. `evaluate`, `report` and `score` use the run that `train` has made of the same file.
`train --seconds 3` is of a million lines: its seconds beyond three are spent on reading, encoding,
measuring and saving.

    python benchmarks/memory.py [--size MB ...] [--times N] [--only COMMAND ...]
        [--gigabytes 8] [--seconds 300] [--before]

Without a size: 10 and 100 MB. --before records the rows as those to compare with.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from process import MICROGPT, Taken, keep, measure

HERE = Path(__file__).resolve().parent
RECORD = HERE / "records" / "memory.json"
MILLION = 1_000_000
# In the order in which they run: those after `train` need the run that it makes.
COMMANDS = {
    "train --steps 100": ("train", "lines.txt", "--steps", "100", "--out", "run"),
    "data": ("data", "lines.txt"),
    "evaluate": ("evaluate", "run"),
    "report": ("report", "run"),
    "score": ("score", "run", "lines.txt", "--format", "csv"),
}
TIMED = ("train", "lines.txt", "--seconds", "3", "--out", "timed")


def names() -> Iterator[str]:
    """Yield names of two words without end, the same each time."""
    (path,) = (HERE.parent / "src" / "microgpt").rglob("names.txt")
    words = path.read_text("utf-8").split()
    rng = random.Random(13)
    while True:
        for first, second in zip(rng.choices(words, k=10_000), rng.choices(words, k=10_000)):
            yield f"{first} {second}"


def written(path: Path, size: float | None) -> int:
    """Write megabytes of names, or a million names; return how many were written."""
    drawn, left = names(), (size or 0.0) * 1e6
    count = 0
    with path.open("w", encoding="utf-8") as file:
        while left > 0 if size else count < MILLION:
            some = list(islice(drawn, 10_000))
            text = "\n".join(some) + "\n"
            file.write(text)
            count, left = count + len(some), left - len(text)
    return count


def rows(size: float | None, asked: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Measure the commands on a file of this size in megabytes; None: the timed training."""
    commands = COMMANDS if size else {"train --seconds 3": TIMED}
    wanted = [label for label in commands if not asked.only
              or (label.split()[0] if size else "timed") in asked.only]  # fmt: skip
    if not wanted:
        return
    with tempfile.TemporaryDirectory() as where:
        folder = Path(where)
        lines = written(folder / "lines.txt", size)
        megabytes = (folder / "lines.txt").stat().st_size / 1e6
        for label, words in commands.items():
            # The others need the run that `train` makes.
            times = asked.times if label in wanted else int(words[0] == "train")
            found = list(_found(words, folder, times, asked))
            if label in wanted:
                yield {
                    "size": size or round(megabytes, 1), "lines": lines, "command": label,
                    "n": len(found), **_spread(found),
                }  # fmt: skip


def _found(
    words: tuple[str, ...], folder: Path, times: int, asked: argparse.Namespace
) -> Iterator[Taken]:
    """Measure a command several times; once, if it fails; never, if the run it needs is missing."""
    for _ in range(times):
        if words[0] == "train":
            shutil.rmtree(folder / words[-1], ignore_errors=True)
        elif words[1] == "run" and not (folder / "run" / "samples.txt").exists():
            return
        command = (*MICROGPT, *words)
        taken = measure(command, folder, gigabytes=asked.gigabytes, seconds=asked.seconds)
        yield taken
        if taken["outcome"] != "ended":
            return


def _spread(found: list[Taken]) -> dict[str, Any]:
    """Return the least, the median and the most of each figure; and a failure as the outcome."""
    outcomes = [one["outcome"] for one in found] or ["there is no run to ask about"]
    spread: dict[str, Any] = {"outcome": next((one for one in outcomes if one != "ended"), "ended")}
    for key in ("seconds", "processor", "megabytes", "together"):
        values = [one[key] for one in found]
        spread[key] = [min(values), statistics.median(values), max(values)] if values else []
    return spread


def tell(row: dict[str, Any]) -> None:
    """Print a row."""
    figures = "".join(f"{row[key][1]:10,.1f} {unit}" for key, unit in
                      (("seconds", "s"), ("processor", "s of processors"), ("megabytes", "MB"),
                       ("together", "MB together")) if row[key])  # fmt: skip
    print(f"{row['size']:6g} MB  {row['command']:18}{figures}  {row['outcome']}, n = {row['n']}",
          flush=True)  # fmt: skip


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=float, nargs="*", default=[10.0, 100.0])
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], help="train, data, ...; or timed")
    parser.add_argument("--gigabytes", type=float, default=8.0)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--before", action="store_true")
    asked = parser.parse_args()
    for size in (*asked.size, None):
        for row in rows(size, asked):
            tell(row)
            keep(RECORD, [row], ("size", "command"), before=asked.before)


if __name__ == "__main__":
    main()
