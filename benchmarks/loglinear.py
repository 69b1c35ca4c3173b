"""What a log-linear mixture of a GPT and counts would gain over the linear one that microgpt has.

The probabilities of a linear mixture are weighted means. Those of a log-linear one are products of
powers, over their sum: p(t) = exp(sum of w_k log p_k(t)) / Z. Its predictors here are the GPT and
counts of two to eight characters, each an n-gram model of its own. By class, there are weights for
each class of position: how often the characters before it, seven at most, came in the training
documents. A class has a convex loss, and Newton's method finds its least; a small penalty keeps the
weights of rare classes near those of all. The weights are fitted on half of the held-out documents
and measured on the other half, and the other way round; the weight of the linear mixture is fitted
on all of them, as microgpt does.

The GPTs are those of `ensembles.py`: trained for a fixed number of steps, as many as the seconds
allow on a quiet machine.

    python benchmarks/loglinear.py FOLDER [SEEDS]      FOLDER: with names.txt
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from counts import trained
from ensembles import ROWS, configs, names
from numpy.typing import NDArray

from microgpt.counting.ngram import NGram
from microgpt.counting.weight import fitted, mixed
from microgpt.data.batch import Batch
from microgpt.engines.contract import Floats
from microgpt.engines.native import BUILDS
from microgpt.loss.many import Softmax
from microgpt.training.task import Dataset, Task

RECORD = Path(__file__).parent / "records" / "loglinear.json"
KEYS = ("1 s, one", "5 s, two", "20 s, two", "60 s, two")
COUNTS = (2, 3, 4, 5, 6, 7, 8)
BOUNDS = (1, 2, 4, 8, 16, 64, 256)
PENALTY = 10.0
"""Of the squared distance of a class's weights from those of all, in nats."""

Ints = NDArray[np.int64]


def of_counts(counts: Sequence[NGram], batch: Batch) -> Floats:
    """Return log p_NVK of several counts."""
    return np.stack([np.log(one.probabilities(one.contexts(batch))) for one in counts], axis=2)


def classes(counts: NGram, batch: Batch) -> Ints:
    """Return the class of each position, from the highest order of counts."""
    order, last = counts.orders[-1], counts.contexts(batch)
    contexts_N = last @ counts.vocab_size ** np.arange(counts.n - 1)[::-1]
    at = np.minimum(np.searchsorted(order.contexts, contexts_N), len(order.contexts) - 1)
    came_N = np.where(order.contexts[at] == contexts_N, order.totals[at], 0.0)
    return np.digitize(came_N, BOUNDS).astype(np.int64)


def weights_of(log_NVK: Floats, targets_N: Ints, start_K: Floats, penalty: float) -> Floats:
    """Return the weights with the least loss and penalty of their distance from `start_K`."""
    w_K, N = start_K.copy(), np.arange(len(targets_N))
    for _ in range(8):
        p_NV = Softmax(log_NVK @ w_K).p_BV
        mean_NK = np.einsum("nv,nvk->nk", p_NV, log_NVK)
        slope_K = (mean_NK - log_NVK[N, targets_N]).sum(axis=0) + penalty * (w_K - start_K)
        curve_KK = np.einsum("nv,nvk,nvl->kl", p_NV, log_NVK, log_NVK) - mean_NK.T @ mean_NK
        curve_KK += (penalty + 1e-6) * np.eye(len(w_K))
        w_K = w_K - np.linalg.solve(curve_KK, slope_K)
    return w_K


def crossed(log_NVK: Floats, batch: Batch, class_N: Ints) -> Floats:
    """Return losses_N, each half of the documents with weights fitted on the other half."""
    targets_N = batch.targets_N.astype(np.int64)
    document_N = np.repeat(np.arange(len(batch)), np.diff(batch.documents))
    is_first_N = document_N % 2 == 0
    losses_N, K = np.empty(batch.positions), log_NVK.shape[2]
    for half_N in (is_first_N, ~is_first_N):
        start_K = np.zeros(K)
        start_K[[0, -1]] = 0.5
        all_K = weights_of(log_NVK[half_N], targets_N[half_N], start_K, 1e-3)
        for number in np.unique(class_N):
            its_N, other_N = half_N & (class_N == number), ~half_N & (class_N == number)
            w_K = weights_of(log_NVK[its_N], targets_N[its_N], all_K, PENALTY)
            losses_N[other_N] = Softmax(log_NVK[other_N] @ w_K).losses(targets_N[other_N])
    return losses_N


def measured(key: str, dataset: Dataset, seed: int) -> dict[str, float]:
    """Train, and measure each mixture."""
    config, training = configs(ROWS[key], dataset, seed)
    task = Task(dataset, config, training)
    engine = trained(task)
    batch = task.heldout.head(1 << 18)
    log_NV, gpt_N = Softmax(engine.logits(batch)).log_p_BV, engine.losses(batch)
    found = {"gpt": float(gpt_N.mean())}
    tokens, texts = task.tokenizer, task.layout.texts
    counts = [NGram.of(texts, tokens.vocab_size, tokens.bos, n) for n in COUNTS]
    five = counts[COUNTS.index(5)]
    five_N = five.losses(batch)
    found["linear, counts of 5"] = float(mixed(gpt_N, five_N, fitted(gpt_N, five_N)).mean())
    log_NVK = np.concatenate([log_NV[:, :, None], of_counts(counts, batch)], axis=2)
    one_N, class_N = np.zeros(batch.positions, dtype=np.int64), classes(counts[-1], batch)
    two = log_NVK[:, :, [0, 1 + COUNTS.index(5)]]
    for name, logs, its_N in (
        ("log-linear, counts of 5", two, one_N),
        ("counts of 5, by class", two, class_N),
        ("counts of 2 to 8", log_NVK, one_N),
        ("counts of 2 to 8, by class", log_NVK, class_N),
    ):
        found[name] = float(crossed(logs, batch, its_N).mean())
    return found


def main() -> None:
    """Train, measure, print, record."""
    folder, seeds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    dataset, rows = names(folder), list[dict[str, Any]]()
    for key in KEYS:
        n = min(seeds, 2) if ROWS[key].seconds > 20 else seeds
        found = [measured(key, dataset, seed) for seed in range(1, n + 1)]
        losses = {name: [one[name] for one in found] for name in found[0]}
        rows.append({"seconds": ROWS[key].seconds, "models": ROWS[key].models, "losses": losses})
        for name, values in losses.items():
            spread = f"{statistics.mean(values):.4f} ({min(values):.4f} to {max(values):.4f})"
            print(f"{key:12} {name:28} {spread}", flush=True)
        record = {"date": time.strftime("%Y-%m-%d"), "build": BUILDS[-1], "rows": rows}
        RECORD.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
