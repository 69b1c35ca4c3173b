"""The score of a text: the loss of each character, and the likeliest tokens in its place.

In: a predictor, a tokenizer, texts. Out: a `Score` for each. Every character has a loss, the first
one and the end included.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray

from microgpt import html
from microgpt.data.tokenizer import UNKNOWN, Tokenizer
from microgpt.data.tokenizer.sizes import is_of_pieces
from microgpt.data.tokenizer.unknown import charge, readable
from microgpt.engines.contract import Floats, Predictor
from microgpt.loss import LossSum, cross_entropy
from microgpt.loss.many import Softmax
from microgpt.scoring.logits import blocks
from microgpt.scoring.price import Laid
from microgpt.scoring.spans import spans
from microgpt.wording import END

TEXTS = 64
"""How many texts are measured together."""

LIKELY = 3
"""How many of the likeliest tokens a `Character` has."""


@dataclass(frozen=True)
class Character:
    """A character of a text and its loss; or several characters that are one token.

    Attributes:
        char: the character; None: the end of the document.
        losses: nats at each of its positions: one, or one for each byte.
        hits: at how many of these the target was the likeliest token.
        likely: the likeliest tokens, in order; "" is the end.
        unknown: whether it is not in the vocabulary; its loss is then `Tokenizer.unknown_nats`.
    """

    char: str | None
    losses: tuple[float, ...]
    hits: int
    likely: tuple[str, ...]
    unknown: bool = False

    @property
    def nats(self) -> float:
        """The sum of its losses, in nats."""
        return math.fsum(self.losses)

    @property
    def p(self) -> float:
        """Its probability under the model."""
        return math.exp(-self.nats)


@dataclass(frozen=True)
class Score:
    """The losses of a text, character by character.

    Attributes:
        text: the document.
        characters: its characters, and its end.
        usual: nats a position of usual text, above which a span surprises; None: not known.
        percentile: how many of 100 held-out documents of similar length surprise less; None: not
            known.
    """

    text: str
    characters: tuple[Character, ...]
    usual: float | None = None
    percentile: float | None = None

    @property
    def losses(self) -> list[float]:
        """Nats at each position."""
        return [nats for c in self.characters for nats in c.losses]

    @property
    def sum(self) -> LossSum:
        """The sum over its positions."""
        return LossSum.of(self.losses)

    @property
    def nats(self) -> float:
        """The sum of all losses, in nats."""
        return self.sum.nats

    @property
    def loss(self) -> float:
        """Nats per position."""
        return self.sum.mean

    @property
    def mean(self) -> float:
        """The loss, by the name that a `LossSum` has for it."""
        return self.loss

    @property
    def span(self) -> str:
        """The part that surprises most, as `microgpt score` marks it; the end is ⏎."""
        usual = self.loss if self.usual is None else self.usual
        losses_N = np.array(self.losses)
        starts, stops = spans(losses_N, np.array([0, len(losses_N)]), usual)
        # Of each position its character's number.
        owners = [i for i, c in enumerate(self.characters) for _ in c.losses]
        its = self.characters[owners[starts[0]] : owners[stops[0] - 1] + 1]
        return "".join(END if c.char is None else c.char for c in its)

    @property
    def bits(self) -> float:
        """Bits per position."""
        return self.sum.bits

    @property
    def perplexity(self) -> float:
        """exp(loss): as many equally likely tokens would have the same loss."""
        return self.sum.perplexity

    def _repr_html_(self) -> str:
        """Return HTML for a notebook: the characters, coloured by their losses."""
        from microgpt.scoring.heat import heat  # which imports this module

        return html.fragment("score", heat=heat(self, usual=self.loss))


def scores(
    predictor: Predictor, tokenizer: Tokenizer, block_size: int, texts: Iterable[str]
) -> Iterator[Score]:
    """Yield the scores of texts, in their order.

    The loss of an unknown character is `tokenizer.unknown_nats`; the model reads the most frequent
    character in its place.
    """
    # The definition reads each logit in Python: 50,000 of a position take a hundredth of a second.
    is_many = is_of_pieces(tokenizer)
    remaining = iter(texts)
    while group := list(islice(remaining, TEXTS)):
        laid = Laid.of(group, tokenizer, block_size)
        read_N, targets_N = readable(laid.batch, tokenizer).targets_N, laid.batch.targets_N
        losses_N, likely = np.zeros(len(targets_N)), list[tuple[int, ...]]()
        for its, logits_NV in blocks(predictor, laid.windows(tokenizer), tokenizer.vocab_size):
            likely += map(tuple, _likeliest(logits_NV).tolist())
            if is_many:
                losses_N[its] = Softmax(logits_NV).losses(read_N[its])
                continue
            rows = zip(logits_NV.tolist(), read_N[its].tolist())
            losses_N[its] = [cross_entropy(logits_V, target)[0] for logits_V, target in rows]
        charge(losses_N, targets_N, tokenizer)
        positions = [*map(_Position, losses_N.tolist(), targets_N.tolist(), likely)]
        places_N: list[int] = laid.places_N.tolist()
        for text, start, stop in zip(group, laid.texts.tolist(), laid.texts[1:].tolist()):
            each: dict[int, list[_Position]] = {}
            for place, position in zip(places_N[start:stop], positions[start:stop]):
                each.setdefault(place, []).append(position)
            # A token may have several characters, and a character several tokens.
            chars: list[str | None] = [text[i:j] for i, j in pairwise(each)]
            priced = zip([*chars, None], each.values())
            yield Score(text, tuple(_character(*one, tokenizer) for one in priced))


def _likeliest(logits_NV: Floats) -> NDArray[np.int64]:
    """Return the likeliest tokens of each row, in order; of equally likely ones the first."""
    rest_NV = np.array(logits_NV, dtype=np.float64)
    rows, columns = np.arange(len(rest_NV)), min(LIKELY, rest_NV.shape[1])
    found = np.zeros((len(rest_NV), columns), dtype=np.int64)
    for k in range(columns):
        found[:, k] = np.argmax(rest_NV, axis=1)
        rest_NV[rows, found[:, k]] = -np.inf
    return found


@dataclass(frozen=True)
class _Position:
    nats: float
    target: int
    likely: tuple[int, ...]


def _character(char: str | None, its: list[_Position], tokenizer: Tokenizer) -> Character:
    return Character(
        char,
        tuple(p.nats for p in its),
        sum(p.likely[0] == p.target for p in its),
        tuple(tokenizer.decode([i]) for i in its[0].likely),
        any(p.target == UNKNOWN for p in its),
    )
