"""The loss is a code length: a file to as many bits as it surprises the model, and back.

In: a model and any file in its vocabulary. Out: bytes, as many as the sum of the losses in bits, at
most 8 more, and a header; and from these the file again, bit for bit, or a refusal.

A window's losses are those that `evaluate` reports: the model begins each window anew, after the
token before it. So that many windows advance side by side on the way back too, where what comes is
not known yet, they stand in *lanes*: lane after lane has its share of the windows, in their order,
and a symbol is coded for each lane in turn. A lane that begins within a document, as in one long
text, has the token before it in the header. Both ways walk the same lanes in the same steps and so
see the same numbers.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from microgpt.batch import Batch, lay_out
from microgpt.compress.coder import Decoder, Encoder
from microgpt.compress.container import WHOLE, Header, digest, pack, unpack
from microgpt.compress.fixed import cumulated
from microgpt.compress.identity import Identity
from microgpt.compress.text import documents, put_together, take_apart, text_of
from microgpt.config import GPTConfig
from microgpt.engines.contract import Engine, Floats
from microgpt.errors import DataError
from microgpt.loss import LN_2, LossSum
from microgpt.tokenizer import Tokenizer

Ints = NDArray[np.int64]
Rounds = Callable[[range], Iterable[int]]
"""Takes the rounds that there are, and yields them: what a progress bar does."""

SLACK = 8
"""How many bytes the code is longer than the losses, at most."""

MOST_LANES = 2048
# How many positions, and how many probabilities, the lanes may remember: memory is to stay small.
_POSITIONS = 32_768
_PROBABILITIES = 2**20
# Where lanes begin within documents, each has so many positions at least: its first token is a byte
# or two of the header.
_WORTH = 4096


@dataclass(frozen=True)
class Compressed:
    """A compressed file.

    Attributes:
        data: all of it.
        header: how many of its bytes are not code.
        sum: the losses of what was compressed.
    """

    data: bytes
    header: int
    sum: LossSum

    @property
    def ideal(self) -> float:
        """The bytes that the losses come to."""
        return self.sum.nats / LN_2 / 8


class Codec:
    """Compresses with a model, and decompresses.

    Args:
        engine: the model.
        tokenizer: its own.
        config: its shape.
        stream: whether a file is one document; else each of its lines is.
    """

    def __init__(
        self, engine: Engine, tokenizer: Tokenizer, config: GPTConfig, *, stream: bool = False
    ) -> None:
        self._engine, self._tokenizer, self._config = engine, tokenizer, config
        self._stream = stream

    @cached_property
    def identity(self) -> Identity:
        """Who computes."""
        return Identity.of(self._engine, self._tokenizer, self._config)

    def compress(self, data: bytes, name: str = "data", rounds: Rounds | None = None) -> Compressed:
        """Return the compressed file.

        Args:
            data: the file.
            name: what a message calls it.
            rounds: takes the rounds of work and yields them.

        Raises:
            UsageError, DataError: it has what the vocabulary lacks.
        """
        form, text = take_apart(data, stream=self._stream)
        tokenizer = self._tokenizer
        encoded = documents(text, tokenizer, name, stream=self._stream)
        batch = lay_out(encoded, tokenizer.bos, self._config.block_size).batch
        firsts = self._firsts(batch)
        writer = _Writer(batch, len(firsts))
        self._walk(len(batch), firsts, writer.code, rounds)
        code = writer.encoder.finish()
        header = Header(
            identity=self.identity,
            content=digest(data),
            form=form,
            size=len(data),
            windows=len(batch),
            lanes=len(firsts),
            firsts=tuple(firsts.tolist()) if (firsts != tokenizer.bos).any() else (),
        )
        packed = pack(header, code)
        total = LossSum(math.fsum(writer.nats), batch.positions)
        return Compressed(packed, len(packed) - len(code), total)

    def decompress(self, data: bytes, name: str = "data", rounds: Rounds | None = None) -> bytes:
        """Return the file that was compressed.

        Args:
            data: what `compress` has made.
            name: what a message calls it.
            rounds: takes the rounds of work and yields them.

        Raises:
            DataError: it is damaged, or made by another run, build or machine.
        """
        header, code = unpack(data, name)
        self.identity.check(header.identity, name)
        wrong = DataError(f"{name}: damaged: what comes out is not what went in. {WHOLE}")
        if header.lanes > self._most_lanes or max(header.firsts, default=0) >= self._V:
            raise wrong
        firsts = np.array(header.firsts or [self._tokenizer.bos] * header.lanes, dtype=np.int64)
        reader = _Reader(code, header.lanes, header.size + 1)
        try:
            self._walk(header.windows, firsts, reader.code, rounds)
        except ValueError:
            raise wrong from None
        ids_N = np.concatenate([np.zeros(0, np.int64), *map(np.asarray, reader.lanes)])
        text = text_of(ids_N, self._tokenizer, stream=self._stream)
        file = put_together(header.form, text)
        if not reader.decoder.spent or digest(file) != header.content:
            raise wrong
        return file

    @property
    def _V(self) -> int:
        return self._tokenizer.vocab_size

    @property
    def _most_lanes(self) -> int:
        fit = min(_POSITIONS // self._config.block_size, _PROBABILITIES // self._V)
        return max(1, min(MOST_LANES, fit))

    def _firsts(self, batch: Batch) -> Ints:
        """Return the token before each lane: BOS where documents are short and many."""
        firsts = _before(batch, min(self._most_lanes, len(batch)))
        if (firsts != self._tokenizer.bos).any():
            firsts = _before(batch, min(len(firsts), 1 + batch.positions // _WORTH))
        return firsts

    def _walk(
        self,
        windows: int,
        firsts: Ints,
        code: Callable[[Floats, Ints], Ints],
        rounds: Rounds | None,
    ) -> None:
        """Advance all lanes through their windows; `code` tells the tokens that come next.

        Args:
            windows: in all lanes.
            firsts: the token before each lane.
            code: of the logits of some lanes, and these lanes' numbers, the next tokens.
            rounds: a window of each lane is one round.
        """
        if not windows:
            return
        bos, lanes = self._tokenizer.bos, len(firsts)
        counts = np.diff(_shares(windows, lanes))
        last: Ints = np.array(firsts)
        every = range(int(counts.max()))
        for number in every if rounds is None else rounds(every):
            decoder = self._engine.decoder(lanes)
            read = np.where(counts > number, last, -1)
            for _ in range(self._config.block_size):
                going: Ints = np.flatnonzero(read >= 0).astype(np.int64)
                if not len(going):
                    break
                tokens = code(decoder.push(read)[going], going)
                last[going] = tokens
                read[going] = np.where(tokens == bos, -1, tokens)


class _Writer:
    """Encodes documents that are known."""

    def __init__(self, batch: Batch, lanes: int) -> None:
        self.encoder = Encoder()
        self.nats: list[float] = []
        self._targets_N = batch.targets_N
        self._at: Ints = batch.documents[_shares(len(batch), lanes)[:-1]]  # a copy

    def code(self, logits: Floats, going: Ints) -> Ints:
        """Encode the next token of each lane that goes on."""
        tokens = self._targets_N[self._at[going]].astype(np.int64)
        self._at[going] += 1
        intervals, losses = cumulated(logits)
        rows = np.arange(len(going))
        self.nats.append(math.fsum(losses[rows, tokens].tolist()))
        starts = intervals[rows, tokens]
        sizes = intervals[rows, tokens + 1] - starts
        put = self.encoder.put
        for start, size, total in zip(starts.tolist(), sizes.tolist(), intervals[:, -1].tolist()):
            put(start, size, total)
        return tokens


class _Reader:
    """Decodes documents as they come.

    Args:
        code: of the arithmetic coder.
        lanes: how many.
        most: tokens; more are a ValueError.
    """

    def __init__(self, code: bytes, lanes: int, most: int) -> None:
        self.decoder = Decoder(code)
        self.lanes: list[array[int]] = [array("q") for _ in range(lanes)]
        self._left = most

    def code(self, logits: Floats, going: Ints) -> Ints:
        """Decode the next token of each lane that goes on."""
        self._left -= len(going)
        if self._left < 0:
            raise ValueError
        intervals, _ = cumulated(logits)
        V = logits.shape[1]
        flat = memoryview(intervals.reshape(-1))  # type: ignore[arg-type]
        at, take = self.decoder.at, self.decoder.take
        tokens: list[int] = []
        for first, total in zip(range(0, len(flat), V + 1), intervals[:, -1].tolist()):
            place = bisect_right(flat, at(total), first, first + V) - 1
            take(flat[place], flat[place + 1] - flat[place])
            tokens.append(place - first)
        for lane, token in zip(going.tolist(), tokens):
            self.lanes[lane].append(token)
        return np.array(tokens, dtype=np.int64)


def _shares(windows: int, lanes: int) -> Ints:
    """Return where each lane's windows begin, and where the last one's end."""
    return np.arange(lanes + 1, dtype=np.int64) * windows // max(lanes, 1)


def _before(batch: Batch, lanes: int) -> Ints:
    """Return what is read first in each lane."""
    starts = batch.documents[_shares(len(batch), lanes)[:-1]]
    return batch.tokens_N[starts].astype(np.int64)
