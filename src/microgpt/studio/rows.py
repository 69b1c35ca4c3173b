"""The documents of a run or of a dropped file as rows with their scores, a page at a time.

In: a run, documents, a query. Out: progress while they are scored, or a slice of them is looked
for; some rows; the text of one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from starlette.routing import Route

from microgpt.config.bounds import Whole
from microgpt.errors import MicroGPTError, UsageError
from microgpt.evaluation.slices import Slice
from microgpt.runs.judging import Judging
from microgpt.scoring.price import Offsets
from microgpt.scoring.rows.kept import KeptScores, RowQuery
from microgpt.studio.answers import answering, streaming
from microgpt.studio.measured import Measurements, On
from microgpt.studio.prices import LONGEST
from microgpt.wording import clipped

MOST = 200
"""The most rows of an answer."""

_CUT = 200
_COUNT = Whole(0, MOST)


@dataclass(frozen=True)
class RowsAsked(On):
    """A question: which rows come in this order, from the n-th on?

    Attributes:
        sort: by row, loss, percentile, unknown characters; or by the loss in the slice.
        descending: whether the largest come first.
        text: what they contain.
        flagged: whether only flagged ones are wanted.
        least: the lowest loss.
        rate: the share of good texts to flag.
        slice: only documents that have such positions.
        first: from which one, from 0.
        count: how many.
    """

    sort: Literal["row", "loss", "percentile", "unknown", "slice"] = "loss"
    descending: bool = True
    text: str = ""
    flagged: bool = False
    least: float | None = None
    rate: float | None = None
    slice: Slice | None = None
    first: int = 0
    count: int = 50

    @property
    def query(self) -> RowQuery:
        """The question without the slice."""
        sort = "row" if self.sort == "slice" else self.sort
        return RowQuery(sort, self.descending, self.text, self.flagged, self.least)


@dataclass(frozen=True)
class ScoredRow:
    """A document and its scores.

    Attributes:
        document: its number, from 0, by which its text is asked for.
        row: of the file.
        text: cut.
        loss: nats a position.
        percentile: None: there is none.
        unknown: characters.
        flagged: None: none are.
        slice: the mean loss at the positions of the slice; None: there is no slice.
    """

    document: int
    row: int
    text: str
    loss: float
    percentile: float | None
    unknown: int
    flagged: bool | None
    slice: float | None


@dataclass(frozen=True)
class RowPage:
    """Some rows.

    Attributes:
        total: how many there are in all that are wanted.
        documents: how many there are.
        flagged: how many of these are flagged; None: none are.
        percentiles: whether there are any.
        warning: why there are none; "".
        promise: what the rate means.
        rows: those asked for.
    """

    total: int
    documents: int
    flagged: int | None
    percentiles: bool
    warning: str
    promise: str
    rows: Sequence[ScoredRow]


@dataclass(frozen=True, kw_only=True)
class SliceAsked(On):
    """A question: which documents have positions of this slice?"""

    slice: Slice


@dataclass(frozen=True)
class DocumentAsked(On):
    """A question: what is the text of this document?"""

    document: int = 0


def routes(measurements: Measurements) -> list[Route]:
    """Return the routes."""

    def scoring(on: On) -> Iterator[dict[str, Any]]:
        try:
            for documents in measurements.score(on):
                yield {"documents": documents}
            yield {"documents": len(measurements.scores(on)), "done": True}
        except MicroGPTError as error:
            yield {"missing": str(error)}

    def slicing(asked: SliceAsked) -> Iterator[dict[str, Any]]:
        for documents in measurements.slicing(asked, asked.slice):
            yield {"documents": documents}
        its = measurements.slice(asked, asked.slice)
        yield {"documents": len(its.documents_D), "done": True}

    return [
        streaming("/api/score", On, scoring),
        streaming("/api/slice", SliceAsked, slicing),
        answering("/api/rows", RowsAsked, lambda asked: page(measurements, asked)),
        answering("/api/document", DocumentAsked, lambda asked: document(measurements, asked)),
    ]


def page(measurements: Measurements, asked: RowsAsked) -> RowPage:
    """Return some rows."""
    _COUNT.check("count", asked.count)
    found = measurements.judging(asked, asked.rate)
    scores = measurements.scores(asked)
    order, slices = _found(measurements, asked, scores, found)
    its = scores.judged(found.judge)
    which: list[int] = order[max(asked.first, 0) :][: asked.count].tolist()
    rows = [
        ScoredRow(
            d,
            int(scores.rows_D[d]),
            clipped(scores.texts[d], _CUT),
            float(scores.means_D[d]),
            None if its.percentiles_D is None else float(its.percentiles_D[d]),
            int(scores.unknown_D[d]),
            None if its.flags_D is None else bool(its.flags_D[d]),
            slices.get(d),
        )
        for d in which
    ]
    flagged = None if its.flags_D is None else int(its.flags_D.sum())
    has_percentiles = its.percentiles_D is not None
    return RowPage(
        len(order), len(scores), flagged, has_percentiles, found.warning, found.promise, rows
    )


def _found(
    measurements: Measurements, asked: RowsAsked, scores: KeptScores, found: Judging
) -> tuple[Offsets, dict[int, float]]:
    """Return the documents that are wanted in their order, and the loss of each in the slice."""
    order = scores.find(asked.query, found.judge)
    if not asked.slice:
        return order, {}
    its = measurements.slice(asked, asked.slice)
    means_D = its.nats_D / its.positions_D
    is_wanted_D = np.zeros(len(scores), np.bool_)
    if asked.sort == "slice":
        is_wanted_D[order] = True
        ranked = its.documents_D[
            np.argsort(-means_D if asked.descending else means_D, kind="stable")
        ]
        order = ranked[is_wanted_D[ranked]]
    else:
        is_wanted_D[its.documents_D] = True
        order = order[is_wanted_D[order]]
    shown = order[max(asked.first, 0) :][: asked.count]
    at = np.searchsorted(its.documents_D, shown)
    return order, dict(zip(shown.tolist(), means_D[at].tolist()))


def document(measurements: Measurements, asked: DocumentAsked) -> dict[str, Any]:
    """Return the text of a document, as much of it as is priced character by character.

    Raises:
        UsageError: there is no such document.
    """
    scores = measurements.scores(asked)
    if not 0 <= asked.document < len(scores):
        raise UsageError(f"document must be from 0 to {len(scores) - 1}; got {asked.document}.")
    text = scores.texts[asked.document]
    row = int(scores.rows_D[asked.document])
    return {"row": row, "text": text[:LONGEST], "characters": len(text)}
