"""Compression with a model: the loss is a code length.

In: a model and any file in its vocabulary. Out: the compressed file: a code as long as the sum of
the losses in bits plus at most 8 bytes, and a header; and from it the original file, bit for bit,
or an error.

The losses are those that `evaluate` reports, but for the first window of a lane that begins inside
a document, and for the cache, which knows what all lanes have coded instead of all that stands
before. `text` makes documents of the file, `lanes` goes through their windows, `fixed` makes
integers of the probabilities, `coder` makes bytes of these, `container` makes a file of the bytes;
`identity` says which model, build and machine can decompress it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from microgpt.compress.container import Header, digest, pack, unpack
from microgpt.compress.identity import Identity
from microgpt.compress.lanes import Lanes, Reader, Rounds, Writer, first_tokens, most_lanes
from microgpt.compress.text import documents, put_together, take_apart, text_of
from microgpt.config import GPTConfig
from microgpt.counting.cache import TextCache
from microgpt.data.batch import whole
from microgpt.data.encoded import Offsets
from microgpt.data.history import MOST
from microgpt.data.tokenizer import Tokenizer
from microgpt.data.windows import APART, overlapping, windows
from microgpt.engines.contract import Predictor
from microgpt.errors import DataError
from microgpt.loss import LN_2, LossSum

SLACK = 8
"""The most bytes by which a code exceeds its losses: one byte at the end, and what the fixed point
loses, which is under 7 bytes in 10^11 tokens with a vocabulary of 65,536."""


@dataclass(frozen=True)
class Compressed:
    """A compressed file.

    Attributes:
        data: the whole file.
        header: how many bytes of it are the header.
        sum: the losses of the original file.
    """

    data: bytes
    header: int
    sum: LossSum

    @property
    def ideal(self) -> float:
        """The sum of the losses, in bytes."""
        return self.sum.nats / LN_2 / 8


class Codec:
    """Compresses and decompresses with a model.

    Args:
        predictor: the model.
        tokenizer: its tokenizer.
        config: its shape.
        identity: returns the model's identity; called when it is first needed.
        stream: whether a file is one document; otherwise each line is a document.
        cache: of a long document, if the model has one.
    """

    def __init__(
        self,
        predictor: Predictor,
        tokenizer: Tokenizer,
        config: GPTConfig,
        identity: Callable[[], Identity],
        *,
        stream: bool = False,
        cache: TextCache | None = None,
    ) -> None:
        self._predictor, self._tokenizer, self._config = predictor, tokenizer, config
        self._identity, self._stream, self._cache = identity, stream, cache
        self._most_lanes = most_lanes(config.vocab_size, config.block_size)

    @cached_property
    def identity(self) -> Identity:
        """The model, build and processor that compute."""
        return self._identity()

    def compress(self, data: bytes, name: str = "data", rounds: Rounds = iter) -> Compressed:
        """Return the compressed file.

        Args:
            data: the file.
            name: the file's name in messages.
            rounds: iterates over the rounds of work, for a progress bar.

        Raises:
            UsageError, DataError: the file has an unknown character.
        """
        form, text = take_apart(data, stream=self._stream)
        encoded = documents(text, self._tokenizer, name, stream=self._stream)
        bos, texts = self._tokenizer.bos, whole(encoded)
        batch = replace(texts, documents=self._windows(texts.documents))
        firsts = first_tokens(batch, bos, self._most_lanes)
        writer = Writer(batch, len(firsts))
        self._lanes(len(batch), firsts).walk(writer.code, rounds)
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
        """Return the original file.

        Args:
            data: the compressed file.
            name: its name in messages.
            rounds: iterates over the rounds of work, for a progress bar.

        Raises:
            DataError: the file is damaged, or made by another run, build or machine.
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
        # Every token is at least one byte of the file, except the end of the last document.
        reader = Reader(code, header.lanes, header.size + 1)
        lanes = self._lanes(header.windows, firsts)
        try:
            lanes.walk(reader.code, rounds)
        except ValueError:
            raise wrong from None
        ids = (token for lane in reader.lanes for token in lane)
        file = put_together(header.form, text_of(ids, self._tokenizer, stream=self._stream))
        expected = (header.size, header.content)
        if not reader.decoder.spent or (len(file), digest(file)) != expected:
            raise wrong
        return file

    def _windows(self, documents: Offsets) -> Offsets:
        """Split documents, given by offsets; only windows of one long text overlap.

        Of a document among others it is not known, while decompressing, how long it will be.
        """
        if self._stream:
            return overlapping(documents, self._config.block_size)[0]
        return windows(documents, self._config.block_size)

    def _lanes(self, n_windows: int, firsts: NDArray[np.int64]) -> Lanes:
        """Return the lanes of so many windows; more than APART of one text overlap."""
        block_size = self._config.block_size
        is_long = self._stream and n_windows > APART
        context = block_size // 2 if is_long else 0
        # Nearly as for `History`: how many positions there are is not known while decompressing.
        is_cached = is_long and n_windows * (block_size - context) <= MOST
        return Lanes(
            self._predictor,
            block_size,
            self._tokenizer.bos,
            n_windows,
            firsts,
            context,
            self._cache if is_cached else None,
        )
