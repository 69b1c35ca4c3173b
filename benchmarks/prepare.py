"""Text to token ids on the disk: `microgpt data prepare` beside `map` of Hugging Face's `datasets`.

Every row is a process of its own that reads the same file and leaves the same ids on the disk; the
programs take turns, round by round, so that other load on the machine falls on all. `datasets` is
given the same tokenizer, in batches of a thousand; both are counted from their start to their end,
with what each does beside: held-out documents, hashes and checksums, or a cache of Arrow.

    python benchmarks/prepare.py [--size MB] [--times N] [--only characters|bpe] [--large MB]
        [--limit MB]

--large prepares a larger file and trains 100 steps on it, under a limit on a process's own memory
(RLIMIT_DATA): files that are mapped into memory do not count, as the system may take them out.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from memory import names
from process import MICROGPT, Taken, circumstances, measure

from microgpt.data.store import Store
from microgpt.data.tokenizer import BPE

RECORD = Path(__file__).resolve().parent / "records" / "prepare.json"
KINDS = ("characters", "bpe")
PROCESSES = (1, 2)
# Names in a line: about 100 bytes, as a line of prose has.
_NAMES = 7
_LEARNT = 20_000


def written(path: Path, megabytes: float) -> None:
    """Write lines of names."""
    drawn, left = names(), megabytes * 1e6
    with path.open("w", encoding="utf-8") as file:
        while left > 0:
            some = " ".join(islice(drawn, _NAMES)) + "\n"
            file.write(some)
            left -= len(some)


def by_datasets(file: str, kind: str, processes: int) -> None:
    """Do the same with Hugging Face's `datasets`; write how many ids there are."""
    os.environ |= {"HF_HOME": str(Path("cache").resolve()), "HF_HUB_OFFLINE": "1"}
    import datasets
    import tokenizers

    if kind == "bpe":
        tokenizer = tokenizers.Tokenizer.from_file("bpe.json")
        bos = tokenizer.get_vocab_size()

        def encode(batch: dict[str, list[str]]) -> dict[str, Any]:
            found = tokenizer.encode_batch_fast(batch["text"], add_special_tokens=False)
            return {"ids": [[*one.ids, bos] for one in found]}
    else:
        known: set[str] = set()
        with Path(file).open(encoding="utf-8") as lines:
            for line in lines:
                known.update(line)
        ids = {char: i for i, char in enumerate(sorted(known - {"\n"}))}
        bos = len(ids)

        def encode(batch: dict[str, list[str]]) -> dict[str, Any]:
            return {"ids": [[*map(ids.__getitem__, text), bos] for text in batch["text"]]}

    datasets.disable_progress_bars()
    lines = datasets.load_dataset("text", data_files=file, split="train", cache_dir="cache")
    kinds = datasets.Features({"ids": datasets.Sequence(datasets.Value("uint16"))})
    made = lines.map(
        encode, batched=True, num_proc=processes, remove_columns=["text"], features=kinds
    )
    total = sum(len(chunk.flatten()) for chunk in made.data.table["ids"].chunks)
    Path("ids.json").write_text(json.dumps(total))


def race(folder: Path, kind: str, processes: int) -> dict[str, Taken]:
    """Let both encode the file, once; their ids must be as many."""
    words = ["--tokenizer", "bpe.json"] if kind == "bpe" else []
    ours = (*MICROGPT, "data", "prepare", "lines.txt", "--out", "tokens", *words, "--processes")
    theirs = (sys.executable, __file__, "--datasets", "lines.txt", kind)
    found: dict[str, Taken] = {}
    for name, command in (("microgpt", ours), ("datasets", theirs)):
        for rest in ("tokens", "cache"):
            shutil.rmtree(folder / rest, ignore_errors=True)
        found[name] = measure((*command, str(processes)), folder, gigabytes=12.0, seconds=580.0)
        if found[name]["outcome"] != "ended":
            raise SystemExit(f"{name}: {found[name]['outcome']}")
        if name == "microgpt":
            index = Store(folder / "tokens").index
            positions = index.total("train")[1] + index.total("heldout")[1]
    if json.loads((folder / "ids.json").read_text()) != positions:
        raise SystemExit("the two have not made as many ids")
    return found


def limited(words: list[str], folder: Path, megabytes: float) -> dict[str, float]:
    """Run a command under a limit on its own memory; return what it took."""
    size = int(megabytes * 1e6)
    began, peak = time.perf_counter(), 0
    process = subprocess.Popen(
        [*MICROGPT, *words], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (size, size)),
    )  # fmt: skip
    status, usage = 0, None
    while usage is None:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        usage = used if pid else None
        peak = max(peak, _own(process.pid)) if usage is None else peak
        time.sleep(0.05)
    if status:
        raise SystemExit(
            f"microgpt {' '.join(words)}: ended with {os.waitstatus_to_exitcode(status)}"
        )
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "processor": round(usage.ru_utime + usage.ru_stime, 1),
        "megabytes": round(peak / 1e6, 1),
    }


def _own(pid: int) -> int:
    """Return the bytes of a process's own memory, mapped files aside."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def rows(asked: argparse.Namespace) -> list[dict[str, Any]]:
    """Race on one file, and return a row for each tokenizer and number of processes."""
    found: dict[tuple[str, int], list[dict[str, Taken]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written(folder / "lines.txt", asked.size)
        with (folder / "lines.txt").open(encoding="utf-8") as file:
            learnt = [line.rstrip("\n") for line in islice(file, _LEARNT)]
        (folder / "bpe.json").write_text(BPE.of(learnt).content, "utf-8")
        for _ in range(asked.times):
            for kind in asked.only:
                for processes in PROCESSES:
                    found.setdefault((kind, processes), []).append(race(folder, kind, processes))
        megabytes = (folder / "lines.txt").stat().st_size / 1e6
    made = []
    for (kind, processes), each in found.items():
        row: dict[str, Any] = {"tokenizer": kind, "processes": processes, "n": len(each)}
        row["megabytes"] = round(megabytes, 1)
        for program in ("microgpt", "datasets"):
            taken = [one[program] for one in each]
            row[program] = {
                "rate": _spread([megabytes / one["seconds"] for one in taken]),
                "processor": _spread([one["processor"] for one in taken]),
                "together": _spread([one["together"] for one in taken]),
            }
        row["ratio"] = _spread(
            [one["datasets"]["seconds"] / one["microgpt"]["seconds"] for one in each]
        )
        print(row, flush=True)
        made.append(row)
    return made


def large(asked: argparse.Namespace) -> dict[str, Any]:
    """Prepare a larger file under a limit, and train on it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written(folder / "lines.txt", asked.large)
        row: dict[str, Any] = {"megabytes": asked.large, "limit": asked.limit}
        for label, words in (
            ("prepare", ["data", "prepare", "lines.txt", "--out", "tokens", "--processes", "1"]),
            ("train", ["train", "tokens", "--steps", "100", "--out", "run"]),
        ):
            row[label] = limited(words, folder, asked.limit)
        row["documents"] = sum(
            Store(folder / "tokens").index.total(s)[0] for s in ("train", "heldout")
        )
    print(row, flush=True)
    return row


def _spread(values: list[float]) -> list[float]:
    return [round(each, 3) for each in (min(values), statistics.median(values), max(values))]


def main() -> None:
    """Measure, print, record."""
    if sys.argv[1:2] == ["--datasets"]:
        by_datasets(sys.argv[2], sys.argv[3], int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=float, default=100.0)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=KINDS)
    parser.add_argument("--large", type=float, default=0.0)
    parser.add_argument("--limit", type=float, default=1000.0)
    asked = parser.parse_args()
    record = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    how = circumstances()
    if asked.times:
        import datasets

        own = {**how, "version": datasets.__version__}
        before = [row for row in record.get("race", ()) if row["tokenizer"] not in asked.only]
        record["race"] = [*before, *({**row, **own} for row in rows(asked))]
    if asked.large:
        record["large"] = {**how, **large(asked)}
    RECORD.write_text(json.dumps(record, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
