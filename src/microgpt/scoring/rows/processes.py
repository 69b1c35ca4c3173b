"""The rows of many blocks, written by a process for each processor, in the order of the blocks.

In: blocks of texts. Out: their rows. The number of blocks in progress is bounded, and so is memory.
Processes, not threads: a quarter of the work is Python's, which runs in one thread at a time.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np

from microgpt.data.reader.block import Block, LeftOut
from microgpt.data.reader.stream import BYTES
from microgpt.data.texts import Buffer, Offsets, Texts
from microgpt.engines.machine import end_with_parent
from microgpt.errors import MicroGPTError
from microgpt.scoring.price import Pricer
from microgpt.scoring.rows.forms import BlockWriter, WrittenRows

# This process works alone for this long before it starts others: starting takes about as long.
_ALONE_SECONDS = 0.5


Opener = Callable[[], Pricer]
"""Opens the pricer in the process that calls it; it must be picklable."""


def in_order(
    pricer: Pricer,
    writer: BlockWriter,
    opener: Opener,
    blocks: Iterable[Block],
    most: int,
    warn: Callable[[str], None],
) -> Iterator[WrittenRows]:
    """Yield the rows of blocks in their order; if there are many, several processes work on them.

    A small block means that a pipe had no more text yet: its rows are yielded before the next block
    is read.

    Args:
        pricer: of this process.
        writer: of the rows.
        opener: opens the pricer of another process.
        blocks: of texts.
        most: the most processes.
        warn: receives a sentence if no other process can be started.

    Raises:
        MicroGPTError: a process was killed.
    """
    waiting: deque[Future[WrittenRows]] = deque()
    processes: Processes | None = None
    spent = 0.0
    try:
        for block in blocks:
            if most > 1 and not processes and spent > _ALONE_SECONDS:
                processes = _started(writer, opener, most, warn)
                most = most if processes else 1
            if not processes or not processes.ready:
                began = time.perf_counter()
                rows = writer.write(pricer, block)
                spent += time.perf_counter() - began
                yield rows
                continue
            waiting.append(processes.write(block))
            is_slow = Texts.of(block.texts).buffer.size < BYTES // 8
            while len(waiting) > (0 if is_slow else 2 * most):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        raise MicroGPTError(
            "a process that scores was ended from outside, perhaps for want of memory. "
            "Try --threads 1."
        ) from None
    finally:
        if processes:
            processes.end()


def _started(
    writer: BlockWriter, opener: Opener, most: int, warn: Callable[[str], None]
) -> Processes | None:
    """Start processes; if the system allows none, warn why and return None."""
    try:
        return Processes(writer, opener, most)
    except (OSError, ImportError, NotImplementedError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        warn(
            f"one process scores alone: others cannot be begun here ({why}). They need a /dev/shm "
            "that can be written to."
        )
    return None


class Processes:
    """Processes that write rows."""

    def __init__(self, writer: BlockWriter, opener: Opener, number: int) -> None:
        # Not forked: this process may have threads, and some systems cannot fork.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(number, context, _begin, (writer, opener))
        # They inherit that Ctrl-C is ignored: this process ends them.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._first = [self._pool.submit(_nothing) for _ in range(number)]
        except OSError:
            self.end()
            raise
        finally:
            signal.signal(signal.SIGINT, before)

    @property
    def ready(self) -> bool:
        """Whether a process has started."""
        return self._first[0].done()

    def write(self, block: Block) -> Future[WrittenRows]:
        """Let the next free process write the rows of a block."""
        # A block of plain lines, the usual case, is sent as its bytes: quicker than thousands.
        if any(block.rows) or not isinstance(block.texts, Texts):
            return self._pool.submit(_write, block)
        others = block.numbers, block.left_out, block.file
        return self._pool.submit(_write_texts, block.texts.buffer, block.texts.starts, *others)

    def end(self) -> None:
        """End the processes, once they have finished their current blocks."""
        self._pool.shutdown(cancel_futures=True)


# The row writer and the pricer of a process, made when it starts.
_own: list[tuple[BlockWriter, Pricer]] = []


def _begin(writer: BlockWriter, opener: Opener) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    _own[:] = [(writer, opener())]
    # Freeing a large array raises glibc's M_TRIM_THRESHOLD (mallopt(3)) to twice its size.
    # Otherwise malloc returns the memory of each block to the system and fetches it again, page by
    # page: a fifth of the time. The pages of this array are never touched.
    np.empty(1 << 24, dtype=np.uint8)
    # Existing objects live as long as the process: the garbage collector can skip them.
    gc.freeze()


def _nothing() -> None:
    pass


def _write_texts(
    buffer: Buffer,
    starts: Offsets,
    numbers: Sequence[int],
    left_out: Sequence[LeftOut],
    file: str,
) -> WrittenRows:
    texts = Texts(buffer, starts)
    rows = [None] * len(texts)
    return _write(Block(texts, rows, numbers=numbers, left_out=left_out, file=file))


def _write(block: Block) -> WrittenRows:
    writer, pricer = _own[0]
    return writer.write(pricer, block)
