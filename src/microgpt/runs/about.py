"""What pages say of a run: what it was trained on, and how good it is.

In: a run. Out: an `AboutRun`.
"""

from __future__ import annotations

from dataclasses import dataclass

from microgpt.counting.ladder import uniform
from microgpt.runs.run import Run


@dataclass(frozen=True)
class AboutRun:
    """A run, for people.

    Attributes:
        run: its name.
        unit: what a position is called: "character" or "byte".
        documents: trained on and held out.
        steps: updates made.
        parameters: of the GPT, or of all GPTs of an ensemble.
        blind: the loss of a uniform guess, nats a position.
        held_out: its held-out loss, nats a position; None: not known.
        mixed: whether counts are mixed in.
    """

    run: str
    unit: str
    documents: int
    steps: int
    parameters: int
    blind: float
    held_out: float | None
    mixed: bool


def about(name: str, run: Run) -> AboutRun:
    """Say what a run is."""
    tokenizer, settings = run.tokenizer, run.settings
    log = run.log
    last = log.heldout[-1]["heldout"]["loss"] if log.heldout else None
    return AboutRun(
        name,
        tokenizer.unit,
        settings.documents,
        run.engine.updates,
        run.parameters,
        uniform(tokenizer.vocab_size),
        last,
        run.mixture is not None,
    )
