"""What a page that computes needs of a run, as one JSON value; `page/model/model.js` reads it.

In: a run, documents. Out: weights, counts, tokenizer, the losses of usual texts, documents.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from microgpt import model
from microgpt.counting.mixture import Mixture
from microgpt.data.tokenizer import Bytes, Masked, Tokenizer
from microgpt.data.tokenizer.shown import symbols
from microgpt.engines.contract import Floats
from microgpt.evaluation import Evaluation
from microgpt.export.alone import shape
from microgpt.export.counts import counts
from microgpt.export.patterns import javascript
from microgpt.export.weights import Weights
from microgpt.runs.about import about
from microgpt.runs.run import Run
from microgpt.scoring.reference import ALIKE, Reference
from microgpt.wording import printable

# The most characters of documents in a file.
_CHARACTERS = 200_000


def data(run: Run, weights: Weights, documents: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """Return all that the page reads.

    Args:
        run: the run.
        weights: its parameters.
        documents: texts to show, with their losses.

    Raises:
        UsageError: a mask has an expression that a browser reads otherwise.
    """
    reference = run.judge.reference
    return {
        "config": shape(run.settings.model),
        "table": [(p.name, *p.shape) for p in model.parameters(run.settings.model)],
        "models": run.settings.training.models,
        "weights": {"bits": weights.bits, "data": weights.text},
        "counts": _mixed(run.mixture) if run.mixture else None,
        "tokenizer": written(run.tokenizer),
        "reference": thresholds(reference) if reference else None,
        "about": dataclasses.asdict(about(printable(run.folder.resolve().name), run)),
        "symbols": symbols(run.tokenizer),
        "documents": [{"text": text, "loss": loss} for text, loss in documents],
    }


def _mixed(mixture: Mixture) -> dict[str, Any]:
    fitted = mixture.fitted
    return {
        "orders": counts(mixture.ngram),
        "weight": fitted.weight,
        "log_linear": fitted.log_linear.weights if fitted.log_linear else None,
        "cache": fitted.cache.weights if fitted.cache else None,
    }


def written(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return a tokenizer as `page/model/tokenizer.js` reads it.

    Raises:
        UsageError: a mask has an expression that a browser reads otherwise.
    """
    inner: Any = tokenizer.inner if isinstance(tokenizer, Masked) else tokenizer
    masks = tokenizer.masks if isinstance(tokenizer, Masked) else ()
    is_bytes = isinstance(inner, Bytes)
    return {
        "inner": {
            "kind": "bytes" if is_bytes else "characters",
            "first": inner.first,
            "codes": [] if is_bytes else [*map(ord, inner.characters)],
        },
        "masks": [
            {
                "name": mask.name,
                "pattern": javascript(mask.pattern, mask.name),
                "runs": mask.name == "digits" and not mask.is_own,
            }
            for mask in masks
        ],
        "vocab_size": tokenizer.vocab_size,
        "bos": tokenizer.bos,
        "symbol": next(iter(tokenizer.symbols), tokenizer.vocab_size),
        "stand_in": tokenizer.stand_in,
        "unknown_nats": tokenizer.unknown_nats,
    }


def thresholds(reference: Reference) -> dict[str, Any]:
    """Return for each class of lengths the losses at which a percentile becomes 1, 2, ... 99.

    A text's percentile, rounded down, is the number of these that are lower by more than `alike`.
    """
    firsts_C = reference.firsts_C
    found: list[list[float]] = []
    for c in range(len(firsts_C) - 1):
        start, stop = int(firsts_C[c]), int(firsts_C[c + 1])
        upto = np.arange(start + 1, stop + 1)
        percent: Floats = reference.above(np.full(len(upto), c), upto)
        at = np.searchsorted(percent, np.arange(1, 100) - 1e-9)
        means: Floats = reference.means_D[start:stop]
        found.append(means[at[at < len(means)]].tolist())
    return {"tops": reference.tops, "thresholds": found, "alike": ALIKE}


def chosen(result: Evaluation, number: int) -> list[tuple[str, float]]:
    """Return the documents with the lowest and the highest losses, and these losses.

    Args:
        result: an evaluation.
        number: how many at most; long ones are left out once there are 200,000 characters.
    """
    best, worst, _ = result.parts.documents((number + 1) // 2)
    found, characters = list[tuple[str, float]](), 0
    for document in [*worst, *best][:number]:
        characters += len(document.text)
        if characters > _CHARACTERS:
            break
        found.append((document.text, document.sum.mean))
    return found
