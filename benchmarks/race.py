"""Held-out loss reached with `train --seconds`, on splits that never change.

Every row is `microgpt train --seconds S`, a process of its own, with several seeds; its loss is
that of all held-out documents. Training seconds are the log's: they include measuring the machine
and counting. The process's seconds also include reading, saving and printing.

    python benchmarks/race.py FOLDER [SEEDS]      FOLDER: with names.txt and shakespeare.txt
"""

from __future__ import annotations

import json
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import microgpt
from microgpt.counting.ngram import NGram
from microgpt.data.batch import whole
from microgpt.data.corpus import Source, read
from microgpt.data.split import split
from microgpt.data.tokenizer import Characters, encode_all
from microgpt.engines.machine import processors
from microgpt.engines.native import BUILDS

RECORD = Path(__file__).parent / "records" / "race.json"
# Split, seconds, how many seeds at most.
CASES = (
    ("names", 1, 9), ("names", 2, 9), ("names", 5, 9), ("names", 20, 9), ("makemore", 2, 9),
    ("surnames", 1, 9), ("surnames", 5, 9), ("shakespeare", 10, 9), ("names", 60, 1),
    ("shakespeare", 120, 1),
)  # fmt: skip


def makemore(names: list[str], folder: Path) -> tuple[Path, list[str]]:
    """Draw 1,000 names to test on, as makemore does: some of them are among the others too."""
    order = random.Random(42).sample(range(len(names)), len(names))
    path = folder / "makemore.txt"
    path.write_text("\n".join(names[i] for i in order[1000:]), "utf-8")
    return path, [names[i] for i in order[:1000]]


def race(words: list[str], seconds: float, seed: int, test: list[str] | None) -> dict[str, float]:
    """Train once and measure."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "r"
        command = [sys.executable, "-m", "microgpt", "train", *words, "--out", str(out), "--json"]
        command += ["--seconds", str(seconds), "--seed", str(seed)]
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        process = time.perf_counter() - began
        run = microgpt.load(out)
        last = run.log.lines[-1]
        return {
            "loss": run.evaluate(test).loss,
            "seconds": last["seconds"],
            "process": process,
            "steps": last["step"],
            "epochs": last["step"] * run.settings.training.batch_size / _documents(run),
        }


def _documents(run: microgpt.Run) -> int:
    train, _ = run.documents
    block = run.settings.model.block_size
    return sum(-(-(len(text) + 1) // block) for text in train)


def counted(path: Path | None, stream: bool) -> float:
    """Return the loss of the n-gram model alone."""
    data = read(Source(files=(str(path),) if path else (), stream=stream))
    tokens = Characters.of(data.documents)
    train, held = (whole(encode_all(tokens, d)) for d in split(data, 0.1))
    return float(np.mean(NGram.of(train, tokens.vocab_size, tokens.bos).losses(held)))


def main() -> None:
    """Race, print, record."""
    folder, seeds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    names = (folder / "names.txt").read_text("utf-8").split()
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    rows = []
    with tempfile.TemporaryDirectory() as name:
        path, test = makemore(names, Path(name))
        texts = {
            "names": ([str(folder / "names.txt")], None),
            "makemore": ([str(path), "--holdout", "0"], test),
            "surnames": ([], None),
            "shakespeare": ([str(folder / "shakespeare.txt"), "--stream"], None),
        }
        for label, seconds, most in CASES:
            words, against = texts[label]
            n = min(seeds, most)
            found = [race(words, seconds, seed, against) for seed in range(1, n + 1)]
            row = {"split": label, "budget": seconds, "n": n}
            for key in found[0]:
                values = sorted(one[key] for one in found)
                row[key] = [values[0], statistics.median(values), values[-1]]
            rows.append(row)
            print(
                f"{label:12} {seconds:4} s  {row['loss'][1]:.4f} "
                f"({row['loss'][0]:.4f} to {row['loss'][2]:.4f})  training {row['seconds'][1]:.2f} "
                f"({row['seconds'][0]:.2f} to {row['seconds'][2]:.2f}) s  process "
                f"{row['process'][1]:.1f} s  epochs {row['epochs'][1]:.1f}",
                flush=True,
            )
            record = {
                "date": time.strftime("%Y-%m-%d"),
                "commit": commit.strip(),
                "python": platform.python_version(),
                "machine": platform.machine(),
                "build": BUILDS[-1],
                "threads": processors(),
                "counts": {
                    "names": counted(folder / "names.txt", False),
                    "surnames": counted(None, False),
                    "shakespeare": counted(folder / "shakespeare.txt", True),
                },
                "rows": rows,
            }
            RECORD.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
