"""What is computed of a portion of text, by one of several processes: characters, or token ids.

In: texts. Out: their characters' counts; or a `Made`, the arrays of a shard. Results come in the
order of the portions, and a bounded number of portions is in progress.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from microgpt import schema
from microgpt.data import tokenizer
from microgpt.data.decoded import Hashes
from microgpt.data.encoded import Ids, Offsets
from microgpt.data.shards import SPLITS, Split
from microgpt.data.split import hashes
from microgpt.data.store import dtype_of
from microgpt.data.texts import Texts
from microgpt.data.tokenizer import Characters, Tokenizer, encode_all
from microgpt.engines.machine import end_with_parent
from microgpt.errors import DataError, MicroGPTError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Arrays:
    """The documents of a portion in one split.

    Attributes:
        tokens: the ids of each document, BOS behind each.
        offsets: the position behind each document.
        hashes: of each document.
    """

    tokens: Ids
    offsets: Offsets
    hashes: Hashes


@dataclass(frozen=True, eq=False)
class Made:
    """A portion as token ids: its arrays by split, and how much text it was."""

    splits: dict[Split, Arrays]
    characters: int
    bytes: int


def characters(texts: Texts) -> Characters:
    """Count the characters of texts."""
    return Characters.of(texts)


def encoded(texts: Texts) -> Made:
    """Encode texts, by the tokenizer and the share to hold out that this process began with.

    Raises:
        DataError: a character is unknown: the text is not the one whose characters were counted.
    """
    tokens, holdout = _own[0]
    own, splits = hashes(texts), dict[Split, Arrays]()
    is_held = own.astype(np.float64) / 2.0**64 < holdout
    for split, which in zip(SPLITS, (~is_held, is_held)):
        some = texts.take(np.flatnonzero(which)) if holdout else texts[: len(texts) * which[0]]
        ids = encode_all(tokens, some)
        if ids.stream.dtype.kind == "i" and len(ids.stream) and ids.stream.min() < 0:
            raise DataError("the files must stay as they are while they are read; one has changed.")
        stream = ids.stream[1:].astype(dtype_of(tokens), copy=False)
        splits[split] = Arrays(stream, ids.offsets[1:], own[which])
    return Made(splits, texts.characters, int(texts.sizes.sum()))


class Encoders:
    """Processes that compute; one alone is this process.

    Args:
        number: how many.
        tokens: the tokenizer that `encoded` uses; None: it is not asked for.
        holdout: the share of documents that it holds out.
    """

    def __init__(self, number: int, tokens: Tokenizer | None = None, holdout: float = 0.0) -> None:
        self._number, self._holdout = number, holdout
        self._tokens = tokens

    def map(
        self, work: Callable[[Texts], R], items: Iterable[tuple[T, Texts]]
    ) -> Iterator[tuple[T, R]]:
        """Yield each item's label and what was computed of its texts, in order.

        Raises:
            MicroGPTError: a process was killed.
        """
        if self._number == 1:
            _begin_here(self._tokens, self._holdout)
            for label, texts in items:
                yield label, work(texts)
            return
        written = None if self._tokens is None else schema.encode(self._tokens.to_json())
        waiting: deque[tuple[T, Future[R]]] = deque()
        pool = _started(self._number, written, self._holdout)
        try:
            for label, texts in items:
                waiting.append((label, pool.submit(work, texts)))
                while len(waiting) > self._number:
                    label, future = waiting.popleft()
                    yield label, future.result()
            for label, future in waiting:
                yield label, future.result()
        except BrokenProcessPool:
            raise MicroGPTError(
                "a process that encodes was ended from outside, perhaps for want of memory. The "
                "same command goes on; try --processes 1."
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


# The tokenizer and the share to hold out of a process, set when it starts.
_own: list[tuple[Any, float]] = []


def _started(number: int, written: bytes | None, holdout: float) -> ProcessPoolExecutor:
    # Not forked: this process may have threads, and some systems cannot fork.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(number, context, _begin, (written, holdout))
    # They inherit that Ctrl-C is ignored: this process ends them.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        for _ in range(number):
            pool.submit(_nothing)
    finally:
        signal.signal(signal.SIGINT, before)
    return pool


def _begin(written: bytes | None, holdout: float) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    # One thread of Hugging Face's library each: there is a process for every processor.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    tokens = None if written is None else tokenizer.from_json(schema.parse(written))
    _begin_here(tokens, holdout)


def _begin_here(tokens: Tokenizer | None, holdout: float) -> None:
    _own[:] = [(tokens, holdout)]


def _nothing() -> None:
    pass
