"""Lanes: windows coded side by side, in the same order for compressing and decompressing.

In: a model, a function that encodes or decodes tokens. Out: tokens, each coded with the model's
probabilities after the tokens before it.

A later window of one long text begins with half a block of context, as in `data.windows`, which is
read again and not coded again. So that many windows advance together also while decoding, they are
divided among *lanes*: each lane has its share of the windows, in order; in each step one token of
every lane is coded, lane by lane. A lane that begins inside a document, as in one long text, needs
the token before it; its first window has no other context. Both directions push the same tokens in
the same rows, so that the probabilities are exactly equal.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.compress.cached import LaneCache
from microgpt.compress.coder import ArithmeticDecoder, ArithmeticEncoder
from microgpt.compress.fixed import intervals
from microgpt.counting.cache import TextCache
from microgpt.data.batch import Batch
from microgpt.engines.contract import Floats, Predictor

Ints = NDArray[np.int64]
Rounds = Callable[[range], Iterable[int]]
"""Iterates over the rounds of work, as a progress bar does."""

# The most lanes; the most positions in their caches, and probabilities in a step: they bound
# memory.
_LANES = 2048
_POSITIONS = 32_768
_PROBABILITIES = 2**20

# The fewest positions of a lane that begins inside a document: its first token takes a byte or two
# of the header.
_WORTH = 4096


def most_lanes(vocab_size: int, block_size: int) -> int:
    """Return the most lanes for a model of this size.

    >>> most_lanes(vocab_size=27, block_size=64), most_lanes(vocab_size=27, block_size=100_000)
    (512, 1)
    """
    return max(1, min(_LANES, _POSITIONS // block_size, _PROBABILITIES // vocab_size))


def first_tokens(batch: Batch, bos: int, most: int) -> Ints:
    """Choose the number of lanes for some windows; return the token before each lane.

    >>> from microgpt.data.batch import lay_out
    >>> first_tokens(lay_out([[0, 1], [2], [3]], bos=9, block_size=4).batch, bos=9, most=2)
    array([9, 9])
    """
    firsts = _before(batch, min(most, len(batch)))
    if (firsts != bos).any():
        firsts = _before(batch, min(len(firsts), 1 + batch.positions // _WORTH))
    return firsts


@dataclass(frozen=True)
class Lanes:
    """The lanes of a file.

    Attributes:
        engine: the model.
        block_size: the most positions of a window.
        bos: the id that ends a document.
        windows: how many windows all lanes have.
        firsts: the token before each lane.
        context: how many positions a later window of a document reads again.
        cache: of one long text; None: there is none.
    """

    engine: Predictor
    block_size: int
    bos: int
    windows: int
    firsts: Ints
    context: int
    cache: TextCache | None = None

    def walk(self, code: Callable[[Floats, Ints], Ints], rounds: Rounds = iter) -> None:
        """Code all windows of all lanes.

        Args:
            code: takes the logits of some lanes and the lanes' numbers; returns their next tokens.
            rounds: iterates over the rounds; in each, every lane codes one window.
        """
        if not self.windows:
            return
        lanes, context = len(self.firsts), self.context
        counts_B = np.diff(shares(self.windows, lanes))
        last_B: Ints = np.array(self.firsts)
        cached = LaneCache(self.cache, lanes) if self.cache else None
        context_CB = np.full((context, lanes), -1)
        for number in rounds(range(int(counts_B.max()))):
            decoder = self.engine.decoder(lanes)
            context_CB[:, (counts_B <= number) | (last_B == self.bos)] = -1
            for context_B in context_CB[(context_CB >= 0).any(axis=1)]:
                decoder.push(context_B)
            lengths_B = np.where(last_B == self.bos, self.block_size, self.block_size - context)
            read_B = np.where(counts_B > number, last_B, -1)
            read_TB: list[Ints] = []
            while len(going := np.flatnonzero(read_B >= 0).astype(np.int64)):
                read_TB.append(np.array(read_B))
                logits = decoder.push(read_B)[going]
                tokens = code(cached.mix(logits, going) if cached else logits, going)
                if cached:
                    cached.read(tokens, going)
                last_B[going] = tokens
                is_over = (tokens == self.bos) | (lengths_B[going] == len(read_TB))
                read_B[going] = np.where(is_over, -1, tokens)
            # The next window's context ends before the token that it reads first, `last_B`. Of a
            # lane whose document has ended, this is not used.
            rows_CB = np.maximum(lengths_B - context + np.arange(context)[:, None], 0)
            rows_CB = np.minimum(rows_CB, len(read_TB) - 1)
            context_CB = np.array(read_TB)[rows_CB, np.arange(lanes)]


class Writer:
    """Encodes the tokens of windows.

    Args:
        batch: what each window codes.
        lanes: how many lanes.

    Attributes:
        encoder: receives the tokens.
        nats: the sum of the losses of each step.
    """

    def __init__(self, batch: Batch, lanes: int) -> None:
        self.encoder = ArithmeticEncoder()
        self.nats: list[float] = []
        self._targets_N = batch.targets_N
        self._at: Ints = batch.documents[shares(len(batch), lanes)[:-1]]  # a copy

    def code(self, logits: Floats, going: Ints) -> Ints:
        """Encode the next token of each of these lanes, and return the tokens."""
        tokens = self._targets_N[self._at[going]].astype(np.int64)
        self._at[going] += 1
        upto, losses = intervals(logits)
        rows = np.arange(len(going))
        self.nats.append(math.fsum(losses[rows, tokens].tolist()))
        starts = upto[rows, tokens]
        sizes = upto[rows, tokens + 1] - starts
        put = self.encoder.put
        for start, size, total in zip(starts.tolist(), sizes.tolist(), upto[:, -1].tolist()):
            put(start, size, total)
        return tokens


class Reader:
    """Decodes the tokens of windows.

    Args:
        code: of the arithmetic coder.
        lanes: how many lanes.
        most: the most tokens in all; more raise ValueError.

    Attributes:
        decoder: decodes the code.
        lanes: the tokens of each lane.
    """

    def __init__(self, code: bytes, lanes: int, most: int) -> None:
        self.decoder = ArithmeticDecoder(code)
        self.lanes: list[array[int]] = [array("i") for _ in range(lanes)]
        self._left = most

    def code(self, logits: Floats, going: Ints) -> Ints:
        """Decode the next token of each of these lanes."""
        self._left -= len(going)
        if self._left < 0:
            raise ValueError("the text must not be longer than its header says.")
        upto, _ = intervals(logits)
        V = logits.shape[1]
        flat = np.ravel(upto).data
        at, take = self.decoder.at, self.decoder.take
        tokens: list[int] = []
        for first, total in zip(range(0, len(flat), V + 1), upto[:, -1].tolist()):
            place = bisect_right(flat, at(total), first, first + V) - 1
            take(flat[place], flat[place + 1] - flat[place])
            tokens.append(place - first)
        for lane, token in zip(going.tolist(), tokens):
            self.lanes[lane].append(token)  # pyright: ignore[reportUnknownMemberType]
        return np.array(tokens, dtype=np.int64)


def shares(windows: int, lanes: int) -> Ints:
    """Return the first window of each lane, and the number of windows.

    >>> shares(5, 2)
    array([0, 2, 5])
    """
    # In Python's integers: the numbers in a foreign header may overflow others.
    return np.array([i * windows // lanes for i in range(lanes + 1)] if lanes else [0], np.int64)


def _before(batch: Batch, lanes: int) -> Ints:
    """Return the token that each lane reads first."""
    starts = batch.documents[shares(len(batch), lanes)[:-1]]
    return batch.tokens_N[starts].astype(np.int64)
