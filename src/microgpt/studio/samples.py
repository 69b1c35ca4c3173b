"""The view of samples: new texts of a run, and the logits that each next token is drawn from.

In: a run's name, how to draw. Out: samples as events; the logits after a prompt.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from starlette.routing import Route

from microgpt.data.alike import Known
from microgpt.data.tokenizer.shown import symbols
from microgpt.errors import DataError, RunError, UsageError
from microgpt.runs.known import known
from microgpt.runs.run import Run
from microgpt.sampling import Choice, prompt_ids
from microgpt.studio.answers import answering, streaming
from microgpt.studio.library import Library

MOST = 200
"""The most samples at once."""


@dataclass(frozen=True)
class NextAsked:
    """A question: which logits follow this prompt under this run?"""

    run: str
    prompt: str


@dataclass(frozen=True)
class SamplesAsked:
    """A request for samples.

    Attributes:
        run: whose.
        number: how many.
        temperature, top_k, top_p, min_p, prompt, seed: as in `sampling.Choice`.
    """

    run: str
    number: int = 12
    temperature: float = Choice.temperature
    top_k: int | None = None
    top_p: float = Choice.top_p
    min_p: float = Choice.min_p
    prompt: str = ""
    seed: int = Choice.seed


def routes(library: Library) -> list[Route]:
    """Return the routes."""
    trained_on = lru_cache(4)(_trained_on)

    def draw(asked: SamplesAsked) -> Iterator[Any]:
        return drawn(library.run(asked.run), asked, trained_on)

    return [
        answering("/api/next", NextAsked, lambda asked: following(library.run(asked.run), asked)),
        streaming("/api/samples", SamplesAsked, draw),
    ]


def following(run: Run, asked: NextAsked) -> dict[str, Any]:
    """Return the logits of the token that follows a prompt, in the order of ids.

    Raises:
        UsageError: the prompt has an unknown character, or fills the block.
    """
    ids = prompt_ids(run.tokenizer, asked.prompt, run.settings.model.block_size)
    decoder = run.predictor.decoder(1)
    read = [decoder.push([token]) for token in (run.tokenizer.bos, *ids)]
    logits_V: list[float] = read[-1][0].tolist()
    return {"symbols": symbols(run.tokenizer), "logits": logits_V}


def drawn(run: Run, asked: SamplesAsked, trained_on: Any) -> Iterator[Any]:
    """Draw samples; yield each, and then which of them stand in the training data."""
    if not 1 <= asked.number <= MOST:
        raise UsageError(f"number must be a whole number from 1 to {MOST}; got {asked.number}.")
    choice = Choice(
        temperature=asked.temperature, top_k=asked.top_k, top_p=asked.top_p, min_p=asked.min_p,
        prompt=asked.prompt, seed=asked.seed,
    )  # fmt: skip
    texts: list[str] = []
    for one in islice(run.samples(choice), asked.number):
        texts.append(one.text)
        yield {"text": one.text, "loss": one.loss, "ended": one.ended}
    found: Known | None = trained_on(run)
    yield {"seen": None if found is None else [text in found for text in texts]}


def _trained_on(run: Run) -> Known | None:
    """Return the documents trained on; None: they cannot be read."""
    try:
        return known(run)
    except (DataError, RunError):
        return None
