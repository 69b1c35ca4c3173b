"""Training on the page: drafts in memory, of which each tab has one at a time.

In: questions of the page. Out: events of a draft; the levels beside its curve.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator, Iterator
from threading import Lock
from typing import Any

from starlette.routing import Route

from microgpt.config import GPTConfig, TrainConfig
from microgpt.studio.about import Nothing
from microgpt.studio.answers import answering, streaming
from microgpt.studio.datasets import Datasets, TextAsked
from microgpt.studio.draft import Draft, DraftAsked
from microgpt.studio.recent import Recent
from microgpt.training.presets import PRESETS

_END: Any = object()
_TABS = 16
"""The most tabs whose last draft is kept, to go on with."""


def routes(datasets: Datasets) -> list[Route]:
    """Return the routes."""
    drafts = Drafts(datasets)
    return [
        answering("/api/presets", Nothing, lambda _: {"presets": presets()}),
        answering("/api/levels", TextAsked, lambda asked: levels(datasets, asked)),
        streaming("/api/draft", DraftAsked, drafts.train),
    ]


def presets() -> list[dict[str, Any]]:
    """Return what each preset sets of what the page can change."""
    found: list[dict[str, Any]] = []
    for name, one in PRESETS.items():
        shape, how = GPTConfig(vocab_size=1, **one.model), TrainConfig(**one.training)
        found.append(
            {
                "name": name,
                "summary": one.summary,
                "n_embd": shape.n_embd,
                "n_layer": shape.n_layer,
                "lr": how.lr,
                "batch_size": how.batch_size,
                "loss": how.loss,
                "steps": how.steps,
            }
        )
    return found


def levels(datasets: Datasets, asked: TextAsked) -> dict[str, Any]:
    """Return the losses of the baselines on a text's held-out documents."""
    ready = datasets.ready(asked)
    block_size = GPTConfig(vocab_size=1, **PRESETS[asked.preset].model).block_size
    what, found = ready.levels(block_size, asked.long)
    return {"what": what, "levels": found}


class Seat:
    """The place of a tab's draft: one engine computes at a time, that of the newest question.

    Attributes:
        draft: the newest; it may have been stopped.
    """

    def __init__(self) -> None:
        self.draft: Draft | None = None
        self._lock = Lock()
        self._turn = object()

    def train(self, begin: Callable[[Seat], Iterator[Any]]) -> Iterator[Any]:
        """Yield events until there are no more, or a newer question has come.

        Args:
            begin: returns the events; called when no other draft of this tab computes.
        """
        mine = self._turn = object()
        events: Iterator[Any] | None = None
        while True:
            with self._lock:
                if self._turn is not mine:
                    return
                events = events or begin(self)
                event = next(events, _END)
            if event is _END:
                return
            if event is not None:
                yield event


class Drafts:
    """The drafts of all tabs.

    Args:
        datasets: the texts.
    """

    def __init__(self, datasets: Datasets) -> None:
        self._datasets = datasets
        self._seats = Recent[str, Seat](_TABS)

    def train(self, asked: DraftAsked) -> Generator[dict[str, Any]]:
        """Train a draft, and yield what to show; the one before it stops after its chunk."""
        asked.configs(1)  # mistakes are found before a file is read
        yield from self.seat(asked.tab).train(lambda seat: self._begun(seat, asked).events())

    def seat(self, tab: str) -> Seat:
        """Return the place of a tab's draft."""
        return self._seats.share(tab, Seat())

    def _begun(self, seat: Seat, asked: DraftAsked) -> Draft:
        """Return the draft to train: a new one, or the one that was stopped."""
        new = dataclasses.replace(asked, goes_on=False)
        if not (asked.goes_on and seat.draft and seat.draft.asked == new):
            seat.draft = Draft(new, self._datasets.ready(asked))
        return seat.draft
