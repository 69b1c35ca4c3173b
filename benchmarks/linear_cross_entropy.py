"""The loss of a large vocabulary: time and peak memory of several ways, as rows and a record.

Each way computes loss and gradients of (N, D) by (V, D) in a process of its own, one after another
in each round. Memory is the peak of the process less what it had before the loss; it includes the
gradients themselves, which `gradient MB` gives. A way that is not installed, or for another device,
has a row that says so; one that does not fit is a row, too.

    python benchmarks/linear_cross_entropy.py [--case N D V ...] [--rounds 3] [--device cpu]
        [--threads 2] [--dtype float32] [--most-gb 20]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from process import keep

RECORD = Path(__file__).resolve().parent / "records" / "linear_cross_entropy.json"
CASES = [(4096, 256, 50257), (8192, 768, 50257), (8192, 2304, 256000)]
WAYS = ("plain", "torch chunked", "ours", "ours, each", "liger", "cut cross-entropy")


def way(name: str) -> Callable[[Any, Any, Any], Any]:
    """Return a function of hidden, weight and targets that returns the mean loss."""
    import torch
    import torch.nn.functional as F

    from microgpt.torch import linear_cross_entropy

    if name == "plain":
        return lambda h, w, t: F.cross_entropy(F.linear(h, w), t)
    if name == "torch chunked":
        options = torch.nn.LinearCrossEntropyOptions()
        return lambda h, w, t: F.linear_cross_entropy(h, w, t, options=options)
    if name == "ours":
        return linear_cross_entropy
    if name == "ours, each":
        return lambda h, w, t: linear_cross_entropy(h, w, t, reduction="none").mean()
    if name == "liger":
        from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss

        fused = LigerFusedLinearCrossEntropyLoss()
        return lambda h, w, t: fused(w, h, t)
    from cut_cross_entropy import linear_cross_entropy as cut

    return lambda h, w, t: cut(h, w, t)


def peak() -> int:
    """Return the most bytes that this process had in memory."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def measure(asked: argparse.Namespace) -> dict[str, float]:
    """Compute loss and gradients once, in this process."""
    import time

    import torch

    torch.set_num_threads(asked.threads)
    N, D, V = asked.case
    rng = torch.Generator().manual_seed(1)
    like = {"device": asked.device, "dtype": getattr(torch, asked.dtype)}
    hidden = torch.randn(N, D, generator=rng).to(**like).requires_grad_()
    weight = (torch.randn(V, D, generator=rng) * 0.05).to(**like).requires_grad_()
    targets = torch.randint(0, V, (N,), generator=rng).to(asked.device)
    loss_of = way(asked.way)
    loss_of(hidden[:8], weight[:16], targets[:8] % 16).backward()  # loads what it needs
    hidden.grad = weight.grad = None
    is_gpu = asked.device != "cpu"
    if is_gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    else:
        # What the process has now is what its peak is counted from.
        Path("/proc/self/clear_refs").write_text("5")
    before = torch.cuda.memory_allocated() if is_gpu else peak()
    began = time.perf_counter()
    loss = loss_of(hidden, weight, targets)
    loss.backward()
    if is_gpu:
        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    most = torch.cuda.max_memory_allocated() if is_gpu else peak()
    gradients = sum(x.grad.numel() * x.grad.element_size() for x in (hidden, weight))
    return {
        "loss": loss.item(), "seconds": seconds, "megabytes": (most - before) / 1e6,
        "gradient_megabytes": gradients / 1e6,
    }  # fmt: skip


def apart(asked: argparse.Namespace, name: str, case: tuple[int, int, int]) -> dict[str, Any]:
    """Measure in a process of its own; return what it says, or why it could not."""
    N, _, V = case
    needed = 3 * N * V * 4 / 1e9
    if name == "plain" and needed > asked.most_gb:
        return {"why": f"needs some {needed:.0f} GB"}
    command = [
        sys.executable, __file__, "--way", name, "--case", *map(str, case),
        "--device", asked.device, "--dtype", asked.dtype, "--threads", str(asked.threads),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"why": (done.stderr.strip().splitlines() or ["it was killed"])[-1][:100]}
    return json.loads(done.stdout)


def rows(asked: argparse.Namespace, case: tuple[int, int, int]) -> list[dict[str, Any]]:
    """Measure all ways of a case, in rounds."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in WAYS}
    for _ in range(asked.rounds):
        for name, its in found.items():
            if not its or "why" not in its[-1]:
                its.append(apart(asked, name, case))
    made: list[dict[str, Any]] = []
    for name, its in found.items():
        label = " x ".join(map(str, case))
        row: dict[str, Any] = {"label": label, "way": name, "device": asked.device}
        if "why" in its[-1]:
            made.append({**row, "why": its[-1]["why"]})
            continue
        seconds = [one["seconds"] for one in its]
        made.append({
            **row, "n": len(its), "dtype": asked.dtype, "loss": round(its[0]["loss"], 5),
            "seconds": round(statistics.median(seconds), 2),
            "low": round(min(seconds), 2), "high": round(max(seconds), 2),
            "megabytes": round(statistics.median(one["megabytes"] for one in its)),
            "gradient_megabytes": round(its[0]["gradient_megabytes"]),
        })  # fmt: skip
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=int, nargs=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most-gb", type=float, default=20.0)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        print(json.dumps(measure(asked)))
        return
    for case in [tuple(asked.case)] if asked.case else CASES:
        for row in rows(asked, case):
            keep(RECORD, [row], ("label", "way", "device"), before=False)
            said = row.get("why") or (
                f"{row['seconds']:8.2f} s ({row['low']:.2f}-{row['high']:.2f}) "
                f"{row['megabytes']:8,} MB, gradients {row['gradient_megabytes']:,} MB"
            )
            print(f"{row['label']:22} {row['way']:18} {said}", flush=True)


if __name__ == "__main__":
    main()
