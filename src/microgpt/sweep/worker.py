"""Worker processes that train trials, one on each core, as long as the sweep lasts.

In: a sweep's settings and documents, once; then trials. Out: their reports. A worker does not wait
for answers: it trains until it receives the message that its trial is pruned.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

from microgpt.data.corpus import Corpus
from microgpt.errors import DivergedError, SweepError, UsageError
from microgpt.sweep.knob import Value
from microgpt.sweep.settings import SweepSettings
from microgpt.sweep.trainer import Report, TrialTrainer


@dataclass(frozen=True)
class Failed:
    """A trial that could not be trained to its end.

    Attributes:
        why: in a sentence.
        diverged: whether its loss became infinite or NaN; else its values were refused, or did not
            fit in memory.
    """

    why: str
    diverged: bool = False


Message = Report | Failed | None
"""What a worker sends: a report, a failure, or None: it has pruned its trial as asked, or is ready
for its first one."""


def work(connection: Connection, settings: SweepSettings, data: Corpus) -> None:
    """Train trials until the other end of the connection is closed, or the process is ended."""
    # A terminal sends Ctrl-C to all processes: the main process handles it.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    trainer = TrialTrainer(settings, data)
    try:
        connection.send(None)
        while True:
            values: Mapping[str, Value] | None = connection.recv()
            if values is not None:  # None: the request to prune a trial that had just ended
                _train(connection, trainer, values)
    except (EOFError, OSError):
        pass  # the sweep has ended


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


@contextmanager
def _without_main() -> Generator[None]:
    """Hide the program from the processes it starts, which would run it again to import it.

    A worker needs nothing of it; and a script that calls `microgpt.study` need not guard its lines
    by `if __name__ == "__main__"`.
    """
    own = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = own


@dataclass(eq=False)
class Worker:
    """A worker process as the sweep sees it.

    Attributes:
        process: the process.
        connection: to it.
        ready: whether it has received the documents.
        trial: the number of the trial that it trains; None: it is idle.
    """

    process: BaseProcess
    connection: Connection
    ready: bool = False
    trial: int | None = None


@dataclass
class Workers:
    """Some worker processes, all of which have the documents.

    Use it in a `with` statement, whose end terminates them at once.
    """

    settings: SweepSettings
    data: Corpus
    number: int
    all: list[Worker] = field(default_factory=list[Worker])

    def __enter__(self) -> Workers:
        # Workers inherit this: Ctrl-C must not end them before they ignore it themselves.
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
        # Not forked: this process may have threads, and not all systems can fork.
        context = multiprocessing.get_context("spawn")
        near, far = context.Pipe()
        process = context.Process(target=work, args=(far, self.settings, self.data), daemon=True)
        with _without_main():
            process.start()
        far.close()
        self.all.append(Worker(process, near))

    @property
    def waiting(self) -> list[Worker]:
        """The workers that are ready and idle."""
        return [worker for worker in self.all if worker.ready and worker.trial is None]

    @property
    def busy(self) -> bool:
        """Whether a worker is starting or training, so that a message will come."""
        return any(not worker.ready or worker.trial is not None for worker in self.all)

    def give(self, worker: Worker, trial: int, values: Mapping[str, Value]) -> None:
        """Send a trial to an idle worker."""
        worker.trial = trial
        self._send(worker, dict(values))

    def give_up(self, worker: Worker) -> None:
        """Ask a worker to prune its trial; it answers None."""
        self._send(worker, None)

    def messages(self, seconds: float) -> Iterator[tuple[Worker, Message]]:
        """Wait for a message, at most some seconds, and yield those that have arrived.

        Raises:
            SweepError: a worker has ended by itself.
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
