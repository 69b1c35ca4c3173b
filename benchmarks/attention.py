"""Attention over documents of several lengths: ways to keep them apart, as rows and a record.

Each way computes attention, forward and backward, of the same documents end to end: in rectangles
that are padded as the torch engine pads them, in one for all, in one for each length; in one row
with a mask of blocks; as a jagged nested tensor. One after another in each round.

    python benchmarks/attention.py [--rounds 5] [--device cpu] [--threads 2]
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from process import keep
from torch import Tensor

from microgpt.engines.torch import packed
from microgpt.engines.torch.operations import TorchOps, by_head

RECORD = Path(__file__).resolve().parent / "records" / "attention.json"
# (what, lengths of documents, width, heads); drawn with a fixed seed.
RNG = random.Random(1)
CASES = [
    ("100 names", [RNG.randint(3, 12) for _ in range(100)], 64, 4),
    ("16 texts of 5 to 250", [RNG.randint(5, 250) for _ in range(16)], 256, 4),
    ("16 windows of 128", [128] * 16, 128, 4),
    ("8 windows of 256", [256] * 8, 384, 6),
]
Way = Callable[[Tensor, Tensor, Tensor, int], Tensor]


def rectangles(offsets: Any, device: torch.device, padding: float) -> Way:
    """Return attention in rectangles of at most so much padding."""
    packed._MOST_PADDING = padding
    ops = TorchOps(packed.Packed(offsets, device), None)
    return lambda q, k, v, heads: ops.causal_attention(q, k, v, heads, None)


def blocks(offsets: Any, device: torch.device) -> Way:
    """Return attention in one row, with a mask."""
    number = torch.from_numpy(np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))).to(device)
    mask_NN = (number[:, None] == number[None]).tril()

    def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        q, k, v = (by_head(x[None], heads) for x in (q, k, v))
        return F.scaled_dot_product_attention(q, k, v, mask_NN).transpose(1, 2).flatten(2)[0]

    return attend


def nested(offsets: Any, device: torch.device) -> Way:
    """Return attention of a jagged nested tensor."""
    starts = torch.from_numpy(offsets).to(device)

    def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        q, k, v = (
            torch.nested.nested_tensor_from_jagged(x.unflatten(1, (heads, -1)), starts).transpose(
                1, 2
            )
            for x in (q, k, v)
        )
        x = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return x.transpose(1, 2).values().flatten(1)

    return attend


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    device = torch.device(asked.device)
    for what, lengths, width, heads in CASES:
        offsets = np.cumsum([0, *lengths])
        q, k, v, d = (torch.randn(int(offsets[-1]), width, device=device) for _ in range(4))
        for x in (q, k, v):
            x.requires_grad_()
        ways = {
            "rectangles, half empty at most": rectangles(offsets, device, 0.5),
            "one rectangle": rectangles(offsets, device, 1.0),
            "one for each length": rectangles(offsets, device, 0.0),
            "one row, a mask of blocks": blocks(offsets, device),
            "jagged nested tensor": nested(offsets, device),
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        first: Tensor | None = None
        why: dict[str, str] = {}
        for _ in range(asked.rounds + 1):
            for name, way in ways.items():
                if name in why:
                    continue
                try:
                    began = time.perf_counter()
                    for _ in range(5):
                        x = way(q, k, v, heads)
                        x.backward(d)
                    if device.type == "cuda":
                        torch.cuda.synchronize()
                    times[name].append((time.perf_counter() - began) / 5)
                except (RuntimeError, NotImplementedError) as error:
                    why[name] = str(error).splitlines()[0][:80]
                    continue
                first = x.detach() if first is None else first
                if not torch.allclose(x, first, atol=1e-4):
                    raise ArithmeticError(f"{name} must compute what the others do")
        for name, took in times.items():
            row: dict[str, Any] = {"documents": what, "way": name, "device": asked.device}
            if name in why:
                row["why"] = why[name]
            else:
                took = took[1:]  # the first time takes longer
                row |= {"n": len(took), "ms": round(statistics.median(took) * 1e3, 3)}
                row |= {"low": round(min(took) * 1e3, 3), "high": round(max(took) * 1e3, 3)}
            keep(RECORD, [row], ("documents", "way", "device"), before=False)
            print(f"{what:22} {name:32} {row.get('why') or row['ms']}", flush=True)


if __name__ == "__main__":
    main()
