"""Several ranks on this machine: their losses side by side; what a step takes, and a model of it.

Seconds are of the processor, in rank 0: on a machine that does other work too they say what wall
time does not. The model: a step of R ranks takes u + c N / R + g. The update's time u and a
position's c are those of one rank, with N and with N / 2 positions; g is the time of a sum over R
ranks of as many numbers as the model has, measured by itself. Sharded, a rank updates its part,
u / R, and matrices travel three times where gradients travel twice: gathered for each pass, and
summed: 1.5 g. Between two steps a rank holds parameters, gradients and two moments: 16 bytes a
parameter, 16 / R sharded.

    python benchmarks/ranks.py FILE
"""

from __future__ import annotations

import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

from process import circumstances

from microgpt import model
from microgpt.config import GPTConfig
from microgpt.data.corpus import Source
from microgpt.engines.ranks import open_ranks
from microgpt.runs import follower, prepare
from microgpt.training.loop import Steps

RECORD = Path(__file__).parent / "records" / "ranks.json"
STEPS, BATCH, BLOCK, ROUNDS = 6, 8, 128, 3
ALL = {"engine": "torch", "threads": 1, "preset_name": "micro", "optimizer": "adam"}
SMALL = {"n_layer": 2, "n_embd": 64, "block_size": 64, "batch_size": 16, "steps": 100}
SIZES = {"4 x 256": (4, 256), "4 x 512": (4, 512)}
WAYS = [(1, False), (2, False), (4, False), (2, True), (4, True)]


def main(data: str) -> None:
    """Measure, print, and write the record."""
    losses, rows = [], []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for world, shard in WAYS:
            found = launched(place, world, data=data, shard=shard, **SMALL)
            some = {step: found["losses"][f"{step}"] for step in (1, 10, 50, 100)}
            losses.append({"ranks": world, "shard": shard, "loss": some})
            print(losses[-1])
        for name, (n_layer, n_embd) in SIZES.items():
            shape = {"n_layer": n_layer, "n_embd": n_embd, "block_size": BLOCK, "n_head": 8}
            rows += sizes(place, data, name, shape)
    record = {
        **circumstances(), "n": ROUNDS, "torch": version("torch"), "file": Path(data).name,
        "losses": losses, "rows": rows,
    }  # fmt: skip
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def sizes(place: Path, data: str, name: str, shape: dict[str, Any]) -> list[dict[str, Any]]:
    """Measure a model with one and with two ranks, in turns; return the rows."""
    ways = [(1, False, BATCH), (1, False, BATCH // 2), (2, False, BATCH), (2, True, BATCH)]
    taken: dict[Any, list[dict[str, Any]]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for world, shard, batch in ways:
            given = {**shape, "batch_size": batch, "steps": STEPS, "shard": shard, "data": data}
            taken[world, shard, batch].append(launched(place, world, **given))

    def middle(way: tuple[int, bool, int], what: str) -> float:
        return statistics.median(one[what] for one in taken[way])

    whole, half = (middle((1, False, batch), "step") for batch in (BATCH, BATCH // 2))
    positions, update = 2 * (whole - half), max(2 * half - whole, 0.0)
    rows = []
    for world, shard, batch in ways[:1] + ways[2:]:
        way = (world, shard, batch)
        told = update / (world if shard else 1) + positions / world
        told += middle(way, "sum") * (1.5 if shard else 1.0)
        config = GPTConfig(vocab_size=66, **shape, position="rotary", qk_norm=True)
        rows.append({
            "model": name, "parameters": model.size(config), "ranks": world, "shard": shard,
            "step": middle(way, "step"), "all": [one["step"] for one in taken[way]],
            "sum": middle(way, "sum"), "modelled": told, "held": middle(way, "held"),
            "to hold": 16 * model.size(config) / (world if shard else 1)
        })  # fmt: skip
        print(rows[-1])
    return rows


def launched(place: Path, world: int, **settings: Any) -> dict[str, Any]:
    """Train in several ranks; return the losses by step, and the seconds of a step and of a sum."""
    note = place / "note.json"
    case = {"out": str(place / f"run-{time.monotonic_ns()}"), **ALL, **settings}
    case["shard"] = case["shard"] and world > 1
    (place / "case.json").write_text(json.dumps(case), encoding="utf-8")
    words = [sys.executable]
    if world > 1:
        words += ["-m", "torch.distributed.run", "--nproc-per-node", str(world)]
    subprocess.run(
        [*words, __file__, "--work", str(place / "case.json"), str(note)],
        check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    return json.loads(note.read_text("utf-8"))


def work(case: dict[str, Any], note: Path) -> None:
    """Train as one of the ranks; rank 0 notes its losses, and what a step and a sum take."""
    source = Source(files=(case.pop("data"),), stream=True)
    folder = Path(case.pop("out"))
    losses, marks, sums, held = dict[int, float](), [(0, 0.0)], [0.0], 0
    with open_ranks() as ranks:
        if ranks.rank:
            follower.of_new(source, ranks, **case).follow()
        else:
            with prepare.new(source, out=folder, ranks=ranks, **case) as session:
                for event in session:
                    if isinstance(event, Steps):
                        losses |= {step.step: step.loss for step in event}
                        marks.append((event.last, time.process_time()))
                        if event.last == case["steps"]:
                            held = _held()
                            break  # the closing evaluation is not measured
                numbers = model.size(session.model)
        numbers = ranks.told(0 if ranks.rank else numbers)
        if ranks.world > 1:
            sums = [_taken(numbers) for _ in range(5)]
        if not ranks.rank:
            # The first step takes longer.
            each = [(t - s) / (n - m) for (m, s), (n, t) in pairwise(marks[2:])]
            found = {"losses": losses, "step": statistics.median(each or [0.0]), "held": held}
            note.write_text(json.dumps({**found, "sum": statistics.median(sums)}))


def _held() -> int:
    """Return the bytes of all tensors that there are."""
    import torch

    gc.collect()
    tensors = [x for x in gc.get_objects() if issubclass(type(x), torch.Tensor)]
    local = [x.to_local() if hasattr(x, "to_local") else x for x in tensors]
    storages = {x.untyped_storage().data_ptr(): x.untyped_storage().nbytes() for x in local}
    return sum(storages.values())


def _taken(numbers: int) -> float:
    """Return the processor's seconds of a sum over all ranks."""
    import torch
    import torch.distributed as dist

    x = torch.zeros(numbers)
    began = time.process_time()
    dist.all_reduce(x)
    return time.process_time() - began


if __name__ == "__main__":
    if sys.argv[1] == "--work":
        work(json.loads(Path(sys.argv[2]).read_text("utf-8")), Path(sys.argv[3]))
    else:
        main(sys.argv[1])
