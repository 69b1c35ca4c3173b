"""What a text costs, position by position: the loss, the likeliest tokens, the logits.

In: a run's name and a text. Out: `PricedText`: the numbers that the Loss view shows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from starlette.routing import Route

from microgpt.data.tokenizer.shown import symbols
from microgpt.data.tokenizer.unknown import charge
from microgpt.engines.contract import Floats
from microgpt.errors import UsageError
from microgpt.loss import LossSum
from microgpt.loss.many import Softmax
from microgpt.runs.model import Model
from microgpt.scoring.logits import blocks
from microgpt.scoring.price import Laid
from microgpt.studio.answers import answering
from microgpt.studio.library import Library
from microgpt.wording import glyph, level

LONGEST = 2_000
"""The most characters of a text that is shown character by character."""

NUMBERS = 1 << 24
"""The most logits of a text in memory: a longer one is refused, if the vocabulary is large."""

LIKELY = 10
"""How many of the likeliest tokens are named at a position."""

MOST = 512
"""The most logits that are sent of one position."""


@dataclass(frozen=True)
class PriceAsked:
    """A question: what does this text cost under this run?"""

    run: str
    text: str


@dataclass(frozen=True)
class LogitsAsked:
    """A question: what are the logits at this position of this text?"""

    run: str
    text: str
    position: int


@dataclass(frozen=True)
class PositionCost:
    """A position of a text.

    Attributes:
        symbol: the target, as text to show.
        nats: its loss.
        p: its probability.
        level: of its colour, from 0 to 5, as `score` and reports have it.
        unknown: whether the character is not in the vocabulary; its loss is then fixed.
        likely: the likeliest tokens and their probabilities.
    """

    symbol: str
    nats: float
    p: float
    level: int
    unknown: bool
    likely: list[tuple[str, float]]


@dataclass(frozen=True)
class PricedText:
    """The losses of a text.

    Attributes:
        text: the text.
        loss: nats per position.
        nats: their sum.
        bits: per position.
        perplexity: exp(loss).
        positions: one for each token, and the end.
    """

    text: str
    loss: float
    nats: float
    bits: float
    perplexity: float
    positions: list[PositionCost]


def routes(library: Library) -> list[Route]:
    """Return the routes."""
    return [
        answering("/api/price", PriceAsked, lambda q: price(library.run(q.run), q.text)),
        answering("/api/logits", LogitsAsked, lambda q: logits(library.run(q.run), q)),
    ]


def price(model: Model, text: str) -> PricedText:
    """Return the losses of a text.

    Raises:
        UsageError: the text is too long, or has too many tokens for so large a vocabulary.
    """
    laid, logits_NV = _computed(model, text)
    tokenizer, targets_N = model.tokenizer, laid.batch.targets_N
    read_N = np.where(targets_N < 0, tokenizer.stand_in, targets_N).astype(np.int64)
    softmax = Softmax(logits_NV)
    losses_N = charge(softmax.losses(read_N), targets_N, tokenizer)
    order_NK = np.argsort(-logits_NV, axis=1, kind="stable")[:, :LIKELY]
    names, places = symbols(tokenizer), [*laid.places_N.tolist(), len(text)]
    found = LossSum.of(losses_N.tolist())
    targets: list[int] = targets_N.tolist()
    positions = [
        PositionCost(
            f"{glyph(text[i : max(j, i + 1)])}?" if target < 0 else names[target],
            nats,
            math.exp(-nats),
            level(nats),
            target < 0,
            [(names[k], float(p_V[k])) for k in order_K],
        )
        for (i, j), target, nats, p_V, order_K in zip(
            pairwise(places), targets, losses_N.tolist(), softmax.p_BV, order_NK.tolist()
        )
    ]
    return PricedText(text, found.mean, found.nats, found.bits, found.perplexity, positions)


def logits(model: Model, asked: LogitsAsked) -> dict[str, Any]:
    """Return the logits at a position, the largest first; what is left out as one log-sum-exp.

    Raises:
        UsageError: there is no such position, or its character is unknown.
    """
    laid, logits_NV = _computed(model, asked.text)
    if not 0 <= asked.position < len(logits_NV):
        raise UsageError(f"position must be from 0 to {len(logits_NV) - 1}; got {asked.position}.")
    target = int(laid.batch.targets_N[asked.position])
    if target < 0:
        raise UsageError("An unknown character has no logit: its loss is fixed.")
    names, logits_V = symbols(model.tokenizer), logits_NV[asked.position]
    order = np.argsort(-logits_V, kind="stable").tolist()
    shown = order[:MOST] if target in order[:MOST] else [*order[: MOST - 1], target]
    rest = logits_V[sorted({*order} - {*shown})]
    return {
        "symbols": [names[i] for i in shown],
        "logits": [float(logits_V[i]) for i in shown],
        "target": shown.index(target),
        "rest": _log_sum_exp(rest) if len(rest) else None,
    }


def check_length(text: str) -> None:
    """Raise UsageError if a text is longer than the page shows."""
    if len(text) > LONGEST:
        raise UsageError(f"text must have at most {LONGEST} characters; got {len(text)}.")


def _log_sum_exp(logits_V: Floats) -> float:
    largest = float(logits_V.max())
    return largest + math.log(np.exp(logits_V - largest).sum())


def _computed(model: Model, text: str) -> tuple[Laid, Floats]:
    """Lay out one text and compute its logits."""
    check_length(text)
    laid = Laid.of([text], model.tokenizer, model.settings.model.block_size)
    size = model.tokenizer.vocab_size
    if laid.batch.positions * size > NUMBERS:
        raise UsageError(
            f"text must have at most {NUMBERS // size:,} tokens here, of {size:,} kinds; "
            f"got {laid.batch.positions:,}."
        )
    found = [
        logits_NV for _, logits_NV in blocks(model.predictor, laid.windows(model.tokenizer), size)
    ]
    return laid, np.concatenate(found).astype(np.float64)
