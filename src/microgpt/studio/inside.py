"""Inside a model: where each head looks as a text is read, the residual stream, the embeddings.

In: a run's name and a text. Out: what the first three parts of the Inside view show.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isqrt
from typing import Any, Literal

from starlette.routing import Route

from microgpt import model as gpt
from microgpt.data.tokenizer.shown import symbols
from microgpt.inside.heads import look
from microgpt.inside.observed import observe
from microgpt.inside.plane import neighbours, plane
from microgpt.runs.model import Model
from microgpt.runs.reading import BOS, reading
from microgpt.studio.answers import answering
from microgpt.studio.library import Library
from microgpt.studio.prices import check_length

POSITIONS = 64
"""The most positions whose attention is sent."""

SHARES = 400_000
"""The most shares that are sent: layers times heads times the square of the positions."""

MARKS = 300
"""The most tokens that are drawn in the plane."""

ALIKE = 5
"""How many of the most alike embeddings are named for a token."""


@dataclass(frozen=True)
class InsideAsked:
    """A question: what is inside this run's model when it reads this text?"""

    run: str
    text: str


@dataclass(frozen=True)
class EmbeddingsAsked:
    """A question: where are the rows of a matrix in the plane of their largest variance?"""

    run: str
    text: str
    matrix: Literal["wte", "lm_head"]


def routes(library: Library) -> list[Route]:
    """Return the routes."""
    return [
        answering("/api/inside", InsideAsked, lambda q: inside(library.run(q.run), q.text)),
        answering("/api/embeddings", EmbeddingsAsked, lambda q: embeddings(library.run(q.run), q)),
    ]


def inside(model: Model, text: str) -> dict[str, Any]:
    """Return every head's attention, and the norms of the residual stream, at each position.

    Raises:
        UsageError: the text is too long, or the model is an ensemble.
    """
    check_length(text)
    model.check_single("a look inside")
    config = model.settings.model
    most = min(POSITIONS, isqrt(SHARES // (config.n_layer * config.n_head)))
    text_read = reading(model, text, max(most, 1))
    weights = gpt.views(model.engine.state().parameters, config)
    seen = observe(config, weights, text_read.tokens)
    return {
        "read": text_read.read,
        "coming": text_read.coming,
        "positions": text_read.positions,
        "window": config.block_size,
        "layers": [
            [
                {
                    "shares": [
                        [round(float(x), 4) for x in row[: t + 1]]
                        for t, row in enumerate(shares_TT)
                    ],
                    **asdict(one := look(shares_TT)),
                    "says": one.says,
                }
                for shares_TT in layer
            ]
            for layer in seen.attention_LHTT
        ],
        "places": seen.places,
        "norms": seen.norms_PT.tolist(),
        "added": seen.added_PT.tolist(),
    }


def embeddings(model: Model, asked: EmbeddingsAsked) -> dict[str, Any]:
    """Return tokens as points of a plane, with those that are most alike; the text's come first.

    Raises:
        UsageError: the text is too long, or the model is an ensemble.
    """
    model.check_single("a look inside")
    config, tokenizer = model.settings.model, model.tokenizer
    rows_VD = gpt.views(model.engine.state().parameters, config)[asked.matrix]
    found = plane(rows_VD)
    used = {*reading(model, asked.text, POSITIONS).tokens}
    names = [*symbols(tokenizer)]
    names[tokenizer.bos] = BOS
    shown = [*sorted(used), *(i for i in range(len(names)) if i not in used)][:MARKS]
    return {
        "width": config.n_embd,
        "tokens": len(names),
        "variance": found.shares_2.tolist(),
        "marks": [
            {
                "symbol": names[i],
                "x": float(found.points_V2[i, 0]),
                "y": float(found.points_V2[i, 1]),
                "used": i in used,
                "alike": [(names[k], cosine) for k, cosine in neighbours(rows_VD, i, ALIKE)],
            }
            for i in sorted(shown)
        ],
    }
