"""The facts that the page shows, all of them measured here: the page computes nothing.

In: a run, documents. Out: `Facts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from microgpt.data.alike import Known
from microgpt.evaluation import Evaluation
from microgpt.loss import LossSum
from microgpt.report.command import DOCUMENTS, command
from microgpt.runs.learning import Learning
from microgpt.runs.prepare import MEMORY
from microgpt.runs.run import Run
from microgpt.runs.settings import Settings
from microgpt.sampling import Choice, Sample
from microgpt.scoring.heat import Heat, heat
from microgpt.wording import ALONE, MIXED, THIS, counts_of, name_of, printable

SAMPLES = 24
_CHOICE = Choice()


@dataclass(frozen=True)
class Rung:
    """A model on the same documents."""

    name: str
    sum: LossSum
    is_this: bool = False


@dataclass(frozen=True)
class Sampled:
    """A sample, and whether it stands in the training data; None: that is not known."""

    sample: Sample
    seen: bool | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the page shows.

    Attributes:
        name: of the run.
        what: how many documents of which kind were measured, in words.
        result: on these.
        unit: what a position is called.
        mixed_with: counts, in words, if it is.
        ladder: this model among the baselines, the worst first.
        why_no_ladder: in a sentence, where they could not be measured.
        learning: the curves of its training.
        chosen: the texts that were asked for.
        worst: the documents that cost most a position.
        best: the least.
        samples: some.
        temperature: that these were drawn at.
        settings: the run's.
        updates: how many it has had.
        command: that trains such a run.
        documents: the name in it of documents that came from a Python program, if they did.
        unknown_nats: what an unknown character costs.
    """

    name: str
    what: str
    result: Evaluation
    unit: str
    mixed_with: str | None
    ladder: list[Rung]
    why_no_ladder: str
    learning: Learning
    chosen: list[Heat]
    worst: list[Heat]
    best: list[Heat]
    samples: list[Sampled]
    temperature: float
    settings: Settings
    updates: int
    command: str
    documents: str | None
    unknown_nats: float


def gather(
    run: Run,
    result: Evaluation,
    what: str,
    ladder: dict[str, LossSum],
    gpt: LossSum | None = None,
    why_no_ladder: str = "",
    show: Sequence[str] = (),
    number: int = 6,
) -> Facts:
    """Collect what the page shows.

    Args:
        run: of which.
        result: its evaluation.
        what: how many documents of which kind it is of, in words.
        ladder: the baselines on the same.
        gpt: what the same cost the GPT alone, where it is mixed with counts.
        why_no_ladder: in a sentence, if there are none.
        show: texts to show beside the best and the worst.
        number: how many of these.
    """
    # Some of them may be the same text.
    best, worst, _ = result.parts.documents(4 * number)
    n = run.ngram.n if "ngram" in ladder else 0
    rungs = [Rung(name_of(name, n), total) for name, total in ladder.items()]
    rungs += [Rung(ALONE, gpt)] if gpt else []
    rungs.append(Rung(MIXED if gpt else THIS, result.sum, is_this=True))
    log, unit = run.log, run.tokenizer.unit
    counts = run.settings.training.ngram

    def heats(texts: Sequence[str]) -> list[Heat]:
        return [heat(one, result.loss) for one in run.scores(texts)]

    return Facts(
        name=printable(run.folder.resolve().name),
        what=what,
        result=result,
        unit=unit,
        mixed_with=counts_of(counts, unit, run.weight) if gpt else None,
        ladder=sorted(rungs, key=lambda rung: -rung.sum.mean),
        why_no_ladder=why_no_ladder,
        learning=Learning.of(log),
        chosen=heats(show),
        worst=heats([*dict.fromkeys(document.text for document in worst)][:number]),
        best=heats([*dict.fromkeys(document.text for document in best)][:number]),
        samples=_samples(run, known=not why_no_ladder),
        temperature=_CHOICE.temperature,
        settings=run.settings,
        updates=log.steps,
        command=command(run.settings, run.tokenizer),
        documents=DOCUMENTS if run.settings.source == MEMORY else None,
        unknown_nats=run.tokenizer.unknown_nats,
    )


def _samples(run: Run, *, known: bool) -> list[Sampled]:
    drawn = list(islice(run.samples(_CHOICE), SAMPLES))
    trained = Known(run.documents[0] if known else [])
    return [Sampled(one, one.text in trained if known else None) for one in drawn]
