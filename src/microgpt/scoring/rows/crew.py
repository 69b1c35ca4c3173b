"""Scores of much text: blocks are told by a process for each processor, in their order.

What waits is bounded, and so is memory. Processes and not threads: nearly half of the work is not
the model's, and Python does that on one thread at a time.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait
from threading import Thread

import numpy as np

from microgpt.data.reader.stream import BYTES, Block
from microgpt.errors import MicroGPTError
from microgpt.scoring.judge import Judge
from microgpt.scoring.price import Pricer
from microgpt.scoring.rows.forms import Form
from microgpt.scoring.rows.lines import Teller, Told

# So long is told alone: it takes a process as long to begin.
_SOON_SECONDS = 0.5


@dataclass(frozen=True)
class Order:
    """What a process needs to tell of blocks as its parent would.

    Attributes:
        open: makes the pricer, in whatever process calls it; it must be picklable.
        judge: says how rare a text is.
        form: of the rows.
        apart: whether rows are wanted one by one.
        encoding: of the output.
    """

    open: Callable[[], Pricer]
    judge: Judge
    form: Form
    apart: bool
    encoding: str

    def teller(self, pricer: Pricer) -> Teller:
        """Return what tells of blocks."""
        return Teller(pricer, self.judge, self.form, apart=self.apart, encoding=self.encoding)


def in_order(
    pricer: Pricer,
    order: Order,
    blocks: Iterable[Block],
    processes: int,
    say: Callable[[str], None],
) -> Iterator[Told]:
    """Yield what is told of blocks in their order, several worked on at once if there are many.

    Of a block that is small because no more had come, it is told before more is waited for.

    Args:
        pricer: of this process.
        order: what the others do.
        blocks: of texts.
        processes: at most so many.
        say: takes a sentence, where no other process can be begun.

    Raises:
        MicroGPTError: a process was killed.
    """
    waiting: deque[Future[Told]] = deque()
    crew: Crew | None = None
    teller, spent = order.teller(pricer), 0.0
    try:
        for block in blocks:
            if processes > 1 and not crew and spent > _SOON_SECONDS:
                crew = _crew(order, processes, say)
                processes = processes if crew else 1
            if not crew or not crew.ready:
                began = time.perf_counter()
                told = teller.tell(block)
                spent += time.perf_counter() - began
                yield told
                continue
            waiting.append(crew.tell(block))
            slow = sum(map(len, block.texts)) < BYTES // 8
            while len(waiting) > (0 if slow else 2 * processes):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise MicroGPTError(
            "a process that scores was ended from outside, perhaps for want of memory. "
            "Try --threads 1."
        ) from None
    finally:
        if crew:
            crew.end()


def _crew(order: Order, processes: int, say: Callable[[str], None]) -> Crew | None:
    """Return a crew; say why there is none where the system lets none be."""
    try:
        return Crew(order, processes)
    except (OSError, ImportError, NotImplementedError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        say(
            f"one process scores alone: others cannot be begun here ({why}). They need a /dev/shm "
            "that can be written to."
        )
    return None


class Crew:
    """Processes that tell of blocks; ready when the first one is."""

    def __init__(self, order: Order, processes: int) -> None:
        # Not forked: this process may have threads, and not all systems can.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(processes, context, _begin, (order,))
        # They must not take a Ctrl-C from their first moment on.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._first = [self._pool.submit(_nothing) for _ in range(processes)]
        except OSError:
            self.end()
            raise
        finally:
            signal.signal(signal.SIGINT, before)

    @property
    def ready(self) -> bool:
        """Whether one of them is there."""
        return self._first[0].done()

    def tell(self, block: Block) -> Future[Told]:
        """Let the next one that is free tell of a block."""
        # Mostly there is nothing but lines, and one text travels quicker than thousands.
        joined = "\n".join(block.texts)
        is_plain = not any(block.rows) and joined.count("\n") == len(block.texts) - 1
        return self._pool.submit(_tell, joined if is_plain else block)

    def end(self) -> None:
        """Let them go, once they have told what they are at."""
        self._pool.shutdown(cancel_futures=True)


_teller: list[Teller] = []


def _begin(order: Order) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    _teller[:] = [order.teller(order.open())]
    # Linux's malloc gives back what is free beyond twice the largest piece it was ever given back,
    # to fetch it again for the next block, page by page: a fifth of the time. See mallopt(3),
    # M_TRIM_THRESHOLD. No page of this piece is touched.
    np.empty(1 << 24, dtype=np.uint8)
    # What is there now stays: the collector need not look through it again and again.
    gc.freeze()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        wait([parent.sentinel])
        os._exit(1)


def _nothing() -> None:
    pass


def _tell(block: Block | str) -> Told:
    if isinstance(block, str):
        texts = block.split("\n")
        block = Block(texts, [None] * len(texts))
    return _teller[0].tell(block)
