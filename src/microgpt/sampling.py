"""Logits to probabilities to text.

In: a predictor, a tokenizer, a `Choice`. Out: `Sample`s, each with its loss under the model. The
n-th sample depends on the seed and on n alone, not on how many are drawn side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from microgpt.data.tokenizer import Tokenizer, known_ids
from microgpt.engines.contract import Predictor
from microgpt.errors import UsageError
from microgpt.loss import LossSum
from microgpt.wording import count

Floats = NDArray[np.float64]

ROWS = 2048
"""The most samples drawn side by side."""

_POSITIONS = 32_768
"""The most positions in the caches of samples drawn side by side: it bounds the memory."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How the next token is chosen.

    Args:
        temperature: divides the logits: below 1 likely tokens become likelier, above 1 less so; 0:
            always the likeliest.
        top_k: draw from the k likeliest tokens only; None: from all.
        top_p: draw from the fewest likeliest tokens that together reach this probability.
        min_p: draw from tokens at least this many times as probable as the likeliest.
        prompt: the beginning of every sample.
        seed: of the generator.

    Raises:
        UsageError: a value outside its domain.

    Source: top-p, Holtzman et al., "The curious case of neural text degeneration" (2020); min-p,
    Nguyen et al., "Turning up the heat" (2024).
    """

    temperature: float = 0.8
    top_k: int | None = None
    top_p: float = 1.0
    min_p: float = 0.0
    prompt: str = ""
    seed: int = 42

    def __post_init__(self) -> None:
        if not 0.0 <= self.temperature < math.inf:
            raise UsageError(f"temperature must be a number from 0; got {self.temperature}.")
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"top_k must be a whole number from 1; got {self.top_k}.")
        if not 0.0 < self.top_p <= 1.0:
            raise UsageError(f"top_p must be in (0, 1]; got {self.top_p}.")
        if not 0.0 <= self.min_p <= 1.0:
            raise UsageError(f"min_p must be in [0, 1]; got {self.min_p}.")
        if self.seed < 0:
            raise UsageError(f"seed must be a whole number from 0; got {self.seed}.")


@dataclass(frozen=True)
class Sample:
    """A text drawn from the model.

    Attributes:
        text: with the prompt.
        sum: its loss under the model's own probabilities (temperature 1, no token excluded).
        ended: why it ended: the model drew its end ("end"), or it filled the block ("block").
    """

    text: str
    sum: LossSum
    ended: Literal["end", "block"]

    @property
    def loss(self) -> float:
        """Nats per position."""
        return self.sum.mean


def probabilities(logits_BV: Floats, choice: Choice) -> Floats:
    """Return the probabilities that the next tokens are drawn with; each row sums to 1.

    Temperature is applied first, then top-k, top-p and min-p, each to the tokens still left.

    >>> logits_BV = np.log([[0.5, 0.3, 0.2]])
    >>> probabilities(logits_BV, Choice(temperature=1.0, top_k=2)).round(3).tolist()
    [[0.625, 0.375, 0.0]]
    >>> probabilities(logits_BV, Choice(temperature=0.0)).tolist()
    [[1.0, 0.0, 0.0]]
    """
    p_BV = _shares(logits_BV - logits_BV.max(axis=1, keepdims=True), choice)
    return p_BV / p_BV.sum(axis=1, keepdims=True)


def entropies(p_BV: Floats) -> Floats:
    """Return the entropy of each row in nats: how unsure these probabilities are.

    ``- sum of p log p``: the mean of ``-log p`` over what is drawn with them.

    >>> entropies(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])).round(4).tolist()
    [0.6931, 0.0]
    """
    logs_BV = np.log(p_BV, out=np.zeros_like(p_BV), where=p_BV > 0.0)
    return -(p_BV * logs_BV).sum(axis=1) + 0.0


def _shares(shifted_BV: Floats, choice: Choice) -> Floats:
    """Return `probabilities` up to a factor for each row; the largest logit of a row must be 0."""
    if choice.temperature == 0.0:
        return np.eye(shifted_BV.shape[1])[shifted_BV.argmax(axis=1)]
    with np.errstate(over="ignore"):  # a tiny temperature sends the others to -inf, as it should
        p_BV = np.exp(shifted_BV / choice.temperature)
    if choice.top_k is None and choice.top_p == 1.0 and choice.min_p == 0.0:
        return p_BV
    p_BV /= p_BV.sum(axis=1, keepdims=True)
    order_BV = np.argsort(-p_BV, axis=1, kind="stable")
    sorted_BV = np.take_along_axis(p_BV, order_BV, axis=1)
    if choice.top_k is not None:
        sorted_BV[:, choice.top_k :] = 0.0
    if choice.top_p < 1.0:
        # A token stays if those before it have not reached top_p yet: the first always stays.
        before_BV = np.cumsum(sorted_BV, axis=1) - sorted_BV
        sorted_BV[before_BV >= choice.top_p * sorted_BV.sum(axis=1, keepdims=True)] = 0.0
    sorted_BV[sorted_BV < choice.min_p * sorted_BV[:, :1]] = 0.0
    np.put_along_axis(p_BV, order_BV, sorted_BV, axis=1)
    return p_BV


def prompt_ids(tokenizer: Tokenizer, prompt: str, block_size: int) -> list[int]:
    """Return the ids of a prompt.

    Raises:
        UsageError: it has an unknown character, or does not fit the block.
    """
    ids: list[int] = known_ids(tokenizer, prompt, "prompt").tolist()
    if len(ids) >= block_size:
        raise UsageError(
            f"the prompt must be shorter than the block of {block_size}; "
            f"got {count(len(ids), 'token')}."
        )
    return ids


def samples(
    engine: Predictor, tokenizer: Tokenizer, block_size: int, choice: Choice
) -> Iterator[Sample]:
    """Yield samples endlessly; the caller takes as many as it needs.

    Raises:
        UsageError: the prompt has an unknown character, or does not fit the block.
    """
    prompt = prompt_ids(tokenizer, choice.prompt, block_size)
    rng = np.random.default_rng(choice.seed)
    # The first samples are drawn alone, so that they come at once; the later ones many at a time.
    rows, most = 1, min(ROWS, max(1, _POSITIONS // block_size))
    while True:
        yield from _draw(engine, tokenizer, choice, prompt, rng.random((rows, block_size)))
        rows = min(2 * rows, most)


def take(
    engine: Predictor, tokenizer: Tokenizer, block_size: int, choice: Choice, number: int
) -> list[Sample]:
    """Return the first `number` samples."""
    return list(islice(samples(engine, tokenizer, block_size, choice), number))


def _draw(
    engine: Predictor, tokenizer: Tokenizer, choice: Choice, prompt: list[int], uniform_BT: Floats
) -> list[Sample]:
    """Draw a sample for each row: token t of row b by the uniform number uniform_BT[b, t]."""
    B, T = uniform_BT.shape
    bos = tokenizer.bos
    decoder = engine.decoder(B)
    ids_BT = np.full((B, T), bos)
    next_B: NDArray[np.int64]
    nats_B, lengths_B = np.zeros(B), np.full(B, T)
    read_B = np.full(B, bos)
    going = cast("NDArray[np.intp]", np.arange(B))
    for t in range(T):
        shifted_BV = decoder.push(read_B)
        if len(going) < B:
            shifted_BV = shifted_BV[going]
        shifted_BV -= shifted_BV.max(axis=1, keepdims=True)
        if t < len(prompt):
            next_B = np.full(len(going), prompt[t])
        else:
            upto_BV = np.cumsum(_shares(shifted_BV, choice), axis=1)
            next_B = (upto_BV <= uniform_BT[going, t, None] * upto_BV[:, -1:]).sum(axis=1)
        ids_BT[going, t] = next_B
        nats_B[going] += _cross_entropy(shifted_BV, next_B)
        ended: NDArray[np.bool_] = next_B == bos
        lengths_B[going[ended]] = t + 1
        read_B[going] = np.where(ended, -1, next_B)
        going = cast("NDArray[np.intp]", np.flatnonzero(read_B >= 0))
        if not len(going):
            break
    ended_B = ids_BT[np.arange(B), lengths_B - 1] == bos
    texts = tokenizer.decode_many(ids_BT, (lengths_B - ended_B).tolist())
    sums = map(LossSum, nats_B.tolist(), lengths_B.tolist())
    return list(map(Sample, texts, sums, ["end" if e else "block" for e in ended_B.tolist()]))


def _cross_entropy(shifted_BV: Floats, targets_B: NDArray[np.int64]) -> Floats:
    """Return `loss.cross_entropy` of many rows at once: log_total - shifted[target]."""
    log_total_B = np.log(np.exp(shifted_BV).sum(axis=1))
    return log_total_B - shifted_BV[np.arange(len(targets_B)), targets_B]
