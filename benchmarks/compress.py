"""Compression with a model, compared with gzip and xz: sizes and times.

Every model is trained once, a tenth of its text held out; then the tenth and the whole are
compressed and decompressed, each by a process of its own. xz also gets the tenth behind the rest,
which the model was trained on: its size is then the growth of the whole.

    python benchmarks/compress.py FOLDER      FOLDER: with names.txt and shakespeare.txt
"""

from __future__ import annotations

import json
import lzma
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import microgpt
from microgpt.engines.machine import processors
from microgpt.runs.checkpoint import CHECKPOINT, COUNTS

RECORD = Path(__file__).parent / "records" / "compress.json"
CASES = (("names", 5, ()), ("shakespeare", 10, ("--stream",)))


def program(folder: Path, *words: str) -> tuple[str, float]:
    """Run microgpt in a folder; return what it prints, and how long it took."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "microgpt", *words]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout, time.perf_counter() - began


def xz(data: bytes) -> int:
    """Return the size that xz -9e compresses data to, in bytes."""
    return len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))


def measure(folder: Path, file: str) -> dict[str, float]:
    """Compress a file and decompress it."""
    told, there = program(folder, "compress", "r", file, "--json", "--force")
    _, back = program(folder, "decompress", "r", f"{file}.mgpt", "-o", "back", "--force")
    if (folder / "back").read_bytes() != (folder / file).read_bytes():
        raise AssertionError(f"{file} did not come back")
    record = json.loads(told)
    del record["file"], record["out"]
    return {**record, "seconds": there, "seconds_back": back}


def main() -> None:
    """Train, measure, print, record."""
    rows, build = [], ""
    for name, seconds, flags in CASES:
        with tempfile.TemporaryDirectory() as where:
            folder = Path(where)
            whole = (Path(sys.argv[1]) / f"{name}.txt").read_bytes()
            (folder / "whole").write_bytes(whole)
            train = ["train", str(folder / "whole"), *flags, "--out", "r", "--seed", "1"]
            program(folder, *train, "--seconds", str(seconds))
            run = microgpt.load(folder / "r")
            seen, held = ("\n".join(part).encode() + b"\n" * (not flags) for part in run.documents)
            (folder / "held out").write_bytes(held)
            build = run.codec.identity.build
            model = sum((folder / "r" / file).stat().st_size for file in (CHECKPOINT, COUNTS))
            more = {"seen": xz(seen + held) - xz(seen)}
            for file in ("held out", "whole"):
                row = {"text": name, "trained": seconds, "model": model, "file": file}
                rows.append(row | measure(folder, file) | (more if file == "held out" else {}))
                print(rows[-1], flush=True)
    record = {
        "date": time.strftime("%Y-%m-%d"),
        "threads": processors(),
        "build": build,
        "rows": rows,
    }
    RECORD.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
