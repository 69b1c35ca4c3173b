"""What the log-linear mixture gains over the linear one, and how little its fitting flatters it.

The GPTs are those of `ensembles.py`: trained for a fixed number of steps, as many as the seconds
allow on a quiet machine, then mixed with counts of the training documents in several ways. The
weights of the log-linear mixtures are fitted on half of the held-out documents and measured on the
other half, and the other way round; but for the last row, in which microgpt itself fits them, on a
part of the documents that it then measures. The weight of the linear mixture is fitted on all of
them, as microgpt does.

    python benchmarks/loglinear.py FOLDER [SEEDS]      FOLDER: with names.txt
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from counts import trained
from ensembles import ROWS, configs, names
from numpy.typing import NDArray

from microgpt.counting.linear import LinearMixture
from microgpt.counting.loglinear import COEFFICIENTS, MOST, PENALTY, LogLinear
from microgpt.counting.loglinear_mixture import LogLinearMixture
from microgpt.counting.ngram import NGram
from microgpt.counting.ngrams import NGrams
from microgpt.data.batch import Batch
from microgpt.engines.contract import Engine, Floats
from microgpt.engines.native import BUILDS
from microgpt.loss.many import Softmax
from microgpt.training.task import Dataset, Task

RECORD = Path(__file__).parent / "records" / "loglinear.json"
KEYS = ("1 s, one", "5 s, two", "20 s, two", "60 s, two")
LENGTHS = (5, 7, 8)

Ints = NDArray[np.int64]


def crossed(log_p_NKV: Floats, came_N: Floats, batch: Batch) -> float:
    """Return the mean loss, each half of the documents with weights fitted on the other half."""
    targets_N = batch.targets_N.astype(np.int64)
    document_N = np.repeat(np.arange(len(batch)), np.diff(batch.documents))
    losses_N = np.empty(batch.positions)
    for half_N in (document_N % 2 == 0, document_N % 2 == 1):
        usual = LogLinear.usual(log_p_NKV.shape[1] - 1)
        found = usual.fit(log_p_NKV[half_N], came_N[half_N], targets_N[half_N])
        losses_N[~half_N] = found.losses(log_p_NKV[~half_N], came_N[~half_N], targets_N[~half_N])
    return float(losses_N.mean())


def unbounded(log_p_NKV: Floats, came_N: Floats, batch: Batch) -> float:
    """Return the mean loss, crossed, with weights of any sign, quadratic in x as the others are."""
    x_N = np.log1p(np.minimum(came_N, MOST)) / np.log1p(MOST)
    x_NJ = np.power(x_N[:, None], np.arange(COEFFICIENTS))
    all_NMV = np.concatenate([log_p_NKV * x_NJ[:, j, None, None] for j in range(3)], axis=1)
    targets_N, losses_N = batch.targets_N.astype(np.int64), np.empty(batch.positions)
    document_N = np.repeat(np.arange(len(batch)), np.diff(batch.documents))
    for half_N in (document_N % 2 == 0, document_N % 2 == 1):
        w_M = newton(all_NMV[half_N], targets_N[half_N])
        mixed = Softmax(np.einsum("nmv,m->nv", all_NMV[~half_N], w_M))
        losses_N[~half_N] = mixed.losses(targets_N[~half_N])
    return float(losses_N.mean())


def newton(log_p_NMV: Floats, targets_N: Ints) -> Floats:
    """Return the weights with the lowest loss and penalty, from the first predictor alone on."""
    M = log_p_NMV.shape[1]
    first_M = w_M = np.eye(M)[0]
    for _ in range(8):
        p_NV = Softmax(np.einsum("nmv,m->nv", log_p_NMV, w_M)).p_BV
        weighted_NMV = log_p_NMV * p_NV[:, None, :]
        mean_NM = weighted_NMV.sum(axis=2)
        of_target_NM = log_p_NMV[np.arange(len(targets_N)), :, targets_N]
        slope_M = (mean_NM - of_target_NM).sum(axis=0) + PENALTY * (w_M - first_M)
        curve_MM = np.tensordot(weighted_NMV, log_p_NMV, axes=((0, 2), (0, 2)))
        curve_MM = curve_MM - mean_NM.T @ mean_NM + PENALTY * np.eye(M)
        w_M = w_M - np.linalg.solve(curve_MM, slope_M)
    return w_M


def logs(engine: Engine, ngram: NGram, batch: Batch) -> tuple[Floats, Floats]:
    """Return log p_NKV of the GPTs and of counts of 2 to n, and how often the contexts came."""
    counts, last = NGrams(ngram), ngram.contexts(batch)
    each = [Softmax(engine.logits(batch)).log_p_BV, *counts.each(last)]
    return np.stack(each, axis=1), counts.came(last)


def measured(key: str, dataset: Dataset, seed: int) -> dict[str, float]:
    """Train, and measure each mixture."""
    task = Task(dataset, *configs(ROWS[key], dataset, seed))
    engine = trained(task)
    batch = task.heldout.head(1 << 18)
    found = {"GPTs alone": float(engine.losses(batch).mean())}
    V, bos, texts = task.tokenizer.vocab_size, task.tokenizer.bos, task.layout.texts
    counts = {n: NGram.of(texts, V, bos, n) for n in LENGTHS}
    found["linear, counts of 5"] = float(LinearMixture(engine, counts[5]).fit(batch)[0].mean())
    for n, ngram in counts.items():
        log_p_NKV, came_N = logs(engine, ngram, batch)
        found[f"log-linear, counts of 2 to {n}"] = crossed(log_p_NKV, came_N, batch)
        if n == 8:
            name = f"counts of 2 to {n}, the same weights in all contexts"
            found[name] = crossed(log_p_NKV, np.zeros_like(came_N), batch)
            found[f"counts of 2 to {n}, weights of any sign"] = unbounded(log_p_NKV, came_N, batch)
    mixture = LogLinearMixture(engine, counts[8])
    found["counts of 2 to 8, as microgpt fits them"] = float(mixture.fit(batch)[0].mean())
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
            print(f"{key:12} {name:52} {spread}", flush=True)
        record = {"date": time.strftime("%Y-%m-%d"), "build": BUILDS[-1], "rows": rows}
        RECORD.write_text(json.dumps(record, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
