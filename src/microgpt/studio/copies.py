"""Copies of a run's model in memory, which pages train; the run on the disk is not touched.

In: a page's own name, a run. Out: a `Copy`, with the documents that are watched during training.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from threading import Lock

from microgpt.data.plan import Plan
from microgpt.engines import about
from microgpt.errors import DataError, RunError
from microgpt.runs.documents import read_again
from microgpt.runs.evaluation_set import evaluation_set
from microgpt.runs.run import Run
from microgpt.sampling import Choice
from microgpt.studio.library import Library
from microgpt.studio.recent import Recent
from microgpt.training.onestep import OneStep
from microgpt.training.task import Dataset, Task, open_for

LONGEST = 200
"""The most characters of a document that is taken apart."""

OTHERS, FEW = 100, 10
"""How many other documents are watched; with a slow engine."""

_KEPT = 4
"""The most copies of models in memory."""


@dataclass
class Copy:
    """A copy of a run's model, which a page trains.

    Attributes:
        run: whose.
        text: the document to begin with.
        what: what the other documents are.
        texts: the other documents.
        step: makes the updates.
    """

    run: Run
    text: str
    what: str
    texts: list[str]
    step: OneStep
    lock: Lock = field(default_factory=Lock)

    @classmethod
    def of(cls, run: Run) -> Copy:
        """Copy the model of a run."""
        run.check_single("a step that is taken apart")
        settings, engine = run.settings, run.engine
        what, (text, *texts) = _documents(run, OTHERS if about(engine.name).is_fast else FEW)
        if not texts:
            what, texts = "the document that the page began with: the run has no other", [text]
        own = open_for(engine.name, settings.model, settings.training)
        step = OneStep(own, engine.state(), run.tokenizer, settings.model, settings.training, texts)
        return cls(run, text[:LONGEST], what, texts, step)

    @cached_property
    def plan(self) -> Plan:
        """The plan of the run's training, of its documents read again."""
        settings = self.run.settings
        corpus = read_again(self.run.folder, settings)
        dataset = Dataset(corpus, self.run.tokenizer, settings.training.holdout)
        return Task(dataset, settings.model, settings.training).plan


class Copies:
    """The copies of all pages; the least recently used go first.

    Args:
        library: the runs.
    """

    def __init__(self, library: Library) -> None:
        self._library, self._copies = library, Recent[tuple[str, str], Copy](_KEPT)

    def get(self, page: str, run: str, *, fresh: bool = False) -> Copy:
        """Return a page's copy of a run's model; a fresh one if it is asked for, or is not kept."""
        opened, key = self._library.run(run), (page, run)
        kept = self._copies.get(key)
        if kept is None or fresh or kept.run is not opened:
            self._copies.put(key, kept := Copy.of(opened))
        return kept


def _documents(run: Run, others: int) -> tuple[str, list[str]]:
    """Return what documents of a run there are, one and then others: samples if all are missing."""
    number = others + 1
    try:
        found = evaluation_set(run, None, None)
        texts: Sequence[str] = found.texts
        if len(texts) > number:
            texts = random.Random(run.settings.training.seed).sample(texts, number)
        return found.what, list(texts)
    except (DataError, RunError):
        drawn = islice(run.samples(Choice(temperature=1.0)), number)
        return "samples of the model, because its documents are missing", [s.text for s in drawn]
