"""What the page says of a run: what it was trained on, how good it is, what it knows.

In: a run's name. Out: an `AboutRun`; the list of runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.routing import Route

from microgpt.counting.ladder import uniform
from microgpt.runs.model import Model
from microgpt.runs.run import Run
from microgpt.studio.answers import answering
from microgpt.studio.library import Library


@dataclass(frozen=True)
class Nothing:
    """A question without parameters."""


@dataclass(frozen=True)
class Named:
    """A question about one run."""

    run: str


@dataclass(frozen=True)
class AboutRun:
    """A run, for people.

    Attributes:
        run: its name.
        unit: what a position is called: "character" or "byte".
        documents: trained on and held out.
        steps: updates made.
        parameters: of the GPT.
        symbols: every token as text, by id; "" is the end.
        blind: the loss of a uniform guess, nats a position.
        held_out: its held-out loss, nats a position; None: not known.
        mixed: whether counts are mixed in.
    """

    run: str
    unit: str
    documents: int
    steps: int
    parameters: int
    symbols: list[str]
    blind: float
    held_out: float | None
    mixed: bool


def routes(library: Library) -> list[Route]:
    """Return the routes."""

    def listed(_: Nothing) -> dict[str, Any]:
        return {"runs": list(library.folders())}

    return [
        answering("/api/runs", Nothing, listed),
        answering("/api/about", Named, lambda asked: about(asked.run, library.model(asked.run))),
    ]


def about(name: str, model: Model) -> AboutRun:
    """Say what a model is."""
    from microgpt import model as gpt

    tokenizer, settings = model.tokenizer, model.settings
    log = model.log if isinstance(model, Run) else None
    last = log.heldout[-1]["heldout"]["loss"] if log and log.heldout else None
    return AboutRun(
        name,
        tokenizer.unit,
        settings.documents,
        model.engine.updates,
        gpt.size(settings.model),
        [tokenizer.decode([i]) for i in range(tokenizer.vocab_size)],
        uniform(tokenizer.vocab_size),
        last,
        model.weight is not None,
    )
