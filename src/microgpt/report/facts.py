"""What the page tells, all of it measured here: the page computes nothing.

In: a run, documents. Out: `Facts`.
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from microgpt import recipe
from microgpt.alphabet import printable
from microgpt.evaluate import Evaluation
from microgpt.loss import LossSum
from microgpt.presets import PRESETS
from microgpt.report.heat import Heat, heat
from microgpt.run import Run
from microgpt.sample import Choice, Sample
from microgpt.settings import Settings, as_flag
from microgpt.words import name_of, unit_of

POINTS = 120
"""Points of the learning curve, at most."""

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
    """All that the page tells.

    Attributes:
        name: of the run.
        what: how many documents of which kind were measured, in words.
        result: on these.
        unit: what a position is called.
        ladder: this model among the baselines, the worst first.
        why_no_ladder: in a sentence, where they could not be measured.
        training: steps and losses.
        held_out: likewise.
        chosen: the texts that were asked for.
        worst: the documents that cost most a position.
        best: the least.
        samples: some.
        temperature: that these were drawn at.
        settings: the run's.
        updates: how many it has had.
        command: that trains such a run.
        unknown_nats: what an unknown character costs.
    """

    name: str
    what: str
    result: Evaluation
    unit: str
    ladder: list[Rung]
    why_no_ladder: str
    training: list[tuple[float, float]]
    held_out: list[tuple[float, float]]
    chosen: list[Heat]
    worst: list[Heat]
    best: list[Heat]
    samples: list[Sampled]
    temperature: float
    settings: Settings
    updates: int
    command: str
    unknown_nats: float


def gather(
    run: Run,
    result: Evaluation,
    what: str,
    ladder: dict[str, LossSum],
    why_no_ladder: str = "",
    show: Sequence[str] = (),
    number: int = 6,
) -> Facts:
    """Collect what the page tells.

    Args:
        run: of which.
        result: its evaluation.
        what: how many documents of which kind it is of, in words.
        ladder: the baselines on the same.
        why_no_ladder: in a sentence, if there are none.
        show: texts to show beside the best and the worst.
        number: how many of these.
    """
    # Some of them may be the same text.
    best, worst, _ = result.parts.documents(4 * number)
    n = run.ngram.n if "ngram" in ladder else 0
    rungs = [Rung(name_of(name, n), total) for name, total in ladder.items()]
    rungs.append(Rung("this model", result.sum, is_this=True))
    log = run.log

    def heats(texts: Sequence[str]) -> list[Heat]:
        return [heat(one, result.loss) for one in run.scores(texts)]

    return Facts(
        name=printable(run.folder.resolve().name),
        what=what,
        result=result,
        unit=unit_of(run.tokenizer),
        ladder=sorted(rungs, key=lambda rung: -rung.sum.mean),
        why_no_ladder=why_no_ladder,
        training=log.curve(POINTS),
        held_out=[(line["step"], line["heldout"]["loss"]) for line in log.heldout],
        chosen=heats(show),
        worst=heats([*dict.fromkeys(document.text for document in worst)][:number]),
        best=heats([*dict.fromkeys(document.text for document in best)][:number]),
        samples=_samples(run, known=not why_no_ladder),
        temperature=_CHOICE.temperature,
        settings=run.settings,
        updates=log.steps,
        command=command(run.settings),
        unknown_nats=run.tokenizer.unknown_nats,
    )


def command(settings: Settings) -> str:
    """Write the command that trains with these settings."""
    words: dict[str, Any] = {}
    training, source = settings.training, settings.source
    if settings.preset == recipe.CHOSEN:
        words = {"seconds": training.seconds, "seed": training.seed, "holdout": training.holdout}
    elif settings.preset in PRESETS:
        begun = PRESETS[settings.preset]
        words["preset"] = settings.preset
        usual: dict[str, Any] = {
            field.name: field.default
            for record in (settings.model, training)
            for field in dataclasses.fields(record)
        }
        usual |= {**begun.model, **begun.training}
        told = {**vars(settings.model), **vars(training)}
        del told["vocab_size"]
        words |= {name: value for name, value in told.items() if value != usual[name]}
    words |= source.asked
    flags = [as_flag(name, value) for name, value in words.items() if value is not None]
    files = [shlex.quote(printable(file)) for file in source.files]
    return " ".join(["microgpt train", *files, *flags])


def _samples(run: Run, *, known: bool) -> list[Sampled]:
    drawn = list(islice(run.samples(_CHOICE), SAMPLES))
    trained = set(run.documents[0]) if known else set[str]()
    return [Sampled(one, one.text in trained if known else None) for one in drawn]
