"""A run measured on documents, with the baselines: what `evaluate` prints and a report shows.

In: a run, the documents. Out: an `Evaluation` and a `Ladder`.
"""

from __future__ import annotations

from collections.abc import Iterator

from microgpt.counting.beside import beside
from microgpt.counting.ladder import Ladder
from microgpt.errors import DataError, RunError, UsageError
from microgpt.evaluation import Evaluation
from microgpt.loss import LossSum
from microgpt.runs.evaluation_set import EvaluationSet
from microgpt.runs.run import Run


class Measurement:
    """An evaluation of a run with its ladder; iterating over it measures.

    Args:
        run: the run to measure.
        on: the documents.

    Attributes:
        run: as given.
        on: as given.
        result: the evaluation, after the iteration.
        ladder: the model and the baselines, after the iteration; without baselines, `ladder.why`.
    """

    result: Evaluation
    ladder: Ladder

    def __init__(self, run: Run, on: EvaluationSet) -> None:
        self.run, self.on = run, on

    def __iter__(self) -> Iterator[int]:
        """Measure; yield how many documents have been measured so far.

        Raises:
            UsageError: there are no documents.
        """
        run, texts = self.run, self.on.texts
        if not texts:
            raise UsageError("texts must not be empty; got none.")
        baselines = beside(self._baselines)
        evaluator = run.evaluator
        yield from evaluator.each(texts)
        self.result = evaluator.evaluation
        gpt = run.alone(texts)
        found, why = baselines()
        n = run.ngram.n if "ngram" in found else 0
        mixes, models = gpt is not None, run.settings.training.models
        self.ladder = Ladder(self.on.words, found, self.result.sum, n, gpt, mixes, why, models)

    def measured(self) -> Measurement:
        """Measure all documents, and return the measurement."""
        for _ in self:
            pass
        return self

    def _baselines(self) -> tuple[dict[str, LossSum], str]:
        """Return the baselines' losses, and ""; or none and the reason, if training data is
        missing.
        """
        try:
            return self.run.baselines(self.on.texts, seen=self.on.seen), ""
        except (DataError, RunError) as error:
            return {}, str(error)
