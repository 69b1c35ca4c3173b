"""The numbers and texts that the page shows, all measured here: the page computes nothing.

In: a run, an evaluation, baselines. Out: `Facts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from microgpt.counting.ladder import Ladder
from microgpt.data.alike import Known
from microgpt.data.corpus import MEMORY
from microgpt.data.texts import Texts
from microgpt.evaluation import Evaluation
from microgpt.runs.command import DOCUMENTS, command
from microgpt.runs.learning import Learning
from microgpt.runs.measurement import Measurement
from microgpt.runs.run import Run
from microgpt.runs.settings import Settings
from microgpt.sampling import Choice, Sample
from microgpt.scoring.heat import Heat, heat
from microgpt.wording import printable

SAMPLES = 24
_CHOICE = Choice()


@dataclass(frozen=True)
class Sampled:
    """A sample, and whether it is a training document; None: unknown."""

    sample: Sample
    seen: bool | None


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that the page shows.

    Attributes:
        name: of the run.
        what: the measured documents, in words.
        result: the evaluation on these.
        unit: the name of a token.
        mixed_with: the counts that the GPT is mixed with, in words; None: it is not mixed.
        ladder: the model and the baselines.
        learning: the learning curves.
        chosen: the texts that the user asked for.
        worst: the documents with the highest losses.
        best: the documents with the lowest losses.
        samples: of the model.
        temperature: of the samples.
        settings: the run's.
        updates: how many updates were made.
        command: trains the run again.
        documents: the name in `command` of documents that came from a Python program; else None.
        unknown_nats: the loss of an unknown character.
    """

    name: str
    what: str
    result: Evaluation
    unit: str
    mixed_with: str | None
    ladder: Ladder
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


def gather(found: Measurement, show: Sequence[str] = (), number: int = 6) -> Facts:
    """Collect all that the page shows.

    Args:
        found: a run, measured.
        show: texts to show besides the documents with the lowest and the highest losses.
        number: how many of those documents to show at either end.
    """
    run, result, ladder = found.run, found.result, found.ladder
    # More than `number`, because some may be equal.
    best, worst, _ = result.parts.documents(4 * number)
    log, unit = run.log, run.tokenizer.unit
    mixed_with = run.mixed_with if ladder.gpt else None

    def heats(texts: Sequence[str]) -> list[Heat]:
        return [heat(one, result.loss) for one in run.scores(texts)]

    return Facts(
        name=printable(run.folder.resolve().name),
        what=found.on.words,
        result=result,
        unit=unit,
        mixed_with=mixed_with,
        ladder=ladder,
        learning=Learning.of(log),
        chosen=heats(show),
        worst=heats([*dict.fromkeys(document.text for document in worst)][:number]),
        best=heats([*dict.fromkeys(document.text for document in best)][:number]),
        samples=_samples(run, known=not ladder.why),
        temperature=_CHOICE.temperature,
        settings=run.settings,
        updates=log.steps,
        command=command(run.settings, run.tokenizer),
        documents=DOCUMENTS if run.settings.source == MEMORY else None,
        unknown_nats=run.tokenizer.unknown_nats,
    )


def _samples(run: Run, *, known: bool) -> list[Sampled]:
    drawn = list(islice(run.samples(_CHOICE), SAMPLES))
    trained = Known(run.tokenizer.reading(Texts.of(run.documents[0])) if known else [])
    return [Sampled(one, one.text in trained if known else None) for one in drawn]
