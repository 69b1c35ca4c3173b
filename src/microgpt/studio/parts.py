"""How good a run is, and where its loss comes from: what `evaluate` and `report` know, for a page.

In: a run and documents. Out: progress while they are measured, then `MeasuredParts`, in which lists
are cut to what a page shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.routing import Route

from microgpt.errors import MicroGPTError
from microgpt.evaluation.calibration import Calibration
from microgpt.evaluation.parts import Part
from microgpt.evaluation.rules import RULES
from microgpt.loss import LN_2, LossSum
from microgpt.runs.measurement import Measurement
from microgpt.studio.answers import streaming
from microgpt.studio.measured import Measurements, On
from microgpt.wording import glyph

SHOWN = 200
"""The most characters, positions and lengths that are listed, and confusions."""


@dataclass(frozen=True)
class ShownPart:
    """A part of the loss.

    Attributes:
        name: by which its documents are asked for; None: the ends of texts.
        symbol: the name, to be shown.
        loss: nats a position.
        nats: the sum.
        share: of all nats.
        positions: how many.
        hits: at how many the token that came was the likeliest.
        documents: how many, if the part consists of whole documents.
    """

    name: str | None
    symbol: str
    loss: float
    nats: float
    share: float
    positions: int
    hits: int
    documents: int | None


@dataclass(frozen=True)
class MeasuredParts:
    """A run measured on documents.

    Attributes:
        what: the documents, in words.
        documents: how many.
        positions: of these.
        loss: nats a position.
        bits: a position.
        bits_per_byte: of UTF-8.
        perplexity: exp(loss).
        accuracy: the share of positions where the likeliest token came.
        document_loss: the mean of the documents' losses.
        unknown: unknown characters.
        unknown_nats: the loss of each of them.
        mixed_with: the counts that the GPT is mixed with, in words; "": it is not mixed.
        rungs: of the ladder, the highest loss first.
        why: why there are no baselines; "".
        by_position: the parts by position.
        by_length: by the length of the document.
        by_character: by the character that came, the largest sum first.
        more_characters: how many are not listed.
        confusions: what came, what was the likeliest, how often, and the loss there.
        more_confusions: how many are not listed.
        bins: of the reliability diagram.
        calibration: its error, with an interval, and that of an honest model by chance.
        temperature: the best one, and its gain.
        rules: scoring rules, their values, which values are better, and whether they are proper.
    """

    what: str
    documents: int
    positions: int
    loss: float
    bits: float
    bits_per_byte: float
    perplexity: float
    accuracy: float
    document_loss: float
    unknown: int
    unknown_nats: float
    mixed_with: str
    rungs: Sequence[dict[str, Any]]
    why: str
    by_position: Sequence[ShownPart]
    by_length: Sequence[ShownPart]
    by_character: Sequence[ShownPart]
    more_characters: int
    confusions: Sequence[dict[str, Any]]
    more_confusions: int
    bins: Sequence[dict[str, Any]]
    calibration: dict[str, float]
    temperature: dict[str, Any]
    rules: Sequence[dict[str, Any]]


def routes(measurements: Measurements) -> list[Route]:
    """Return the routes."""

    def events(on: On) -> Iterator[dict[str, Any]]:
        try:
            for documents in measurements.measure(on):
                yield {"documents": documents}
            yield {"measured": shown(measurements.measurement(on))}
        except MicroGPTError as error:
            # An answer, not a fault: the page offers what can be done.
            yield {"missing": str(error)}

    return [streaming("/api/measure", On, events)]


def shown(found: Measurement) -> MeasuredParts:
    """Return what the page shows of a measurement."""
    run, result, ladder = found.run, found.result, found.ladder
    parts = result.parts
    by_character, confusions = parts.by_character(), parts.confusions()
    total, mixed_with = result.sum.nats, run.mixed_with if ladder.gpt else ""

    def listed(some: Sequence[Part]) -> list[ShownPart]:
        return [_part(one, total) for one in some[:SHOWN]]

    return MeasuredParts(
        what=found.on.words,
        documents=result.documents,
        positions=result.sum.positions,
        loss=result.loss,
        bits=result.bits,
        bits_per_byte=result.bits_per_byte,
        perplexity=result.perplexity,
        accuracy=result.accuracy,
        document_loss=result.document_loss,
        unknown=result.unknown,
        unknown_nats=run.tokenizer.unknown_nats,
        mixed_with=mixed_with,
        rungs=[
            {"name": name, **_sum(its), "bits_per_byte": its.nats / LN_2 / result.n_bytes,
             "is_this": is_this}
            for name, its, is_this in ladder.rungs
        ],
        why=ladder.why,
        by_position=listed(parts.by_position()),
        by_length=listed(parts.by_length()),
        by_character=listed(by_character),
        more_characters=max(len(by_character) - SHOWN, 0),
        confusions=[
            {"came": glyph(c.char), "likely": glyph(c.likely), **_sum(c.sum)}
            for c in confusions[:SHOWN]
        ],
        more_confusions=max(len(confusions) - SHOWN, 0),
        bins=[
            {**vars(one), "observed": one.observed, "verdict": one.verdict}
            for one in result.calibration.bins
        ],
        calibration=_calibration(result.calibration),
        temperature={**vars(result.temperature), "verdict": result.temperature.verdict},
        rules=[
            {"name": rule.name, "value": value, "better": rule.better, "proper": rule.proper}
            for rule, value in zip(RULES, result.scores.values())
        ],
    )  # fmt: skip


def _part(part: Part, total: float) -> ShownPart:
    its = part.sum
    share = its.nats / total if total else 0.0
    symbol = glyph(part.name)
    return ShownPart(
        part.name, symbol, its.mean, its.nats, share, its.positions, part.hits, part.texts
    )


def _sum(its: LossSum) -> dict[str, Any]:
    return {
        "loss": its.mean, "bits": its.bits, "perplexity": its.perplexity, "positions": its.positions
    }  # fmt: skip


def _calibration(its: Calibration) -> dict[str, float]:
    return {"error": its.error, "low": its.low, "high": its.high, "chance": its.chance}
