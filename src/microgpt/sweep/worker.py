"""Processes that train what they are sent, one a core, and live as long as the sweep.

In: a sweep's settings and documents, once; then trials. Out: what they report, as it comes. A
worker waits for no answer: it goes on until it is told that its trial is given up.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from microgpt.data.corpus import Corpus
from microgpt.errors import DivergedError, SweepError, UsageError
from microgpt.sweep.knob import Value
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.trainer import Report, TrialTrainer


@dataclass(frozen=True)
class Failed:
    """A trial that came to nothing.

    Attributes:
        why: in a sentence.
        diverged: whether its loss became no number; else the values make no model.
    """

    why: str
    diverged: bool = False


Message = Report | Failed | None
"""What a worker tells of its trial; None: it was given up, as asked; or is ready for the first."""


def work(connection: Connection, settings: SweepSettings, data: Corpus) -> None:
    """Train trial after trial, until the other end is closed or the process is told to go."""
    # What a terminal sends to everyone is for the one who began this.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    trainer = TrialTrainer(settings, data)
    try:
        connection.send(None)
        while True:
            values: Mapping[str, Value] | None = connection.recv()
            if values is not None:  # else a trial was given up that had just ended
                _train(connection, trainer, values)
    except (EOFError, OSError):
        pass  # the sweep has ended, however it did


def _train(connection: Connection, trainer: TrialTrainer, values: Mapping[str, Value]) -> None:
    try:
        for report in trainer.run(values):
            connection.send(report)
            if report.percent < 100 and connection.poll():
                connection.recv()
                connection.send(None)
                return
    except DivergedError as error:
        connection.send(Failed(str(error), diverged=True))
    except (UsageError, MemoryError) as error:
        connection.send(Failed(str(error) or "not enough memory"))


@dataclass(eq=False)
class Worker:
    """The near end of a process.

    Attributes:
        ready: whether it has read the documents.
        trial: what it trains, by the number it was given; None: it waits.
    """

    process: BaseProcess
    connection: Connection
    ready: bool = False
    trial: int | None = None


@dataclass
class Workers:
    """So many processes, all of which know the documents.

    Use it in a `with`: they end with it, at once, whatever they are at.
    """

    settings: SweepSettings
    data: Corpus
    number: int
    all: list[Worker] = field(default_factory=list[Worker])

    def __enter__(self) -> Workers:
        # They must not take a Ctrl-C from their first moment on.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            for _ in range(self.number):
                self._start()
        finally:
            signal.signal(signal.SIGINT, before)
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.all:
            worker.connection.close()
            worker.process.terminate()
        for worker in self.all:
            worker.process.join()
        self.all.clear()

    def _start(self) -> None:
        # Not forked: this process may have threads, and not all systems can.
        context = multiprocessing.get_context("spawn")
        near, far = context.Pipe()
        process = context.Process(target=work, args=(far, self.settings, self.data), daemon=True)
        process.start()
        far.close()
        self.all.append(Worker(process, near))

    @property
    def waiting(self) -> list[Worker]:
        """Those that are ready and have no trial."""
        return [worker for worker in self.all if worker.ready and worker.trial is None]

    @property
    def busy(self) -> bool:
        """Whether something is to be heard of."""
        return any(not worker.ready or worker.trial is not None for worker in self.all)

    def give(self, worker: Worker, trial: int, values: Mapping[str, Value]) -> None:
        """Let a waiting worker train a trial."""
        worker.trial = trial
        self._send(worker, dict(values))

    def give_up(self, worker: Worker) -> None:
        """Let a worker stop its trial, which then tells None."""
        self._send(worker, None)

    def messages(self, seconds: float) -> Iterator[tuple[Worker, Message]]:
        """Yield what has come, waiting at most so long for something.

        Raises:
            SweepError: a worker is no more.
        """
        by_connection = {worker.connection: worker for worker in self.all}
        for connection in wait(list(by_connection), max(0.0, seconds)):
            worker = by_connection[connection]  # type: ignore[index]
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                raise self._lost(worker) from None
            if worker.ready:
                yield worker, message
            worker.ready = True

    def _send(self, worker: Worker, words: Any) -> None:
        try:
            worker.connection.send(words)
        except OSError:
            raise self._lost(worker) from None

    def _lost(self, worker: Worker) -> SweepError:
        worker.process.join(1.0)
        return SweepError(
            f"a worker ended by itself (code {worker.process.exitcode}): killed, perhaps for want "
            "of memory. Try fewer --jobs or smaller models; all finished trials are kept."
        )
