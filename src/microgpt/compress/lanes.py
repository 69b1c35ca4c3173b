"""Windows side by side: the same walk for what is known and for what is not known yet.

In: a model, and who codes. Out: tokens, each coded with what the model says after those before it.

The model begins each window anew, after the token before it, as in training. So that many windows
advance together on the way back too, they stand in *lanes*: each lane has its share of the windows,
in their order, and in each step a token of every lane is coded, lane after lane. A lane that begins
within a document, as in one long text, must be given the token before it. Both ways push the same
tokens in the same rows, and so see the same numbers to the last bit.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from microgpt.compress.coder import ArithmeticDecoder, ArithmeticEncoder
from microgpt.compress.fixed import intervals
from microgpt.data.batch import Batch
from microgpt.engines.contract import Floats, Predictor

Ints = NDArray[np.int64]
Rounds = Callable[[range], Iterable[int]]
"""Takes the rounds that there are, and yields them: what a progress bar does."""

# How many lanes; and how many positions, and how many probabilities, they may remember: memory is
# to stay small.
_LANES = 2048
_POSITIONS = 32_768
_PROBABILITIES = 2**20

# Positions of a lane that begins within a document, at least: its first token is a byte or
# two of the header.
_WORTH = 4096


def most_lanes(vocab_size: int, block_size: int) -> int:
    """Return how many lanes there may be."""
    return max(1, min(_LANES, _POSITIONS // block_size, _PROBABILITIES // vocab_size))


def first_tokens(batch: Batch, bos: int, most: int) -> Ints:
    """Choose the lanes for windows that are known; return the token before each.

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
    """Lanes of a model.

    Attributes:
        engine: the model.
        block_size: of its windows.
        bos: what ends a document.
        windows: in all lanes.
        firsts: the token before each lane.
    """

    engine: Predictor
    block_size: int
    bos: int
    windows: int
    firsts: Ints

    def walk(self, code: Callable[[Floats, Ints], Ints], rounds: Rounds = iter) -> None:
        """Advance all lanes to the end of their windows.

        Args:
            code: given the logits of some lanes and these lanes' numbers, answers the next tokens.
            rounds: a window of each lane is one round.
        """
        if not self.windows:
            return
        lanes = len(self.firsts)
        counts_B = np.diff(shares(self.windows, lanes))
        last_B: Ints = np.array(self.firsts)
        for number in rounds(range(int(counts_B.max()))):
            decoder = self.engine.decoder(lanes)
            read_B = np.where(counts_B > number, last_B, -1)
            for _ in range(self.block_size):
                going: Ints = np.flatnonzero(read_B >= 0).astype(np.int64)
                if not len(going):
                    break
                tokens = code(decoder.push(read_B)[going], going)
                last_B[going] = tokens
                read_B[going] = np.where(tokens == self.bos, -1, tokens)


class Writer:
    """Encodes windows that are known.

    Args:
        batch: the windows.
        lanes: in how many.

    Attributes:
        encoder: takes them in.
        nats: the losses, summed step by step.
    """

    def __init__(self, batch: Batch, lanes: int) -> None:
        self.encoder = ArithmeticEncoder()
        self.nats: list[float] = []
        self._targets_N = batch.targets_N
        self._at: Ints = batch.documents[shares(len(batch), lanes)[:-1]]  # a copy

    def code(self, logits: Floats, going: Ints) -> Ints:
        """Encode the next token of each lane that goes on."""
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
    """Decodes windows as they come.

    Args:
        code: of the arithmetic coder.
        lanes: how many.
        most: tokens in all; more are a ValueError.

    Attributes:
        decoder: gives them out.
        lanes: their tokens.
    """

    def __init__(self, code: bytes, lanes: int, most: int) -> None:
        self.decoder = ArithmeticDecoder(code)
        self.lanes: list[array[int]] = [array("i") for _ in range(lanes)]
        self._left = most

    def code(self, logits: Floats, going: Ints) -> Ints:
        """Decode the next token of each lane that goes on."""
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
    """Return where each lane's windows begin, and where the last one's end.

    >>> shares(5, 2)
    array([0, 2, 5])
    """
    # In Python's numbers: what a foreign header says may be large.
    return np.array([i * windows // lanes for i in range(lanes + 1)] if lanes else [0], np.int64)


def _before(batch: Batch, lanes: int) -> Ints:
    """Return what is read first in each lane."""
    starts = batch.documents[shares(len(batch), lanes)[:-1]]
    return batch.tokens_N[starts].astype(np.int64)
