"""Runs of all kinds, for the tests of what is exported: every preset in small, and all else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import microgpt
from microgpt import Run

from .conftest import TINY

LINES = [
    *(f"{a} took {n}ms at 10.0.0.{n % 250}" for n, a in enumerate(TINY * 5)),
    *(f"é{a}\t0x{n:07x}! ORD-{n:04}" for n, a in enumerate(TINY * 3)),
    *(
        f"{a} 2024-01-0{n % 9 + 1} {n:08x}-1111-2222-3333-00000000000{n % 10}"
        for n, a in enumerate(TINY)
    ),
]

# What every preset computes, in small; and all that else a model reads or a file holds.
KINDS: dict[str, dict[str, Any]] = {
    "microgpt": {"preset": "microgpt"},
    "microgpt-v1": {"preset": "microgpt-v1"},
    "micro": {"preset": "micro", "block_size": 16},
    "small": {"preset": "small", "n_embd": 24, "block_size": 16},
    "medium": {"preset": "medium", "n_embd": 16, "block_size": 16},
    "large": {"preset": "large", "n_embd": 16, "n_layer": 2, "block_size": 16, "batch_size": 30},
    "gpt2-small": {
        "preset": "gpt2-small",
        "n_embd": 24,
        "n_layer": 3,
        "block_size": 16,
        "batch_size": 30,
        "accumulate": 1,
    },
    "one head, long documents": {"preset": "micro", "n_head": 1, "block_size": 5},
    "learned positions, norms": {"preset": "micro", "position": "learned", "n_embd": 12},
    "bytes": {"preset": "micro", "tokenizer": "bytes", "block_size": 7},
    "counts": {"preset": "micro", "ngram": 4, "block_size": 16},
    "counts, first BOS": {"preset": "microgpt-v1", "ngram": 3},
    "log-linear counts": {
        "preset": "micro",
        "ngram": 6,
        "mixture": "log-linear",
        "block_size": 16,
    },
    "log-linear counts of one": {"preset": "microgpt-v1", "ngram": 1, "mixture": "log-linear"},
    "counts of one": {"preset": "micro", "ngram": 1, "block_size": 9},
    "counts of bytes": {"preset": "micro", "tokenizer": "bytes", "ngram": 7, "block_size": 20},
    "bpe": {"preset": "micro", "tokenizer": "bpe", "vocab_size": 300, "block_size": 9},
    "bpe, first BOS": {"preset": "microgpt-v1", "tokenizer": "bpe", "vocab_size": 290},
    "masks": {"preset": "micro", "mask": ["digits,ip,dates,hex,uuid", r"order=\bORD-\d{4,6}\b"]},
    "masked bytes": {"preset": "microgpt-v1", "tokenizer": "bytes", "mask": "digits", "ngram": 3},
}


def trained(path: Path, **settings: Any) -> Run:
    path.write_text("\n".join(LINES), "utf-8")
    return microgpt.train(path, steps=200, holdout=0.2, out=path.with_suffix(""), **settings)


def programs() -> list[str]:
    """Return the programs in the page on exports: of ONNX, transformers and safetensors."""
    page = (Path(__file__).parents[1] / "docs" / "export.md").read_text("utf-8")
    return re.findall(r"```python\n(.*?)```", page, re.S)
