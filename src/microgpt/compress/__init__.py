"""The loss is a code length: a file to as many bits as it surprises the model, and back.

In: a model and any file in its vocabulary. Out: bytes, as many as the sum of the losses in bits, at
most 8 more, and a header; and from these the file again, bit for bit, or a refusal.

The losses are those that `evaluate` reports. `text` makes documents of the file, `lanes` walks
through their windows, `fixed` makes whole numbers of what the model says, `coder` bytes of these,
`container` a file; `identity` knows who can read it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from microgpt.compress.container import Header, digest, pack, unpack
from microgpt.compress.identity import Identity
from microgpt.compress.lanes import Lanes, Reader, Rounds, Writer, first_tokens, most_lanes
from microgpt.compress.text import documents, put_together, take_apart, text_of
from microgpt.config import GPTConfig
from microgpt.data.batch import lay_out
from microgpt.data.tokenizer import Tokenizer
from microgpt.engines.contract import Predictor
from microgpt.errors import DataError
from microgpt.loss import LN_2, LossSum

SLACK = 8
"""How many bytes a code is longer than its losses, at most: one that the coder may add at its end,
and what the fixed point loses, which is under 7 in 10^11 tokens of 65,536 kinds."""


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
        predictor: the model.
        tokenizer: its own.
        config: its shape.
        identity: tells who computes, when it is asked for.
        stream: whether a file is one document; else each of its lines is.
    """

    def __init__(
        self,
        predictor: Predictor,
        tokenizer: Tokenizer,
        config: GPTConfig,
        identity: Callable[[], Identity],
        *,
        stream: bool = False,
    ) -> None:
        self._predictor, self._tokenizer, self._config = predictor, tokenizer, config
        self._identity, self._stream = identity, stream
        self._most_lanes = most_lanes(config.vocab_size, config.block_size)

    @cached_property
    def identity(self) -> Identity:
        """Who computes."""
        return self._identity()

    def compress(self, data: bytes, name: str = "data", rounds: Rounds = iter) -> Compressed:
        """Return the compressed file.

        Args:
            data: the file.
            name: what a message calls it.
            rounds: takes the rounds of work and yields them.

        Raises:
            UsageError, DataError: it has what the vocabulary lacks.
        """
        form, text = take_apart(data, stream=self._stream)
        encoded = documents(text, self._tokenizer, name, stream=self._stream)
        bos, block_size = self._tokenizer.bos, self._config.block_size
        batch = lay_out(encoded, bos, block_size).batch
        firsts = first_tokens(batch, bos, self._most_lanes)
        writer = Writer(batch, len(firsts))
        Lanes(self._predictor, block_size, bos, len(batch), firsts).walk(writer.code, rounds)
        code = writer.encoder.finish()
        header = Header(
            identity=self.identity,
            content=digest(data),
            form=form,
            size=len(data),
            windows=len(batch),
            lanes=len(firsts),
            firsts=tuple(firsts.tolist()) if (firsts != bos).any() else (),
        )
        packed = pack(header, code)
        total = LossSum(math.fsum(writer.nats), batch.positions)
        return Compressed(packed, len(packed) - len(code), total)

    def decompress(self, data: bytes, name: str = "data", rounds: Rounds = iter) -> bytes:
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
        wrong = DataError(
            f"{name}: what comes out must be what went in; got something else, though the file is "
            "whole. Try the machine it was made on."
        )
        bos, most = self._tokenizer.bos, max(header.firsts, default=0)
        if header.lanes > self._most_lanes or most >= self._config.vocab_size:
            raise wrong
        firsts = np.array(header.firsts or [bos] * header.lanes, dtype=np.int64)
        # Every token is a byte of the file at least; but one that no byte is: the last end.
        reader = Reader(code, header.lanes, header.size + 1)
        lanes = Lanes(self._predictor, self._config.block_size, bos, header.windows, firsts)
        try:
            lanes.walk(reader.code, rounds)
        except ValueError:
            raise wrong from None
        ids = (token for lane in reader.lanes for token in lane)
        file = put_together(header.form, text_of(ids, self._tokenizer, stream=self._stream))
        told = (header.size, header.content)
        if not reader.decoder.spent or (len(file), digest(file)) != told:
            raise wrong
        return file
