"""Speed and memory of `score`, and the share of unseen lines that it flags.

Speed: the 16-wide model on the native engine, in whole processes, on a file and on four copies of
it: the difference gives the speed without the start. The two take turns for several rounds. Memory
is the peak of the largest process.

Flags: names are split anew for each seed. A quarter is neither trained on nor held out, and a tenth
of the rest is held out for the threshold. The quarter is then flagged, unchanged and with two
adjacent letters exchanged.

    python benchmarks/score.py FOLDER [SPEEDS [SEEDS]]      FOLDER: with names.txt, shakespeare.txt
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import microgpt
from microgpt.engines import build_of
from microgpt.engines.machine import processors

RECORD = Path(__file__).parent / "records" / "score.json"
BYTES = 16_000_000
RATES = (0.01, 0.05)

# A process of its own, so that its children's peak memory is that of one scoring alone.
MEASURED = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def scoring(run: Path, file: Path, form: str) -> tuple[float, float]:
    """Score a file; return seconds and megabytes."""
    words = [sys.executable, "-m", "microgpt", "score", str(run), str(file), "--format", form]
    command = [sys.executable, "-c", MEASURED, *words, "--flag-rate", "0.01"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(told[0]), float(told[1]) / 1024


def speeds(folder: Path, times: int) -> list[dict[str, object]]:
    """Score names and lines of Shakespeare, one copy and four copies."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as where:
        for name in ("names", "shakespeare"):
            run = Path(where) / f"run-{name}"
            microgpt.train(
                folder / f"{name}.txt", preset="microgpt", engine="native", holdout=0.1, out=run
            )
            text = (folder / f"{name}.txt").read_text()
            lines = "\n".join(line for line in text.split("\n") if line.strip()) + "\n"
            files = [Path(where) / f"{name}-{k}.txt" for k in (1, 4)]
            for file, k in zip(files, (1, 4)):
                file.write_text(lines * (k * BYTES // len(lines)))
            characters = [len(file.read_text()) for file in files]
            documents = [file.read_text().count("\n") for file in files]
            for form in ("csv", "jsonl", "table"):
                found = [[scoring(run, file, form) for file in files] for _ in range(times)]
                more = characters[1] - characters[0]
                ends = documents[1] - documents[0]
                seconds = [four[0] - one[0] for one, four in found]
                row = {
                    "text": name, "format": form, "n": times,
                    "characters_a_line": more / ends - 1,
                    "characters_per_second": [(more - ends) / s for s in seconds],
                    "positions_per_second": [more / s for s in seconds],
                    "whole_characters_per_second": [
                        (characters[1] - documents[1]) / four[0] for _, four in found
                    ],
                    "megabytes": [max(pair[k][1] for pair in found) for k in (0, 1)],
                }  # fmt: skip
                rows.append(row)
                tell(row)
    return rows


def tell(row: dict[str, object]) -> None:
    """Print a row of speeds: medians, and least and most in brackets."""

    def millions(key: str) -> str:
        values = [value / 1e6 for value in row[key]]  # type: ignore[attr-defined]
        return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"

    one, four = row["megabytes"]  # type: ignore[misc]
    print(
        f"{row['text']:12} {row['format']:6} {millions('characters_per_second')} M characters/s, "
        f"with ends {millions('positions_per_second')}, from start to end "
        f"{millions('whole_characters_per_second')}; {one:.0f} MB, of four times as much {four:.0f}"
    )


def swapped(name: str, rng: random.Random) -> str:
    """Exchange two adjacent letters."""
    i = rng.randrange(len(name) - 1)
    return name[:i] + name[i + 1] + name[i] + name[i + 2 :]


def flags(folder: Path, seeds: int) -> list[dict[str, object]]:
    """Measure the share of unseen names that is flagged."""
    rows: list[dict[str, object]] = []
    names = sorted(set((folder / "names.txt").read_text().split()))
    for seed in range(seeds):
        rng = random.Random(seed)
        rng.shuffle(names)
        aside, rest = names[: len(names) // 4], names[len(names) // 4 :]
        with tempfile.TemporaryDirectory() as where:
            (Path(where) / "rest.txt").write_text("\n".join(rest))
            good, odd = Path(where) / "good.txt", Path(where) / "odd.txt"
            good.write_text("\n".join(aside))
            known = set(names)
            spoilt = [swapped(name, rng) for name in aside if len(name) > 1]
            odd.write_text("\n".join(name for name in spoilt if name not in known))
            run = Path(where) / "run"
            microgpt.train(Path(where) / "rest.txt", preset="micro", seed=seed, out=run)
            for rate in RATES:
                row: dict[str, object] = {"seed": seed, "rate": rate, "unseen": len(aside)}
                for key, file in (("flagged", good), ("swapped_flagged", odd)):
                    command = [sys.executable, "-m", "microgpt", "score", str(run), str(file)]
                    done = subprocess.run(
                        [*command, "--flag-rate", str(rate), "--format", "jsonl"],
                        check=True, capture_output=True, text=True,
                    )  # fmt: skip
                    marks = [json.loads(line)["flagged"] for line in done.stdout.splitlines()]
                    row[key] = sum(marks) / len(marks)
                    row["said"] = done.stderr.splitlines()[0]
                rows.append(row)
                print(
                    f"seed {seed}: {row['said']}\n    Flagged of {len(aside):,} unseen: "
                    f"{row['flagged']:.2%}; of swapped ones: {row['swapped_flagged']:.1%}"
                )
    for rate in RATES:
        some = [row for row in rows if row["rate"] == rate]
        for key in ("flagged", "swapped_flagged"):
            shares = [float(str(row[key])) for row in some]
            spread = statistics.stdev(shares) if len(shares) > 1 else 0.0
            mean = statistics.mean(shares)
            print(f"rate {rate}: {key} {mean:.2%} ± {spread:.2%} (n = {len(shares)})")
    return rows


def main() -> None:
    """Measure, print, record."""
    folder = Path(sys.argv[1])
    times, seeds = (int(word) for word in (*sys.argv[2:4], "5", "5")[:2])
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "threads": processors(),
        "build": build_of("native"),
        "speeds": speeds(folder, times),
        "flags": flags(folder, seeds),
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
