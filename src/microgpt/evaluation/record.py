"""An evaluation as one JSON object: all of its numbers.

In: an `Evaluation`. Out: dictionaries and lists, for `--json`, reports and notebooks.
"""

from __future__ import annotations

import math
from typing import Any, cast

from microgpt.evaluation import Evaluation
from microgpt.evaluation.calibration import Calibration
from microgpt.evaluation.parts import Document, Part
from microgpt.loss import LossSum

DOCUMENTS = 10
"""How many of the documents with the lowest loss are listed, and of those with the highest."""


def record(result: Evaluation) -> dict[str, Any]:
    """Return the evaluation as a JSON value; the nats of each list of parts add up to `nats`.

    A number that is not finite, such as the mean of no positions, is None: JSON has no NaN.
    """
    values: dict[str, Any] = finite(_record(result))
    return values


def finite(value: Any) -> Any:
    """Return a JSON value in which numbers that are not finite are replaced by None.

    >>> finite({"perplexity": math.inf, "losses": [0.5, math.nan]})
    {'perplexity': None, 'losses': [0.5, None]}
    """
    if isinstance(value, dict):
        return {name: finite(its) for name, its in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [finite(its) for its in cast("list[Any]", value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _record(result: Evaluation) -> dict[str, Any]:
    best, worst, others = result.parts.documents(DOCUMENTS)
    return {
        "loss": result.loss,
        "nats": result.sum.nats,
        "positions": result.sum.positions,
        "documents": result.documents,
        "bits": result.bits,
        "bits_per_byte": result.bits_per_byte,
        "perplexity": result.perplexity,
        "document_loss": result.document_loss,
        "accuracy": result.accuracy,
        "unknown": result.unknown,
        "by_position": [_part("position", p) for p in result.parts.by_position()],
        "by_character": [_part("char", p) for p in result.parts.by_character()],
        "by_length": [_part("length", p) for p in result.parts.by_length()],
        "by_document": {
            "best": [_document(d) for d in best],
            "others": {**_sum(others.sum), "documents": others.texts},
            "worst": [_document(d) for d in worst],
        },
        "confusions": [
            {"char": c.char, "likely": c.likely, **_sum(c.sum)} for c in result.parts.confusions()
        ],
        "calibration": _calibration(result.calibration),
        "confidence": _calibration(result.confidence),
        "scores": result.scores,
        "temperature": {
            "value": result.temperature.value,
            "gain": result.temperature.gain,
            "positions": result.temperature.positions,
        },
    }


def _sum(total: LossSum) -> dict[str, Any]:
    return {"loss": total.mean, "nats": total.nats, "positions": total.positions}


def _part(what: str, part: Part) -> dict[str, Any]:
    values: dict[str, Any] = {what: part.name, **_sum(part.sum), "hits": part.hits}
    return values if part.texts is None else {**values, "documents": part.texts}


def _document(document: Document) -> dict[str, Any]:
    start, stop = document.span
    span = {"text": document.text[start:stop], "start": start, "stop": stop}
    return {
        "text": document.text,
        **_sum(document.sum),
        "span": {**span, "nats": document.span_nats},
    }


def _calibration(calibration: Calibration) -> dict[str, Any]:
    return {
        "error": calibration.error,
        "low": calibration.low,
        "high": calibration.high,
        "chance": calibration.chance,
        "bins": [
            {
                "predictions": b.predictions,
                "hits": b.hits,
                "p": b.p,
                "observed": b.observed,
                "low": b.low,
                "high": b.high,
            }
            for b in calibration.bins
        ],
    }
