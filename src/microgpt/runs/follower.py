"""A rank of a training other than the first: it computes what rank 0 orders, and writes nothing.

In: what rank 0 prepares the training from. Out: a `Follower`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from microgpt.data import tokenizer
from microgpt.data.corpus import Corpus, Source
from microgpt.data.plan import Plan
from microgpt.engines.ranks import Ranks, agreed
from microgpt.errors import LostRankError
from microgpt.runs.documents import read_again
from microgpt.runs.prepared import ready
from microgpt.runs.recorder import lost
from microgpt.runs.together import check_same
from microgpt.training.task import Dataset, Task, open_for


class _Following(Protocol):
    """An engine of several ranks."""

    def follow(self, plan: Plan) -> None: ...


class Follower:
    """A rank that is ready to follow.

    Attributes:
        task: the training, the same as rank 0's.
        engine: this rank's.
        folder: the run's, which rank 0 writes.
    """

    def __init__(self, task: Task, engine: Any, folder: Path) -> None:
        self.task, self.engine, self.folder = task, cast(_Following, engine), folder

    def follow(self) -> None:
        """Carry out rank 0's orders to the end of the training.

        Raises:
            LostRankError: another rank was lost.
        """
        try:
            self.engine.follow(self.task.plan)
        except LostRankError as error:
            raise lost(error, self.folder) from error


def of_new(data: Source | Iterable[Any], ranks: Ranks, **others: Any) -> Follower:
    """Follow a new training; the arguments are those of `prepare.new`."""
    for name in ("out", "track"):  # rank 0's
        others.pop(name, None)
    agreed(ranks, lambda: None)
    made = ready(data, ranks=ranks, **others)
    return Follower(made.task, made.engine, _folder(ranks))


def of_resumed(
    ranks: Ranks,
    documents: Sequence[str] | None = None,
    engine: str | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> Follower:
    """Follow a training that is resumed; the arguments are those of `prepare.resume`."""
    folder = _folder(ranks)
    settings, vocabulary = ranks.told(cast(Any, None))
    tokens = tokenizer.from_json(vocabulary)

    def open_task() -> tuple[Corpus, Any]:
        opened = open_for(
            engine or "torch", settings.model, settings.training, threads, device, ranks
        )
        return read_again(folder, settings, documents, piped=True), opened

    read, opened = agreed(ranks, open_task)
    check_same(read, tokens, ranks)
    dataset = Dataset(read, tokens, settings.training.holdout)
    return Follower(Task(dataset, settings.model, settings.training), opened, folder)


def _folder(ranks: Ranks) -> Path:
    """Return the folder that rank 0 has opened."""
    agreed(ranks, lambda: None)
    return ranks.told(Path())
