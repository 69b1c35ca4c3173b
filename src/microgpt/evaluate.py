"""How wrong a model is: the surprise of every character, and the mean of many documents.

In: an engine, a tokenizer, texts. Out: a `Score` for each text, or one `Evaluation` of all. Every
character is priced, the first one and the end of the document included. Texts longer than the block
are read in windows side by side, as in training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from microgpt.batch import Batch
from microgpt.engines.contract import Engine
from microgpt.loss import LN_2, LossSum, cross_entropy
from microgpt.tokenizer import UNKNOWN, Tokenizer

ROWS = 64
"""How many windows advance together."""


@dataclass(frozen=True)
class Character:
    """One character of a text and what it cost.

    Attributes:
        char: None for the end of the document.
        losses: nats, one a position: one, or one for each byte.
        hits: at how many of these the likeliest token came.
        likely: what the model expected, likeliest first; the end as "".
        unknown: whether the vocabulary lacks it; its price is then `Tokenizer.unknown_nats`.
    """

    char: str | None
    losses: tuple[float, ...]
    hits: int
    likely: tuple[str, ...]
    unknown: bool = False

    @property
    def nats(self) -> float:
        """What it cost."""
        return math.fsum(self.losses)

    @property
    def p(self) -> float:
        """The probability that the model gave it."""
        return math.exp(-self.nats)


@dataclass(frozen=True)
class Score:
    """A text, priced character by character.

    Attributes:
        text: the document.
        characters: one for each of its characters, and the end.
    """

    text: str
    characters: tuple[Character, ...]

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
        """What the whole text cost."""
        return self.sum.nats

    @property
    def mean(self) -> float:
        """Nats per position: the loss."""
        return self.sum.mean

    @property
    def bits(self) -> float:
        """Bits per position."""
        return self.sum.bits

    @property
    def perplexity(self) -> float:
        """Between how many equally likely tokens the model was in doubt."""
        return self.sum.perplexity


@dataclass(frozen=True)
class Evaluation:
    """The losses of many documents together.

    Attributes:
        sum: over all positions of all documents.
        documents: how many.
        document_loss: the mean of the documents' own means: a short one counts as much as a long.
        hits: positions where the likeliest token came.
        n_bytes: of the texts in UTF-8, one more for each end.
        unknown: characters that the vocabulary lacks.
    """

    sum: LossSum
    documents: int
    document_loss: float
    hits: int
    n_bytes: int
    unknown: int

    @property
    def loss(self) -> float:
        """Nats per position."""
        return self.sum.mean

    @property
    def bits(self) -> float:
        """Bits per position."""
        return self.sum.bits

    @property
    def bits_per_byte(self) -> float:
        """All bits over all bytes: what can be compared between tokenizers."""
        return self.sum.nats / LN_2 / self.n_bytes if self.n_bytes else math.nan

    @property
    def perplexity(self) -> float:
        """Between how many equally likely tokens the model was in doubt."""
        return self.sum.perplexity

    @property
    def accuracy(self) -> float:
        """The share of positions where the likeliest token came."""
        return self.hits / self.sum.positions if self.sum.positions else math.nan


def mean_loss(engine: Engine, batch: Batch) -> LossSum:
    """Sum the losses of a batch; the mean is read off the sum."""
    return LossSum.of(engine.losses(batch).tolist())


def scores(
    engine: Engine, tokenizer: Tokenizer, block_size: int, texts: Iterable[str]
) -> Iterator[Score]:
    """Price texts character by character, in their order.

    A character that the vocabulary lacks costs `tokenizer.unknown_nats`; the model then reads the
    commonest character in its place, and goes on.
    """
    remaining = iter(texts)
    while group := list(islice(remaining, ROWS)):
        ids = [tokenizer.ids(text) for text in group]
        windows = [
            (d, targets)
            for d, characters in enumerate(ids)
            for targets in _windows([i for c in characters for i in c], tokenizer.bos, block_size)
        ]
        positions: list[list[_Position]] = [[] for _ in group]
        for start in range(0, len(windows), ROWS):
            rows = windows[start : start + ROWS]
            walked = _walk(engine, tokenizer, [pair for _, pair in rows])
            for (d, _), row in zip(rows, walked):
                positions[d] += row
        for text, characters, row in zip(group, ids, positions):
            yield _score(text, characters, row, tokenizer)


def evaluate(
    engine: Engine, tokenizer: Tokenizer, block_size: int, texts: Iterable[str]
) -> Evaluation:
    """Price documents and sum up."""
    nats: list[float] = []
    means: list[float] = []
    hits = n_bytes = unknown = 0
    for score in scores(engine, tokenizer, block_size, texts):
        nats += score.losses
        means.append(score.mean)
        hits += sum(c.hits for c in score.characters)
        unknown += sum(c.unknown for c in score.characters)
        n_bytes += len(score.text.encode()) + 1
    mean = math.fsum(means) / len(means) if means else math.nan
    return Evaluation(LossSum.of(nats), len(means), mean, hits, n_bytes, unknown)


@dataclass(frozen=True)
class _Position:
    nats: float
    hit: bool
    likely: tuple[int, ...]


_Window = tuple[list[int], list[int]]


def _windows(ids: Sequence[int], bos: int, block_size: int) -> Iterator[_Window]:
    """Yield what is read and what comes next, the block's length at a time."""
    tokens, targets = [bos, *ids], [*ids, bos]
    for start in range(0, len(tokens), block_size):
        stop = start + block_size
        yield tokens[start:stop], targets[start:stop]


def _walk(
    engine: Engine, tokenizer: Tokenizer, windows: Sequence[_Window]
) -> list[list[_Position]]:
    decoder = engine.decoder(len(windows))
    rows: list[list[_Position]] = [[] for _ in windows]
    for t in range(max(len(tokens) for tokens, _ in windows)):
        column = [tokens[t] if t < len(tokens) else None for tokens, _ in windows]
        read = [tokenizer.stand_in if token == UNKNOWN else token for token in column]
        logits_BV = decoder.push([-1 if token is None else token for token in read])
        likely_BV = np.argsort(-logits_BV, axis=1, kind="stable")[:, :3].tolist()
        for row, (_, targets), logits_V, likely in zip(rows, windows, logits_BV, likely_BV):
            if t < len(targets):
                if targets[t] == UNKNOWN:
                    nats = tokenizer.unknown_nats
                else:
                    nats = cross_entropy(logits_V.tolist(), targets[t])[0]
                row.append(_Position(nats, likely[0] == targets[t], tuple(likely)))
    return rows


def _score(
    text: str, ids: list[list[int]], positions: list[_Position], tokenizer: Tokenizer
) -> Score:
    characters: list[Character] = []
    at = 0
    for char, its_ids in zip([*text, None], [*ids, [tokenizer.bos]]):
        its = positions[at : at + len(its_ids)]
        at += len(its_ids)
        characters.append(
            Character(
                char,
                tuple(p.nats for p in its),
                sum(p.hit for p in its),
                tuple(tokenizer.decode([i]) for i in its[0].likely),
                UNKNOWN in its_ids,
            )
        )
    return Score(text, tuple(characters))
