"""What the command line adds to its engine: a step of `microgpt train`, and the start.

All figures are of whole processes, the kinds in turn within each round. The time of a step is the
difference between a long training and a short one, divided by the difference in steps: start and
end cancel. It is compared with the engine's own time by `bench`, on the same model (width 16, one
document a step, one thread), in the same round. Ratios are of processor time, and hold on a machine
that others keep busy; microseconds do not. Modules are compiled beforehand, as by an installation.

    python benchmarks/command.py [--rounds N] [--steps N] [--before]

--before records the rows as those to compare with.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from process import MICROGPT, keep, measure

import microgpt

RECORD = Path(__file__).resolve().parent / "records" / "command.json"
# `bench` measures wall time, which on a busy machine is more than its processor time.
_BENCH = """
import sys, time
time.perf_counter = time.{}
from microgpt.__main__ import main
sys.exit(main())
"""
BARE = "16, block 16, batch 1"
SHORT = 1_000
TRAIN = ("train", "--preset", "microgpt", "--engine", "native", "--threads", "1")
# Without a flag every step has a line in the log, and ten are printed; with 1 all are printed.
STEPS = {
    "train --log-every 1000": ("--log-every", "1000"),
    "train": (),
    "train --log-every 1": ("--log-every", "1"),
}
# Words, and the exit code they end with.
STARTS = {
    "python -c pass": ((sys.executable, "-c", "pass"), 0),
    "--version": ((*MICROGPT, "--version"), 0),
    "--help": ((*MICROGPT, "--help"), 0),
    "trian": ((*MICROGPT, "trian"), 2),
    "train --preset microgpt --log-every 1000": (
        (*MICROGPT, "train", "--preset", "microgpt", "--log-every", "1000"), 0,
    ),
}  # fmt: skip


def bare(clock: str) -> float:
    """Return the engine's seconds for a step, by a clock of `time`."""
    words = [sys.executable, "-c", _BENCH.format(clock), "bench"]
    words += ["--width", "16", "--engine", "native", "--threads", "1", "--json"]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return next(row["document"] for row in rows if row["label"] == BARE)


def step(flags: tuple[str, ...], steps: int) -> dict[str, float]:
    """Return a step's seconds: wall time and processor time."""
    with tempfile.TemporaryDirectory() as where:
        taken = []
        for n in (SHORT, SHORT + steps):
            words = (*MICROGPT, *TRAIN, "--steps", str(n), *flags, "--out", f"run-{n}")
            taken.append(measure(words, Path(where)))
            if taken[-1]["outcome"] != "ended":
                raise SystemExit(f"{' '.join(words)}: {taken[-1]['outcome']}")
    short, long = taken
    return {key: (long[key] - short[key]) / steps for key in ("seconds", "processor")}


def start(words: tuple[str, ...], code: int) -> dict[str, float]:
    """Return the seconds of a whole process: wall time and processor time."""
    with tempfile.TemporaryDirectory() as where:
        taken = measure(words, Path(where), codes=(code,))
    if taken["outcome"] != "ended":
        raise SystemExit(f"{' '.join(words)}: {taken['outcome']}")
    return {key: taken[key] for key in ("seconds", "processor")}


def row(kind: str, label: str, found: list[dict[str, float]]) -> dict[str, Any]:
    """Return a row: the least, the median and the most of each figure."""
    of: dict[str, Any] = {"kind": kind, "label": label, "n": len(found)}
    for key in found[0]:
        values = [one[key] for one in found]
        of[key] = [min(values), statistics.median(values), max(values)]
    return of


def tell(of: dict[str, Any]) -> None:
    """Print a row: medians, and the least and the most in brackets."""
    factor, unit = (1e6, "us a step") if of["kind"] == "step" else (1.0, "s")
    cells = []
    for key, words in (("seconds", unit), ("processor", "of processors"), ("ratio", "x bench")):
        if key in of:
            low, middle, high = (value * (factor if key != "ratio" else 1) for value in of[key])
            cells.append(f"{middle:7.2f} ({low:.2f} to {high:.2f}) {words}")
    print(f"{of['label']:42} {'  '.join(cells)}  n = {of['n']}", flush=True)


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=100_000)
    parser.add_argument("--before", action="store_true")
    asked = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    compileall.compile_dir(Path(microgpt.__file__).parent, quiet=1)
    engine: list[dict[str, float]] = []
    steps: dict[str, list[dict[str, float]]] = {label: [] for label in STEPS}
    starts: dict[str, list[dict[str, float]]] = {label: [] for label in STARTS}
    for _ in range(asked.rounds):
        for label, (words, code) in STARTS.items():
            starts[label].append(start(words, code))
        # Before and after the other kind: a machine's speed drifts.
        first = bare("process_time")
        found = {label: step(flags, asked.steps) for label, flags in STEPS.items()}
        alone = (first + bare("process_time")) / 2
        engine.append({"seconds": bare("perf_counter"), "processor": alone})
        for label, taken in found.items():
            steps[label].append({**taken, "ratio": taken["processor"] / alone})
    rows = [row("step", "bench", engine)]
    rows += [row("step", label, found) for label, found in steps.items()]
    rows += [row("start", label, found) for label, found in starts.items()]
    for of in rows:
        tell(of)
    keep(RECORD, rows, ("kind", "label"), before=asked.before)


if __name__ == "__main__":
    main()
