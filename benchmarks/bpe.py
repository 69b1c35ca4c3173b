"""Characters and a BPE of 1,000 tokens in the same seconds: bits a byte of the same held-out text.

Every row is `microgpt train FILE --stream --seconds S`, a process of its own; the tokenizers take
turns, seed by seed, so that other load on the machine falls on both. What the chosen recipe gives
is recorded beside the loss. A window of as many tokens holds twice the text in tokens of a BPE:
characters run with a block of 256, too.

    python benchmarks/bpe.py FOLDER [SECONDS:SEEDS ...]      FOLDER: with shakespeare.txt
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import microgpt
from microgpt.engines.machine import processors
from microgpt.engines.native import BUILDS
from microgpt.loss import LN_2
from microgpt.model import size

RECORD = Path(__file__).parent / "records" / "bpe.json"
CASES = ("10:5", "60:3")
TOKENIZERS = {
    "characters": ["--tokenizer", "characters"],
    "characters, block 256": ["--tokenizer", "characters", "--block-size", "256"],
    "bpe 1000": ["--tokenizer", "bpe", "--vocab-size", "1000"],
}


def race(text: Path, words: list[str], seconds: int, seed: int) -> dict[str, float]:
    """Train once and measure all of the held-out text."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "r"
        command = [sys.executable, "-m", "microgpt", "train", str(text), "--stream", *words]
        command += ["--out", str(out), "--seconds", str(seconds), "--seed", str(seed), "--json"]
        began = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        process = time.perf_counter() - began
        run = microgpt.load(out)
        train, held = run.documents
        result, alone = run.evaluate(held), run.alone(held)
        settings, positions = run.settings, run.tokenizer.encode_many(train).offsets[-1]
        return {
            "bits_per_byte": result.bits_per_byte,
            "alone": (alone or result.sum).nats / LN_2 / result.n_bytes,
            "positions": result.sum.positions,
            "bytes": result.n_bytes,
            "seconds": run.log.lines[-1]["seconds"],
            "process": process,
            "read": sum(line["positions"] for line in run.log.lines) / int(positions),
            "parameters": size(settings.model),
            "n_embd": settings.model.n_embd,
            "n_layer": settings.model.n_layer,
            "block_size": settings.model.block_size,
            "vocab_size": settings.model.vocab_size,
        }


def main() -> None:
    """Race, print, record."""
    text = Path(sys.argv[1]) / "shakespeare.txt"
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True).stdout
    rows = []
    for case in sys.argv[2:] or CASES:
        seconds, seeds = map(int, case.split(":"))
        found: dict[str, list[dict[str, float]]] = {name: [] for name in TOKENIZERS}
        for seed in range(1, seeds + 1):
            for name, words in TOKENIZERS.items():
                found[name].append(race(text, words, seconds, seed))
        for name, each in found.items():
            row = {"tokenizer": name, "budget": seconds, "n": seeds}
            for key in each[0]:
                values = sorted(one[key] for one in each)
                row[key] = [values[0], statistics.median(values), values[-1]]
            rows.append(row)
            least, middle, most = row["bits_per_byte"]
            print(
                f"{name:22} {seconds:3} s  {middle:.4f} ({least:.4f} to {most:.4f}) bits a byte  "
                f"alone {row['alone'][1]:.4f}  read {row['read'][1]:.1f} times  "
                f"width {row['n_embd'][1]:g}, {row['n_layer'][1]:g} layers, "
                f"block {row['block_size'][1]:g}, {row['parameters'][1]:,.0f} parameters",
                flush=True,
            )
        record = {
            "date": time.strftime("%Y-%m-%d"),
            "commit": commit.strip(),
            "python": platform.python_version(),
            "machine": platform.machine(),
            "build": BUILDS[-1],
            "threads": processors(),
            "rows": rows,
        }
        RECORD.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
