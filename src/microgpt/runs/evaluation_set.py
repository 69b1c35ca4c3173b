"""The documents that a run is measured on: those of files, or its own, all or some of them.

In: a run, perhaps a corpus, a limit. Out: an `EvaluationSet`, with a description.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from microgpt.data.corpus import Corpus
from microgpt.errors import UsageError
from microgpt.runs.run import Run

# The loss on documents trained on says little about others: this many are enough to show it.
_ENOUGH = 1000


@dataclass(frozen=True)
class EvaluationSet:
    """The documents that a run is measured on.

    Attributes:
        texts: the documents to measure.
        what: a description of them.
        total: how many documents they were drawn from.
        seen: whether the run was trained on them.
    """

    texts: Sequence[str]
    what: str
    total: int
    seen: bool = False

    @property
    def words(self) -> str:
        """The number of texts, the total if larger, and the description."""
        n = len(self.texts)
        what = self.what.replace("documents", "document") if n == self.total == 1 else self.what
        return f"{n:,}{f' of {self.total:,}' if n < self.total else ''} {what}"


def check_limit(limit: int | None) -> None:
    """Raise UsageError unless a limit is positive or None."""
    if limit is not None and limit < 1:
        raise UsageError(f"limit must be a whole number from 1; got {limit}.")


def evaluation_set(run: Run, read: Corpus | None, limit: int | None) -> EvaluationSet:
    """Choose the documents of a corpus, or the run's own: held out, or else trained on.

    Args:
        run: the run to measure.
        read: the documents; None: the run's own.
        limit: how many to draw at most, by the run's seed; None: all, or 1,000 of those trained on.

    Raises:
        UsageError: the limit is not positive.
        RunError: the run's own documents have changed or are missing.
    """
    check_limit(limit)
    if read is not None:
        documents: Sequence[str] = read.documents
        what, seen = "documents", False
    else:
        documents, seen = run.held_out, not run.held_out
        documents = documents or run.documents[0]
        what = "documents it was trained on" if seen else "held-out documents"
        limit = limit or _ENOUGH if seen else limit
    texts = documents
    if limit is not None and limit < len(documents):
        texts = random.Random(run.settings.training.seed).sample(documents, limit)
    return EvaluationSet(texts, what, len(documents), seen)
